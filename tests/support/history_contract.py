"""What every history does, whichever store keeps it; the test class of a store inherits `HistoryContract`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from config.contract.quality import Quality, Reason, pack
from gateway.history.port import HistoryBatch, HistoryReader, HistoryRows, HistoryWriter
from tests.support.history import many

__all__ = ["ALWAYS", "BAD", "UNCERTAIN", "HistoryContract", "Kept", "batch", "everything"]

ALWAYS = 1 << 62
BAD = pack(Quality.BAD, Reason.NOT_FINITE)
UNCERTAIN = pack(Quality.UNCERTAIN, Reason.DEVICE)


@dataclass(frozen=True, slots=True)
class Kept:
    """A history under test."""

    writer: HistoryWriter
    reader: HistoryReader


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


def everything(reader: HistoryReader, tag: int = 1) -> HistoryRows:
    return reader.samples(tag, -ALWAYS, ALWAYS, 1_000_000)


class HistoryContract:
    """Tests that ask for a fixture ``kept``; tags 0 to 9 exist."""

    def test_what_is_appended_can_be_read(self, kept: Kept) -> None:
        kept.writer.append(batch((1, 1000, 3.5), (2, 1000, 7.0), received_ms=1020, quality=UNCERTAIN, late=True), 1)
        rows = everything(kept.reader)
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

    def test_a_sample_without_a_number_is_stored_as_such(self, kept: Kept) -> None:
        kept.writer.append(batch((1, 1, 1.0), (1, 2, np.nan), (1, 3, 3.0), quality=BAD), 1)
        np.testing.assert_array_equal(everything(kept.reader).value, [1.0, np.nan, 3.0])

    def test_a_span_includes_its_beginning_and_not_its_end(self, kept: Kept) -> None:
        kept.writer.append(batch((1, 10, 1.0), (1, 20, 2.0), (1, 30, 3.0)), 1)
        assert kept.reader.samples(1, 10, 30, 100).value.tolist() == [1.0, 2.0]

    def test_an_unknown_tag_or_an_empty_span_has_no_rows(self, kept: Kept) -> None:
        kept.writer.append(batch((1, 10, 1.0)), 1)
        assert len(everything(kept.reader, tag=99).time_ms) == 0
        assert len(kept.reader.samples(1, 20, 20, 10).time_ms) == 0
        assert len(kept.reader.min_max(99, 0, 100, 10).start_ms) == 0
        assert len(kept.reader.min_max(1, 50, 50, 10).start_ms) == 0

    def test_an_empty_batch_moves_the_position_only(self, kept: Kept) -> None:
        assert kept.writer.append(batch(), 7) == 0
        assert kept.writer.position() == 7

    def test_a_position_that_does_not_rise_is_refused(self, kept: Kept) -> None:
        kept.writer.append(batch((1, 10, 1.0)), 5)
        with pytest.raises(ValueError, match="up to 5 already"):
            kept.writer.append(batch((1, 20, 1.0)), 5)
        assert everything(kept.reader).time_ms.tolist() == [10]

    def test_buckets_hold_extremes_ends_and_counts(self, kept: Kept) -> None:
        kept.writer.append(batch((1, 100, 5.0), (1, 105, 9.0), (1, 109, 1.0), (1, 130, 4.0), (2, 101, 99.0)), 1)
        rows = kept.reader.min_max(1, 100, 140, 4)
        assert rows.start_ms.tolist() == [100, 130]
        assert rows.minimum.tolist() == [1.0, 4.0]
        assert rows.maximum.tolist() == [9.0, 4.0]
        assert rows.first.tolist() == [5.0, 4.0]
        assert rows.last.tolist() == [1.0, 4.0]
        assert rows.count.tolist() == [3, 1]

    def test_bad_and_missing_values_count_but_do_not_shape_a_bucket(self, kept: Kept) -> None:
        kept.writer.append(batch((1, 0, 1000.0), (1, 1, np.nan), quality=BAD), 1)
        kept.writer.append(batch((1, 2, 2.0), quality=UNCERTAIN), 2)
        kept.writer.append(batch((1, 3, 3.0)), 3)
        kept.writer.append(batch((1, 50, np.nan), quality=BAD), 4)
        rows = kept.reader.min_max(1, 0, 100, 2)
        np.testing.assert_array_equal(rows.maximum, [3.0, np.nan])
        np.testing.assert_array_equal(rows.first, [2.0, np.nan])
        assert rows.count.tolist() == [4, 1]
        assert rows.quality.tolist() == [BAD, BAD]
        assert rows.quality.dtype == np.uint8

    def test_a_bucket_shows_the_reason_of_its_worst_sample(self, kept: Kept) -> None:
        kept.writer.append(batch((1, 0, 1.0)), 1)
        kept.writer.append(batch((1, 1, 1.0), quality=UNCERTAIN), 2)
        assert kept.reader.min_max(1, 0, 10, 1).quality.tolist() == [UNCERTAIN]

    def test_a_span_that_does_not_divide_has_no_more_buckets_than_asked(self, kept: Kept) -> None:
        kept.writer.append(many(0, 10_000), 1)
        rows = kept.reader.min_max(0, 0, 999_001, 7)
        assert len(rows.start_ms) == 7
        assert int(rows.count.sum()) == 1000

    def test_more_buckets_than_milliseconds_are_one_each(self, kept: Kept) -> None:
        kept.writer.append(batch((1, 0, 1.0), (1, 1, 2.0)), 1)
        assert kept.reader.min_max(1, 0, 2, 500).start_ms.tolist() == [0, 1]

    def test_the_same_samples_again_are_there_once(self, kept: Kept) -> None:
        kept.writer.append(batch((1, 10, 1.0), (1, 20, 2.0)), 1)
        kept.writer.append(batch((1, 10, 1.0), (1, 20, 2.0), (1, 30, 3.0), recheck=True), 2)
        assert everything(kept.reader).time_ms.tolist() == [10, 20, 30]

    def test_a_stretch_is_the_samples_of_a_span_as_columns(self, kept: Kept) -> None:
        kept.writer.append(batch((1, 10, 1.0), (2, 15, 9.0), (1, 20, np.nan), quality=BAD), 1)
        kept.writer.append(batch((1, 30, 3.0)), 2)
        stretch = kept.reader.stretch(1, 10, 30)
        assert stretch.time_ms.tolist() == [10, 20]
        np.testing.assert_array_equal(stretch.value, [1.0, np.nan])
        assert stretch.quality.tolist() == [BAD, BAD]
        assert kept.writer.needless() <= kept.writer.position() == 2

    def test_outlines_are_the_extremes_of_the_same_buckets(self, kept: Kept) -> None:
        kept.writer.append(batch((1, 100, 5.0), (1, 105, 9.0), (2, 101, 99.0), (3, 103, 1.0), (1, 130, 4.0)), 1)
        kept.writer.append(batch((1, 121, 800.0), (4, 110, np.nan), quality=BAD), 2)
        found = kept.reader.outlines((1, 3, 4, 99), 100, 140, 4)
        assert sorted(found) == [1, 3], "the others have nothing to show"
        for tag, outline in found.items():
            rows = kept.reader.min_max(tag, 100, 140, 4)
            shaped = np.isfinite(rows.minimum)
            assert outline.start_ms.tolist() == rows.start_ms[shaped].tolist()
            assert outline.minimum.tolist() == rows.minimum[shaped].tolist()
            assert outline.maximum.tolist() == rows.maximum[shaped].tolist()

    def test_outlines_of_nothing_are_nothing(self, kept: Kept) -> None:
        kept.writer.append(batch((1, 10, 1.0)), 1)
        assert kept.reader.outlines((), 0, 100, 10) == {}
        assert kept.reader.outlines((1,), 50, 50, 10) == {}
        assert kept.reader.outlines((99,), 0, 100, 10) == {}
