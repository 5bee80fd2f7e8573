"""Fixtures for tests of grades."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from config.settings import RecordsAddress
from tests.gateway.grading.office import Office, make_office


@pytest.fixture
def office(tmp_path: Path, records_address: RecordsAddress | None) -> Iterator[Office]:
    """A place whose clock and gauges one can set; on SQLite and on PostgreSQL."""
    yield from make_office(tmp_path, records_address)
