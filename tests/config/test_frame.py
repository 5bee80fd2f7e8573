from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.contract.frame import MAX_FRAME_BYTES, MAX_SAMPLES, Frame, decode_frame, encode_frame
from config.contract.quality import REASON_NAMES
from config.errors import FrameError

GOOD: dict[str, Any] = {
    "schema": 1, "epoch": "9f3c0a1b", "seq": 4711, "sent_ms": 1763770000123,
    "tags": ["T101.LEVEL", "T101.TEMP"], "times_ms": [1763770000000, 1763770000000],
    "values": [12.31, None], "quality": [0, 2], "reasons": {"1": "not_finite"},
}  # fmt: skip

NAMES = st.text("ABCabc019._-", min_size=1, max_size=128)


@st.composite
def frames(draw: st.DrawFn) -> Frame:
    count = draw(st.integers(1, 20))
    times = st.integers(0, 1 << 47)
    values = st.none() | st.floats(allow_nan=False, allow_infinity=False)
    return Frame(
        schema=1,
        epoch=draw(st.text("0123456789abcdef", min_size=8, max_size=64)),
        seq=draw(st.integers(1, (1 << 53) - 1)),
        sent_ms=draw(times),
        tags=draw(st.lists(NAMES, min_size=count, max_size=count)),
        times_ms=draw(st.lists(times, min_size=count, max_size=count)),
        values=draw(st.lists(values, min_size=count, max_size=count)),
        quality=draw(st.lists(st.integers(0, 2), min_size=count, max_size=count)),
        reasons=draw(st.dictionaries(st.integers(0, count - 1).map(str), st.sampled_from(list(REASON_NAMES)))),
        oldest=draw(st.booleans()),
        shed_samples=draw(st.integers(0, 10**9)),
    )


@given(frames())
def test_a_frame_comes_back_as_it_went(frame: Frame) -> None:
    assert decode_frame(encode_frame(frame)) == frame


def test_the_frame_of_the_contract_is_read() -> None:
    frame = decode_frame(json.dumps(GOOD).encode())
    assert (frame.seq, frame.values, frame.reasons) == (4711, [12.31, None], {"1": "not_finite"})


def test_defaults_do_not_travel() -> None:
    plain = {key: value for key, value in GOOD.items() if key != "reasons"}
    assert msgspec.json.decode(encode_frame(decode_frame(json.dumps(plain).encode()))) == plain


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"schema": 2}, "bad_shape"),
        ({"epoch": "XYZ"}, "bad_shape"),
        ({"seq": 0}, "bad_shape"),
        ({"seq": 1 << 53}, "bad_shape"),
        ({"seq": "1"}, "bad_shape"),
        ({"sent_ms": -1}, "bad_shape"),
        ({"times_ms": [0, -1]}, "bad_shape"),
        ({"times_ms": [0, 1 << 60]}, "bad_shape"),
        ({"times_ms": [0, 1.5]}, "bad_shape"),
        ({"quality": [0, 3]}, "bad_shape"),
        ({"values": ["1", 2]}, "bad_shape"),
        ({"more": 1}, "bad_shape"),
        ({"values": [1]}, "bad_length"),
        ({"tags": [], "times_ms": [], "values": [], "quality": [], "reasons": {}}, "bad_length"),
        ({"tags": ["a", "b c"]}, "bad_tag"),
        ({"tags": ["a", "x" * 129]}, "bad_tag"),
        ({"tags": ["a", "液位"]}, "bad_tag"),
        ({"reasons": {"2": "device"}}, "bad_shape"),
        ({"reasons": {"-1": "device"}}, "bad_shape"),
        ({"reasons": {"٣": "device"}}, "bad_shape"),
        ({"reasons": {"0": "broken"}}, "bad_shape"),
    ],
)
def test_a_frame_that_breaks_a_rule_is_refused_with_its_reason(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(FrameError) as caught:
        decode_frame(json.dumps({**GOOD, **change}).encode())
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "not_json"),
        (b"{", "not_json"),
        (b"\xff\xfe", "not_json"),
        (json.dumps(GOOD).encode()[:-5], "not_json"),
        (json.dumps(GOOD).replace("12.31", "NaN").encode(), "not_finite"),
        (json.dumps(GOOD).replace("12.31", "-Infinity").encode(), "not_finite"),
        (b"[]", "bad_shape"),
        (b"null", "bad_shape"),
        (b" " * (MAX_FRAME_BYTES + 1), "too_large"),
    ],
)
def test_what_is_no_frame_is_refused_with_its_reason(payload: bytes, reason: str) -> None:
    with pytest.raises(FrameError) as caught:
        decode_frame(payload)
    assert caught.value.reason == reason


def test_too_many_samples_are_refused() -> None:
    count = MAX_SAMPLES + 1
    columns = {"tags": ["T"] * count, "times_ms": [0] * count, "values": [0.0] * count, "quality": [0] * count}
    with pytest.raises(FrameError, match="10001 samples, 1-10000 are allowed"):
        decode_frame(json.dumps({**GOOD, **columns, "reasons": {}}).encode())


def test_the_longest_allowed_frame_fits() -> None:
    count = MAX_SAMPLES
    frame = Frame(
        1, "9f3c0a1b", 1, 0, ["T" * 128] * count, [1 << 47] * count, [-1.2345678901234567e-300] * count, [2] * count
    )
    assert len(encode_frame(frame)) <= MAX_FRAME_BYTES
    assert decode_frame(encode_frame(frame)) == frame
