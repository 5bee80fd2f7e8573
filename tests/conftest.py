"""Fixtures every test may use."""

from __future__ import annotations

import asyncio
import inspect
import signal
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from config.settings import RecordsAddress
from tests.support.postgresql import PostgreSql
from tests.support.servers import BROKERS, Broker
from tests.support.waiting import eventually

LIBRARY_THREADS = ("asyncio_", "waitpid-", "AnyIO worker thread", "ThreadPoolExecutor-", "shim")
"""Names of threads that libraries keep for later use and end themselves."""


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> None:
    """Let programs that tests start hear SIGINT: a shell starts what runs in its background with SIGINT ignored."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(params=sorted(BROKERS, reverse=True))
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Broker]:
    """A running broker without persistence; the test runs once on each kind."""
    with BROKERS[request.param](tmp_path) as started:
        yield started


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgreSql]:
    """A PostgreSQL server for all tests that only need a database on one."""
    with PostgreSql(tmp_path_factory.mktemp("postgresql")) as started:
        yield started


@pytest.fixture(params=["sqlite", "postgresql"])
def records_address(request: pytest.FixtureRequest) -> RecordsAddress | None:
    """Where the records of a test live: in its own folder (None), or in a fresh database; the test runs on both."""
    if request.param == "sqlite":
        return None
    server: PostgreSql = request.getfixturevalue("postgresql")
    return server.fresh()


@pytest.fixture(autouse=True)
def nothing_left_running(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves a thread or an asyncio task behind."""
    if inspect.iscoroutinefunction(getattr(request.node, "obj", None)):
        request.getfixturevalue("no_task_left")
    before = set(threading.enumerate())
    yield

    def left() -> list[str]:
        new = [thread.name for thread in threading.enumerate() if thread not in before]
        return [name for name in new if not name.startswith(LIBRARY_THREADS)]

    try:
        eventually(lambda: not left(), 3.0)
    except AssertionError:
        pytest.fail(f"the test left threads running: {', '.join(left())}")


@pytest.fixture
async def no_task_left() -> AsyncIterator[None]:
    """Fail a coroutine test that leaves an asyncio task behind."""
    before = asyncio.all_tasks()
    yield
    await asyncio.sleep(0)
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    if left:
        pytest.fail(f"the test left tasks running: {', '.join(sorted(map(repr, left)))}")
