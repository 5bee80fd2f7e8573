"""Fixtures of the tests of the edge."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.edges import ImpatientNats
from tests.support.servers import Broker, Mosquitto

IMPATIENT: dict[str, type[Broker]] = {"mosquitto": Mosquitto, "embedded": ImpatientNats}


@pytest.fixture(params=sorted(IMPATIENT, reverse=True))
def impatient(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Broker]:
    """A running broker that soon delivers again what is not acknowledged; once of each kind."""
    with IMPATIENT[request.param](tmp_path) as started:
        yield started
