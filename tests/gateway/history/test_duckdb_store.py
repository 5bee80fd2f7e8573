"""The history file: every log row exactly once, whatever is killed or full, and quick to read by tag."""

from __future__ import annotations

import multiprocessing
import os
import random
import subprocess
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

from config.contract.quality import Quality, Reason, pack
from gateway.errors import HistoryError
from gateway.history import duckdb_store
from gateway.history.duckdb_store import HistoryStore, count_rows
from gateway.history.port import HistoryBatch, HistoryRows
from tests.support.history import TAGS, append_for_ever, many, size

ALWAYS = 1 << 62
BAD = pack(Quality.BAD, Reason.NOT_FINITE)
UNCERTAIN = pack(Quality.UNCERTAIN, Reason.DEVICE)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.duckdb"


@pytest.fixture
def store(path: Path) -> Iterator[HistoryStore]:
    opened = HistoryStore(path)
    yield opened
    opened.close()


def batch(
    *samples: tuple[int, int, float], received_ms: int = 0, quality: int = 0, late: bool = False, recheck: bool = False
) -> HistoryBatch:
    """Samples given as (tag, time, value)."""
    count = len(samples)
    return HistoryBatch(
        tag_id=np.array([tag for tag, _, _ in samples], np.int32),
        time_ms=np.array([time_ms for _, time_ms, _ in samples], np.int64),
        received_ms=np.full(count, received_ms, np.int64),
        value=np.array([value for _, _, value in samples], np.float64),
        quality=np.full(count, quality, np.uint8),
        late=np.full(count, late, np.bool_),
        recheck=np.full(count, recheck, np.bool_),
    )


def everything(store: HistoryStore, tag: int = 1) -> HistoryRows:
    return store.samples(tag, -ALWAYS, ALWAYS, 1_000_000)


def test_what_is_appended_can_be_read(store: HistoryStore) -> None:
    store.append(batch((1, 1000, 3.5), (2, 1000, 7.0), received_ms=1020, quality=UNCERTAIN, late=True), 1)
    rows = everything(store)
    assert rows.time_ms.tolist() == [1000]
    assert rows.received_ms.tolist() == [1020]
    assert rows.value.tolist() == [3.5]
    assert rows.quality.tolist() == [UNCERTAIN]
    assert rows.late.tolist() == [True]
    assert [column.dtype for column in (rows.time_ms, rows.value, rows.quality, rows.late)] == [
        np.dtype(np.int64),
        np.dtype(np.float64),
        np.dtype(np.uint8),
        np.dtype(np.bool_),
    ]


def test_a_sample_without_a_number_is_stored_as_such(store: HistoryStore) -> None:
    store.append(batch((1, 1, 1.0), (1, 2, np.nan), (1, 3, 3.0), quality=BAD), 1)
    np.testing.assert_array_equal(everything(store).value, [1.0, np.nan, 3.0])


def test_a_span_includes_its_beginning_and_not_its_end(store: HistoryStore) -> None:
    store.append(batch((1, 10, 1.0), (1, 20, 2.0), (1, 30, 3.0)), 1)
    assert store.samples(1, 10, 30, 100).value.tolist() == [1.0, 2.0]


def test_rows_come_in_the_order_of_time_then_arrival_up_to_the_limit(store: HistoryStore) -> None:
    store.append(batch((1, 20, 2.0), received_ms=21), 1)
    store.append(batch((1, 20, 2.5), (1, 10, 1.0), received_ms=22), 2)
    assert everything(store).value.tolist() == [1.0, 2.0, 2.5]
    assert store.samples(1, 0, 100, 2).value.tolist() == [1.0, 2.0]


def test_an_unknown_tag_or_an_empty_span_has_no_rows(store: HistoryStore) -> None:
    store.append(batch((1, 10, 1.0)), 1)
    assert len(everything(store, tag=99).time_ms) == 0
    assert len(store.samples(1, 20, 20, 10).time_ms) == 0
    assert len(store.min_max(99, 0, 100, 10).start_ms) == 0
    assert len(store.min_max(1, 50, 50, 10).start_ms) == 0


def test_an_empty_batch_moves_the_position_only(store: HistoryStore) -> None:
    assert store.append(batch(), 7) == 0
    assert store.position() == 7


def test_position_and_rows_outlive_a_close(store: HistoryStore, path: Path) -> None:
    store.append(batch((1, 10, 1.0)), 41)
    store.append(batch((1, 20, 2.0)), 42)
    store.close()
    again = HistoryStore(path)
    assert again.position() == 42
    assert everything(again).value.tolist() == [1.0, 2.0]
    again.close()
    assert count_rows(path) == 2


def test_a_position_that_does_not_rise_is_refused(store: HistoryStore) -> None:
    store.append(batch((1, 10, 1.0)), 5)
    with pytest.raises(ValueError, match="up to 5 already"):
        store.append(batch((1, 20, 1.0)), 5)
    assert everything(store).time_ms.tolist() == [10]


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


def test_buckets_hold_extremes_ends_and_counts(store: HistoryStore) -> None:
    store.append(batch((1, 100, 5.0), (1, 105, 9.0), (1, 109, 1.0), (1, 130, 4.0), (2, 101, 99.0)), 1)
    rows = store.min_max(1, 100, 140, 4)
    assert rows.start_ms.tolist() == [100, 130]
    assert rows.minimum.tolist() == [1.0, 4.0]
    assert rows.maximum.tolist() == [9.0, 4.0]
    assert rows.first.tolist() == [5.0, 4.0]
    assert rows.last.tolist() == [1.0, 4.0]
    assert rows.count.tolist() == [3, 1]


def test_bad_and_missing_values_count_but_do_not_shape_a_bucket(store: HistoryStore) -> None:
    store.append(batch((1, 0, 1000.0), (1, 1, np.nan), quality=BAD), 1)
    store.append(batch((1, 2, 2.0), quality=UNCERTAIN), 2)
    store.append(batch((1, 3, 3.0)), 3)
    store.append(batch((1, 50, np.nan), quality=BAD), 4)
    rows = store.min_max(1, 0, 100, 2)
    np.testing.assert_array_equal(rows.maximum, [3.0, np.nan])
    np.testing.assert_array_equal(rows.first, [2.0, np.nan])
    assert rows.count.tolist() == [4, 1]
    assert rows.quality.tolist() == [BAD, BAD]
    assert rows.quality.dtype == np.uint8


def test_a_bucket_shows_the_reason_of_its_worst_sample(store: HistoryStore) -> None:
    store.append(batch((1, 0, 1.0)), 1)
    store.append(batch((1, 1, 1.0), quality=UNCERTAIN), 2)
    assert store.min_max(1, 0, 10, 1).quality.tolist() == [UNCERTAIN]


def test_a_span_that_does_not_divide_has_no_more_buckets_than_asked(store: HistoryStore) -> None:
    store.append(many(0, 10_000), 1)
    rows = store.min_max(0, 0, 999_001, 7)
    assert len(rows.start_ms) == 7
    assert int(rows.count.sum()) == 1000


def test_more_buckets_than_milliseconds_are_one_each(store: HistoryStore) -> None:
    store.append(batch((1, 0, 1.0), (1, 1, 2.0)), 1)
    assert store.min_max(1, 0, 2, 500).start_ms.tolist() == [0, 1]


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
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", disk], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no tmpfs here: {mounted.stderr.decode().strip()}")
    yield disk
    subprocess.run(["umount", disk], check=True)


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
