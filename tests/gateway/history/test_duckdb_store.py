"""The history file: every log row exactly once, whatever is killed or full, and quick to read by tag."""

from __future__ import annotations

import multiprocessing
import random
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import HistoryError
from gateway.history import duckdb_store
from gateway.history.duckdb_store import HistoryStore, count_rows
from tests.support import disks
from tests.support.history import TAGS, append_for_ever, many, size
from tests.support.history_contract import ALWAYS, HistoryContract, Kept, batch, everything


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.duckdb"


@pytest.fixture
def store(path: Path) -> Iterator[HistoryStore]:
    opened = HistoryStore(path)
    yield opened
    opened.close()


class TestDuckDb(HistoryContract):
    @pytest.fixture
    def kept(self, store: HistoryStore) -> Kept:
        return Kept(store, store)


def test_rows_come_in_the_order_of_time_then_arrival_up_to_the_limit(store: HistoryStore) -> None:
    store.append(batch((1, 20, 2.0), received_ms=21), 1)
    store.append(batch((1, 20, 2.5), (1, 10, 1.0), received_ms=22), 2)
    assert everything(store).value.tolist() == [1.0, 2.0, 2.5]
    assert store.samples(1, 0, 100, 2).value.tolist() == [1.0, 2.0]


def test_position_and_rows_outlive_a_close(store: HistoryStore, path: Path) -> None:
    store.append(batch((1, 10, 1.0)), 41)
    store.append(batch((1, 20, 2.0)), 42)
    store.close()
    again = HistoryStore(path)
    assert again.position() == 42
    assert everything(again).value.tolist() == [1.0, 2.0]
    again.close()
    assert count_rows(path) == 2


def test_samples_not_to_be_rechecked_are_stored_blindly(store: HistoryStore) -> None:
    store.append(batch((1, 10, 1.0)), 1)
    assert store.append(batch((1, 10, 1.0)), 2) == 0
    assert len(everything(store).time_ms) == 2


def test_a_rechecked_sample_is_stored_unless_it_is_there(store: HistoryStore) -> None:
    store.append(batch((1, 10, 1.0), (1, 20, np.nan), (2, 10, 5.0)), 1)
    again = batch((1, 10, 1.0), (1, 20, np.nan), (1, 10, 1.5), (1, 15, 1.0), (2, 20, 5.0), late=True, recheck=True)
    assert store.append(again, 2) == 2
    np.testing.assert_array_equal(everything(store).time_ms, [10, 10, 15, 20])
    assert everything(store, tag=2).time_ms.tolist() == [10, 20]
    assert store.duplicates() == 2


def test_rechecked_samples_that_repeat_within_a_batch_are_stored_once(store: HistoryStore) -> None:
    assert store.append(batch((1, 10, 1.0), (1, 10, 1.0), (1, 10, np.nan), (1, 10, np.nan), recheck=True), 1) == 2
    assert len(everything(store).time_ms) == 2


def test_a_rechecked_sample_is_compared_with_blindly_stored_ones_of_its_batch(store: HistoryStore) -> None:
    one = batch((1, 10, 1.0), (1, 10, 1.0))
    assert store.append(replace(one, recheck=np.array([False, True])), 1) == 1


Samples = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 4), st.sampled_from([0.0, 1.0, float("nan")]), st.booleans()),
    max_size=12,
)


@given(batches=st.lists(Samples, max_size=5))
@settings(max_examples=30, deadline=None)
def test_rechecking_equals_a_set_of_what_was_seen(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[tuple[int, int, float, bool]]]
) -> None:
    store = HistoryStore(tmp_path_factory.mktemp("twin") / "history.duckdb")
    kept: list[tuple[int, int, str]] = []
    dropped = 0
    for position, samples in enumerate(batches, start=1):
        given_batch = batch(*((tag, time_ms, value) for tag, time_ms, value, _ in samples))
        recheck = np.array([again for *_, again in samples], np.bool_)
        store.append(replace(given_batch, recheck=recheck), position)
        kept += [(tag, time_ms, str(value)) for tag, time_ms, value, again in samples if not again]
        for tag, time_ms, value, again in samples:
            if again and (tag, time_ms, str(value)) in kept:
                dropped += 1
            elif again:
                kept.append((tag, time_ms, str(value)))
    found = [
        (tag, time_ms, str(value))
        for tag in range(3)
        for rows in [everything(store, tag)]
        for time_ms, value in zip(rows.time_ms.tolist(), rows.value.tolist(), strict=True)
    ]
    assert sorted(found) == sorted(kept)
    assert store.duplicates() == dropped
    store.close()


def test_settling_changes_nothing_a_reader_sees(store: HistoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duckdb_store, "_RUN_ROWS", 1000)
    monkeypatch.setattr(duckdb_store, "_PIECE_ROWS", 300)
    for position in range(5):
        store.append(many(position * 450, 450), position + 1)
    before = [everything(store, tag) for tag in range(TAGS)]
    pieces = 0
    while store.settle():
        pieces += 1
        for tag, rows in enumerate(before):
            np.testing.assert_array_equal(everything(store, tag).value, rows.value)
    assert pieces == 2 * 4, "two runs; 300 of 1000 rows are three of the ten tags"
    assert store.append(replace(many(0, 10), recheck=np.ones(10, np.bool_)), 9) == 10


def test_a_settled_run_is_sorted_by_tag_and_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duckdb_store, "_RUN_ROWS", 1000)
    monkeypatch.setattr(duckdb_store, "_PIECE_ROWS", 300)
    path = tmp_path / "sorted.duckdb"
    with closing(HistoryStore(path)) as store:
        store.append(many(0, 1000), 1)
        assert store.settle()
        store.append(many(1000, 500), 2)  # what comes while a run moves belongs to the next
        while store.settle():
            pass
    with duckdb.connect(str(path), read_only=True) as connection:
        settled = connection.execute("SELECT tag_id, time_ms FROM settled").fetchall()
        (recent,) = connection.execute("SELECT count(*) FROM recent").fetchone() or (0,)
    assert (len(settled), recent) == (1000, 500)
    assert settled == sorted(settled)


def test_a_piece_that_cannot_be_moved_is_tried_again(store: HistoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duckdb_store, "_RUN_ROWS", 1000)
    store.append(many(0, 1000), 1)
    with monkeypatch.context() as broken:
        broken.setattr(duckdb_store, "_UNSETTLE", "DELETE FROM nowhere WHERE $upto_ms + $first_tag + $last_tag > 0")
        with pytest.raises(HistoryError, match="sorting a piece"):
            store.settle()
    assert len(everything(store, 0).value) == 100
    assert store.settle()
    assert len(everything(store, 0).value) == 100
    assert not store.settle()


def test_under_a_rush_settling_waits(store: HistoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duckdb_store, "_RUN_ROWS", 1000)
    monkeypatch.setattr(duckdb_store, "_RUSH_ROWS", 5000)
    monkeypatch.setattr(duckdb_store, "_RUSH_PER_S", 1)
    store.append(many(0, 2000), 1)
    assert not store.settle()
    store.append(many(2000, 3000), 2)
    assert store.settle()


HOUR_MS, DAY_MS = 3_600_000, 86_400_000


def aged(store: HistoryStore, days: int) -> None:
    """Store a sample an hour for some days, received as they were taken."""
    for hour in range(24 * days):
        at_ms = HOUR_MS * hour
        store.append(batch((1, at_ms, float(hour)), received_ms=at_ms), hour + 1)
        while store.settle():
            pass


def test_what_is_older_than_asked_for_is_deleted(path: Path) -> None:
    with closing(HistoryStore(path, keep_ms=2 * DAY_MS)) as store:
        aged(store, 5)
        times_ms = everything(store).time_ms
        assert times_ms[-1] == HOUR_MS * (24 * 5 - 1)
        assert times_ms[-1] - times_ms[0] <= 2 * DAY_MS + 2 * HOUR_MS
        assert len(times_ms) >= 48
        assert store.position() == 24 * 5


def test_when_there_is_too_much_the_oldest_days_go(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    used = 0
    monkeypatch.setattr(HistoryStore, "_used_bytes", staticmethod(lambda _connection: used))
    with closing(HistoryStore(path, max_bytes=1 << 24)) as store:
        aged(store, 3)
        assert everything(store).time_ms[0] == 0
        used = 1 << 25
        store.append(batch((1, 4 * DAY_MS, 1.0), received_ms=4 * DAY_MS), 1000)
        assert store.settle()
        assert everything(store).time_ms[0] == DAY_MS
        assert store.settle()
        used = 0
        assert not store.settle()
        assert everything(store).time_ms[0] == 2 * DAY_MS


def test_readers_in_other_threads_see_whole_batches_only(store: HistoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duckdb_store, "_RUN_ROWS", 5_000)
    stop = threading.Event()
    seen: list[int] = []
    wrong: list[object] = []

    def read() -> None:
        while not stop.is_set():
            try:
                count = int(store.min_max(0, 0, ALWAYS, 1).count.sum())
            except HistoryError as error:
                wrong.append(error)
                return
            if count % 100:
                wrong.append(count)
            seen.append(count)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for position in range(100):
        store.append(many(position * 1000, 1000), position + 1)
        store.settle()
    stop.set()
    for reader in readers:
        reader.join()
    assert wrong == []
    assert max(seen) > 0
    assert int(store.min_max(0, 0, ALWAYS, 1).count.sum()) == 10_000


def test_a_file_that_is_no_history_is_named(path: Path) -> None:
    path.write_bytes(b"this is not a database, but it is long enough to be read as one" * 200)
    with pytest.raises(HistoryError, match=r"history\.duckdb cannot be opened"):
        HistoryStore(path)
    with pytest.raises(HistoryError, match=r"history\.duckdb cannot be read"):
        count_rows(path)


def test_a_closed_store_says_that_it_cannot_be_read(path: Path) -> None:
    store = HistoryStore(path)
    store.close()
    with pytest.raises(HistoryError, match="cannot be read"):
        everything(store)


def test_position_and_rows_agree_after_every_kill(path: Path) -> None:
    chance = random.Random(4711)
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["tests.support.history"])
    reached = 0
    for _ in range(20):
        here, there = processes.Pipe(duplex=False)
        process = processes.Process(target=append_for_ever, args=(path, there))
        process.start()
        there.close()
        assert here.recv() == reached
        threading.Event().wait(chance.uniform(0.0, 0.3))  # a random moment is what the test is about
        process.kill()
        process.join()
        process.close()
        here.close()
        store = HistoryStore(path)
        assert store.position() >= reached
        reached = store.position()
        rows = sum(size(position) for position in range(1, reached + 1))
        values = np.sort(np.concatenate([everything(store, tag).value for tag in range(TAGS)]))
        store.close()
        np.testing.assert_array_equal(values, np.arange(rows))
    assert reached > 100


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with disks.small_disk(tmp_path / "disk", "12m") as disk:
        yield disk


def test_a_full_disk_stores_nothing_by_halves_and_goes_on_when_there_is_room(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(6_000_000))
    store = HistoryStore(small_disk / "history.duckdb")
    noise = np.random.default_rng(1)

    def append(position: int) -> None:
        store.append(replace(many(position * 20_000, 20_000), value=noise.normal(size=20_000)), position)

    def append_until_full() -> None:
        while True:
            append(store.position() + 1)

    def stored() -> int:
        return sum(len(everything(store, tag).time_ms) for tag in range(TAGS))

    with pytest.raises(HistoryError, match=r"history\.duckdb failed taking the log up to"):
        append_until_full()
    full_at = store.position()
    assert full_at > 0
    for _ in range(3):
        with pytest.raises(HistoryError):
            append(full_at + 1)
    assert store.position() == full_at
    assert stored() == full_at * 20_000
    ballast.unlink()
    append(full_at + 1)
    assert store.position() == full_at + 1
    assert stored() == (full_at + 1) * 20_000
    store.close()
