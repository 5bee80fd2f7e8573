"""From the log into the history: everything once, nothing in anybody's way, trouble shown and outlived."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np
import pytest

from alerting.batch import Disposition
from gateway.errors import HistoryError, RecordsError
from gateway.history import follower as module
from gateway.history.duckdb_store import HistoryStore
from gateway.history.follower import Follower, follow_once
from gateway.history.port import HistoryBatch, LogEntry
from gateway.live import Board
from tests.support.waiting import eventually

ALWAYS = 1 << 62


def entry(position: int, *values: float, disposition: Disposition = Disposition.EVALUATED) -> LogEntry:
    """A log row of tag 1; every sample has the row's position as its time."""
    count = len(values)
    return LogEntry(
        position=position,
        received_ms=position + 1000,
        tag=np.ones(count, np.int32),
        time_ms=np.full(count, position, np.int64),
        value=np.array(values, np.float64),
        quality=np.zeros(count, np.uint8),
        disposition=np.full(count, disposition, np.uint8),
        recheck=np.zeros(count, np.bool_),
    )


@dataclass
class Log:
    """A log in memory; positions without an entry are ticks."""

    entries: list[LogEntry] = field(default_factory=list)
    upto: int = 0
    broken: bool = False
    reads: int = 0

    def add(self, *entries: LogEntry, upto: int = 0) -> None:
        self.entries += entries
        self.upto = max(upto, *(one.position for one in self.entries))

    def read_after(self, position: int, max_samples: int) -> tuple[Sequence[LogEntry], int]:
        self.reads += 1
        if self.broken:
            message = "the log is broken"
            raise RecordsError(message)
        found: list[LogEntry] = []
        for one in self.entries:
            if one.position <= position:
                continue
            if found and sum(len(other.tag) for other in (*found, one)) > max_samples:
                return found, found[-1].position
            found.append(one)
        return found, self.upto


class Stubborn(HistoryStore):
    """A store that cannot write while ``full``."""

    full = False

    def append(self, batch: HistoryBatch, position: int) -> int:
        if self.full:
            message = "no space left"
            raise HistoryError(message)
        return super().append(batch, position)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Stubborn]:
    opened = Stubborn(tmp_path / "history.duckdb")
    yield opened
    opened.close()


def values(store: HistoryStore) -> list[float]:
    return [float(value) for value in store.samples(1, 0, ALWAYS, 10_000).value]


def test_rows_of_the_log_become_rows_of_the_history(store: Stubborn) -> None:
    log = Log()
    log.add(entry(1, 1.0, 2.0), entry(4, 3.0), upto=6)
    assert not follow_once(log, store)
    rows = store.samples(1, 0, ALWAYS, 10)
    assert rows.value.tolist() == [1.0, 2.0, 3.0]
    assert rows.received_ms.tolist() == [1001, 1001, 1004]
    assert rows.late.tolist() == [False, False, False]
    assert store.position() == 6


def test_nothing_new_writes_nothing(store: Stubborn) -> None:
    log = Log()
    log.add(entry(1, 1.0))
    follow_once(log, store)
    store.full = True
    assert not follow_once(log, store)


def test_ticks_move_the_position(store: Stubborn) -> None:
    log = Log()
    log.add(entry(1, 1.0))
    follow_once(log, store)
    log.upto = 9
    follow_once(log, store)
    assert store.position() == 9


def test_duplicates_are_left_out(store: Stubborn) -> None:
    log = Log()
    log.add(entry(1, 1.0), entry(2, 1.0, disposition=Disposition.DUPLICATE))
    follow_once(log, store)
    assert values(store) == [1.0]


def test_late_samples_are_marked_and_stored_once(store: Stubborn) -> None:
    log = Log()
    log.add(entry(1, 1.0))
    late = entry(1, 1.0, 1.5, disposition=Disposition.LATE)
    log.entries.append(
        LogEntry(2, 1002, late.tag, late.time_ms, late.value, late.quality, late.disposition, late.recheck)
    )
    log.upto = 2
    follow_once(log, store)
    rows = store.samples(1, 0, ALWAYS, 10)
    assert rows.value.tolist() == [1.0, 1.5]
    assert rows.late.tolist() == [False, True]
    assert store.duplicates() == 1


def test_much_is_brought_in_several_batches(store: Stubborn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_SAMPLES", 10)
    log = Log()
    log.add(*(entry(position, *range(3)) for position in range(1, 9)))
    assert follow_once(log, store)
    assert 0 < store.position() < 8
    while follow_once(log, store):
        pass
    assert store.position() == 8
    assert len(values(store)) == 24


class Running:
    """A follower in its thread."""

    def __init__(self, log: Log, store: HistoryStore) -> None:
        self.board = Board()
        self.follower = Follower(log, store, self.board)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self.follower.run, args=(self._stop,), name="history")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self.follower.wake()
        self._thread.join(2.0)
        assert not self._thread.is_alive()


def test_the_thread_follows_when_woken_and_shows_how_far_it_is(store: Stubborn) -> None:
    log = Log()
    with Running(log, store) as running:
        log.add(entry(1, 1.0))
        running.follower.wake()
        eventually(lambda: running.board.health.history_position == 1)
        assert running.board.health.history_ok
    assert values(store) == [1.0]


def test_a_store_that_cannot_write_is_shown_and_caught_up_with_later(
    store: Stubborn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_RETRY_FIRST_S", 0.01)
    log = Log()
    store.full = True
    log.add(entry(1, 1.0), entry(2, 2.0))
    with Running(log, store) as running:
        eventually(lambda: not running.board.health.history_ok)
        assert running.board.health.history_error == "no space left"
        assert running.board.health.history_position == 0
        store.full = False
        eventually(lambda: running.board.health.history_position == 2)
        assert running.board.health.history_ok
        assert running.board.health.history_error == ""
    assert values(store) == [1.0, 2.0]


def test_a_log_that_cannot_be_read_is_shown_and_tried_again(store: Stubborn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_RETRY_FIRST_S", 0.01)
    log = Log(broken=True)
    with Running(log, store) as running:
        eventually(lambda: running.board.health.history_error == "the log is broken")
        log.add(entry(1, 1.0))
        log.broken = False
        eventually(lambda: running.board.health.history_position == 1)


def test_many_wake_ups_make_few_transactions(store: Stubborn) -> None:
    log = Log()
    with Running(log, store) as running:
        for position in range(1, 51):
            log.add(entry(position, float(position)))
            running.follower.wake()
        eventually(lambda: store.position() == 50)
    assert log.reads < 25
    assert len(values(store)) == 50


def test_a_history_of_another_log_is_refused_and_nothing_is_trimmed(store: Stubborn) -> None:
    store.append(_nothing(), 500)
    log = Log()
    log.add(entry(1, 1.0), entry(20, 2.0))
    with Running(log, store) as running:
        running.board.report(replayed=True, log_position=20)
        eventually(lambda: not running.board.health.history_ok)
        assert "records only reach 20" in running.board.health.history_error
        assert running.follower.position() == 0
        running.board.report(log_position=600)
        assert running.follower.position() == 0
    assert values(store) == []


def test_the_log_may_be_trimmed_up_to_what_was_taken(store: Stubborn) -> None:
    log = Log()
    log.add(entry(1, 1.0), entry(20, 2.0))
    with Running(log, store) as running:
        running.board.report(replayed=True, log_position=20)
        eventually(lambda: running.follower.position() == 20)


def test_what_was_logged_last_is_taken_after_the_end(store: Stubborn) -> None:
    log = Log()
    log.add(entry(1, 1.0))
    with Running(log, store) as running:
        eventually(lambda: store.position() == 1)
    log.add(entry(2, 2.0))
    running.follower.finish()
    assert values(store) == [1.0, 2.0]
    store.full = True
    log.add(entry(3, 3.0))
    running.follower.finish()
    assert store.position() == 2, "what could not be taken is left for the next start"


def _nothing() -> HistoryBatch:
    empty = entry(1)
    return HistoryBatch(
        empty.tag, empty.time_ms, empty.time_ms, empty.value, empty.quality, empty.recheck, empty.recheck
    )
