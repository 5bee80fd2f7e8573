"""Rows of the log hold samples bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from alerting.batch import Batch
from gateway.errors import RecordsError
from gateway.records.log import decode_samples, encode_samples


@settings(max_examples=50, deadline=None)
@given(st.data(), st.integers(0, 50))
def test_samples_survive_bit_for_bit(data: st.DataObject, count: int) -> None:
    batch = Batch(
        tag=data.draw(arrays.arrays(np.int32, count)),
        time_ms=data.draw(arrays.arrays(np.int64, count)),
        value=data.draw(arrays.arrays(np.float64, count)),
        quality=data.draw(arrays.arrays(np.uint8, count)),
    )
    disposition = data.draw(arrays.arrays(np.uint8, count))
    again, what_became = decode_samples(encode_samples(batch, disposition))
    for name in ("tag", "time_ms", "value", "quality"):
        before, after = getattr(batch, name), getattr(again, name)
        assert after.dtype == before.dtype
        assert after.tobytes() == before.tobytes(), name
    assert what_became.tobytes() == disposition.tobytes()


def test_slices_and_reversed_arrays_are_written_in_their_order() -> None:
    column = np.arange(10)
    batch = Batch(
        column.astype(np.int32)[::-2], column.astype(np.int64)[::2], column.astype(float)[5:], np.zeros(5, np.uint8)
    )
    again, _ = decode_samples(encode_samples(batch, np.zeros(5, np.uint8)))
    assert again.tag.tolist() == [9, 7, 5, 3, 1]
    assert again.time_ms.tolist() == [0, 2, 4, 6, 8]
    assert again.value.tolist() == [5.0, 6.0, 7.0, 8.0, 9.0]


@pytest.mark.parametrize("cut", [1, 21, 23])
def test_a_row_of_the_wrong_length_is_refused(cut: int) -> None:
    batch = Batch(np.zeros(3, np.int32), np.zeros(3, np.int64), np.zeros(3), np.zeros(3, np.uint8))
    payload = encode_samples(batch, np.zeros(3, np.uint8))
    assert len(payload) == 66
    with pytest.raises(RecordsError, match="damaged"):
        decode_samples(payload[:-cut])
