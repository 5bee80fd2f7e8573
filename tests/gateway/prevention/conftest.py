"""A place with two enterprises, one on each side of a road; a clock one can set."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from config.settings import RecordsAddress
from tests.support.prevention import Office, make_office


@pytest.fixture
def office(tmp_path: Path, records_address: RecordsAddress | None) -> Iterator[Office]:
    """What tests of this room work with, on SQLite and on PostgreSQL."""
    yield from make_office(tmp_path, records_address)
