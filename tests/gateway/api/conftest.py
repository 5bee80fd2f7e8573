"""Fixtures for tests of the API."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, MutableMapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from tests.gateway.api.world import World, client_of, make_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A gateway's surroundings with an empty records database."""
    yield from make_world(tmp_path)


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[MutableMapping[str, Any]]]:
    """What was logged; not printed, since rendering a traceback for people takes seconds."""
    with capture_logs() as entries:
        yield entries


@pytest.fixture
async def client(world: World) -> AsyncIterator[httpx.AsyncClient]:
    """Talks to the API of `world`."""
    async with client_of(world.api()) as client:
        yield client
