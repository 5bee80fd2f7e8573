"""Fixtures of tests that run the whole chain."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.gateways import GatewayProcess
from tests.support.nursery import Nursery
from tests.support.plants import MINI_PLANT
from tests.support.servers import Broker


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """Forks `hazgate` commands from a process that has everything imported."""
    with Nursery() as forking:
        yield forking


@pytest.fixture
def plant_file(tmp_path: Path) -> Path:
    """A small plant with an agent and an edge of plain sensors."""
    path = tmp_path / "mini.yaml"
    path.write_text(MINI_PLANT, encoding="utf-8")
    return path


@pytest.fixture
def gateway(nursery: Nursery, tmp_path: Path, plant_file: Path, broker: Broker) -> Iterator[GatewayProcess]:
    """A gateway that watches it."""
    with GatewayProcess(nursery, tmp_path, plant_file, broker) as running:
        yield running
