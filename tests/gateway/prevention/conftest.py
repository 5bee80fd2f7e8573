"""A place with two enterprises, one on each side of a road; a clock one can set."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.settings import RecordsAddress
from gateway.records.database import open_writer
from tests.support.prevention import Office, make_office


@pytest.fixture(scope="session")
def empty_records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with empty records, to be copied: migrations take most of the time of a short test."""
    folder = tmp_path_factory.mktemp("empty")
    open_writer(folder).dispose()
    return folder


@pytest.fixture
def office(tmp_path: Path, records_address: RecordsAddress | None, empty_records: Path) -> Iterator[Office]:
    """What tests of this room work with, on SQLite and on PostgreSQL."""
    if records_address is None:
        shutil.copytree(empty_records, tmp_path, dirs_exist_ok=True)
    yield from make_office(tmp_path, records_address)


@pytest.fixture
def light_office(tmp_path: Path, empty_records: Path) -> Iterator[Office]:
    """The same on SQLite alone: for what is the same on both, and is much."""
    shutil.copytree(empty_records, tmp_path, dirs_exist_ok=True)
    yield from make_office(tmp_path, None)
