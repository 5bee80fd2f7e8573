"""Threads with an owner."""

from __future__ import annotations

import os
import threading

from structlog.testing import capture_logs

from gateway.threads import Crew
from tests.support.waiting import eventually


def test_all_threads_are_asked_to_stop_and_waited_for() -> None:
    crew = Crew(lambda: None)
    ended: list[str] = []

    def wait(stop: threading.Event) -> None:
        stop.wait()
        ended.append(threading.current_thread().name)

    for name in ("one", "two"):
        crew.start(name, wait)
    assert ended == []
    assert crew.join(5.0) == []
    assert sorted(ended) == ["one", "two"]
    assert crew.failed == ""


def test_a_thread_may_give_way_to_the_others() -> None:
    crew = Crew(lambda: None)
    found: list[int] = []
    before = os.getpriority(os.PRIO_PROCESS, 0)
    crew.start("behind", lambda _: found.append(os.getpriority(os.PRIO_PROCESS, 0)), niceness=5)
    assert crew.join(5.0) == []
    assert found == [before + 5]
    assert os.getpriority(os.PRIO_PROCESS, 0) == before


def test_a_thread_that_does_not_stop_is_named() -> None:
    crew, release = Crew(lambda: None), threading.Event()

    def work(_stop: threading.Event) -> None:
        release.wait()

    crew.start("stubborn", work)
    assert crew.join(0.05) == ["stubborn"]
    release.set()
    assert crew.join(5.0) == []


def test_a_thread_that_fails_is_told_at_once_with_its_name_and_traceback() -> None:
    failures: list[str] = []
    crew = Crew(lambda: failures.append(threading.current_thread().name))

    def fail(_stop: threading.Event) -> None:
        raise ZeroDivisionError

    with capture_logs() as logs:
        crew.start("broken", fail)
        eventually(lambda: failures)
        assert crew.join(5.0) == []
    assert failures == ["broken"]
    assert crew.failed == "broken"
    assert [(entry["event"], entry["thread"], entry["exc_info"]) for entry in logs] == [
        ("thread_failed", "broken", True)
    ]


def test_of_several_failures_the_first_is_remembered() -> None:
    crew, go_on = Crew(lambda: None), threading.Event()

    def fail(_stop: threading.Event) -> None:
        raise ZeroDivisionError

    def fail_later(stop: threading.Event) -> None:
        go_on.wait(5.0)
        fail(stop)

    with capture_logs():
        crew.start("second", fail_later)
        crew.start("first", fail)
        eventually(lambda: crew.failed)
        go_on.set()
        crew.join(5.0)
    assert crew.failed == "first"
