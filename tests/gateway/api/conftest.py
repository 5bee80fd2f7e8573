"""Fixtures for tests of the API."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from tests.gateway.api.world import World, client_of, make_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A gateway's surroundings with an empty records database."""
    yield from make_world(tmp_path)


@pytest.fixture
async def client(world: World) -> AsyncIterator[httpx.AsyncClient]:
    """Talks to the API of `world`."""
    async with client_of(world.api()) as client:
        yield client
