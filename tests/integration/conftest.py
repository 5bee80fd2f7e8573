"""Fixtures of tests that run the whole chain."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.nursery import Nursery


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """Forks `hazgate` commands from a process that has everything imported."""
    with Nursery() as forking:
        yield forking
