"""Fixtures for tests of grades."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from config.settings import RecordsAddress
from tests.gateway.grading.office import Office, make_office
from tests.support.postgresql import PostgreSql


@pytest.fixture
def records_address(request: pytest.FixtureRequest) -> RecordsAddress | None:
    """SQLite, unless a test asks for both."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return None
    server: PostgreSql = request.getfixturevalue("postgresql")
    return server.fresh()


@pytest.fixture
def office(tmp_path: Path, records_address: RecordsAddress | None) -> Iterator[Office]:
    """A place whose clock and gauges one can set."""
    yield from make_office(tmp_path, records_address)
