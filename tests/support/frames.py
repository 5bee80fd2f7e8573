"""Frames and messages for tests, valid and broken in every way that was ever thought of."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from config.contract.frame import Frame, encode_frame
from config.contract.quality import REASON_NAMES
from config.contract.topics import Kind, edge_topic
from gateway.ingest.transport import Message

__all__ = ["EPOCH", "broken_payloads", "frame", "frame_json", "message", "payloads", "telemetry"]

EPOCH = "0123456789abcdef"


def frame(seq: int = 1, *samples: tuple[str, int, float | None], epoch: str = EPOCH, **more: object) -> Frame:
    """Return a frame of good samples (tag, time_ms, value); by default one of ``T-1.TEMP``."""
    taken = samples or (("T-1.TEMP", 1_000 * seq, 20.0),)
    fields: dict[str, Any] = {
        "sent_ms": taken[-1][1],
        "tags": [tag for tag, _, _ in taken],
        "times_ms": [time_ms for _, time_ms, _ in taken],
        "values": [value for _, _, value in taken],
        "quality": [0] * len(taken),
        **more,
    }
    return Frame(1, epoch, seq, **fields)


def message(payload: bytes, topic: str = "", *, token: int = 1, generation: int = 1) -> Message:
    """Return a message; by default on the telemetry topic of ``edge-a`` of site ``mini``."""
    return Message(topic or edge_topic("mini", "edge-a", Kind.TELEMETRY), payload, token, generation)


def telemetry(one: Frame, *, site: str = "mini", edge: str = "edge-a", kind: Kind = Kind.TELEMETRY) -> Message:
    """Return a frame as a message."""
    return message(encode_frame(one), edge_topic(site, edge, kind))


def frame_json(**changes: object) -> bytes:
    """Return the JSON of a valid frame of one sample with some keys changed (``...`` takes one away)."""
    fields = {
        "schema": 1,
        "epoch": EPOCH,
        "seq": 1,
        "sent_ms": 1_000,
        "tags": ["T-1.TEMP"],
        "times_ms": [1_000],
        "values": [20.5],
        "quality": [0],
        **changes,
    }
    return json.dumps({key: value for key, value in fields.items() if value is not ...}).encode()


def _replaced(old: bytes, new: bytes) -> bytes:
    good = frame_json()
    assert old in good
    return good.replace(old, new, 1)


_DEEP = b"[" * 200_000 + b"]" * 200_000

broken_payloads: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "not_json"),
    "words": (lambda: b"hello", "not_json"),
    "binary": (lambda: bytes(range(256)), "not_json"),
    "a number": (lambda: b"12.5", "bad_shape"),
    "an array": (lambda: b"[1, 2]", "bad_shape"),
    "truncated in the middle": (lambda: frame_json()[:100], "not_json"),
    "truncated by one byte": (lambda: frame_json()[:-1], "not_json"),
    "something behind it": (lambda: frame_json() + b"x", "not_json"),
    "50 MB of one tag": (lambda: _replaced(b"T-1.TEMP", b"A" * 50_000_000), "too_large"),
    "50 MB of samples": (lambda: _replaced(b"[20.5]", b"[" + b"20.5," * 10_000_000 + b"1]"), "too_large"),
    "no samples": (lambda: frame_json(tags=[], times_ms=[], values=[], quality=[]), "bad_length"),
    "10 001 samples": (
        lambda: frame_json(
            tags=["A"] * 10_001, times_ms=list(range(10_001)), values=[0.0] * 10_001, quality=[0] * 10_001
        ),
        "bad_length",
    ),
    "a tag too many": (lambda: frame_json(tags=["T-1.TEMP", "T-1.LEVEL"]), "bad_length"),
    "a time too many": (lambda: frame_json(times_ms=[1, 2]), "bad_length"),
    "a value too few": (lambda: frame_json(values=[]), "bad_length"),
    "a quality too many": (lambda: frame_json(quality=[0, 0]), "bad_length"),
    "NaN": (lambda: _replaced(b"20.5", b"NaN"), "not_finite"),
    "Infinity": (lambda: _replaced(b"20.5", b"Infinity"), "not_finite"),
    "-Infinity": (lambda: _replaced(b"20.5", b"-Infinity"), "not_finite"),
    "1e999": (lambda: _replaced(b"20.5", b"1e999"), "bad_shape"),
    "a number of 400 digits": (lambda: _replaced(b"20.5", b"9" * 400), "bad_shape"),
    "a negative time": (lambda: frame_json(times_ms=[-1]), "bad_shape"),
    "a time in the year 9999": (lambda: frame_json(times_ms=[253_402_300_799_000]), "bad_shape"),
    "a time of 2**64": (lambda: frame_json(times_ms=[1 << 64]), "bad_shape"),
    "a time of a fraction": (lambda: frame_json(times_ms=[1.5]), "bad_shape"),
    "true for a value": (lambda: frame_json(values=[True]), "bad_shape"),
    "a string for a value": (lambda: frame_json(values=["20.5"]), "bad_shape"),
    "true for a quality": (lambda: frame_json(quality=[True]), "bad_shape"),
    "quality 3": (lambda: frame_json(quality=[3]), "bad_shape"),
    "no quality": (lambda: frame_json(quality=...), "bad_shape"),
    "an unknown key": (lambda: frame_json(colour="red"), "bad_shape"),
    "schema 2": (lambda: frame_json(schema=2), "bad_shape"),
    "seq 0": (lambda: frame_json(seq=0), "bad_shape"),
    "seq beyond 2**53": (lambda: frame_json(seq=1 << 53), "bad_shape"),
    "seq of a fraction": (lambda: frame_json(seq=1.5), "bad_shape"),
    "a string for seq": (lambda: frame_json(seq="1"), "bad_shape"),
    "an epoch of other letters": (lambda: frame_json(epoch="ZZZZZZZZ"), "bad_shape"),
    "shed samples beyond 2**63": (lambda: frame_json(oldest=True, shed_samples=1 << 63), "bad_shape"),
    "a tag with a space": (lambda: frame_json(tags=["T 1"]), "bad_tag"),
    "an empty tag": (lambda: frame_json(tags=[""]), "bad_tag"),
    "a tag of 129 letters": (lambda: frame_json(tags=["A" * 129]), "bad_tag"),
    "a tag in Chinese": (lambda: frame_json(tags=["液位"]), "bad_tag"),
    "a tag that is not UTF-8": (lambda: _replaced(b"T-1.TEMP", b"T-1.\xff\xfe"), "not_json"),
    "a tag with half a surrogate": (lambda: _replaced(b"T-1.TEMP", b"\\ud800"), "not_json"),
    "a number for a tag": (lambda: frame_json(tags=[7]), "bad_shape"),
    "tags nested deep": (lambda: _replaced(b'["T-1.TEMP"]', _DEEP), "bad_shape"),
    "quality nested deep": (lambda: _replaced(b"[0]", _DEEP), "bad_shape"),
    "an object nested deep": (
        lambda: _replaced(b'["T-1.TEMP"]', b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
        "bad_shape",
    ),
    "an array nested deep": (lambda: _DEEP, "bad_shape"),
    "tags twice, the first wrong": (lambda: _replaced(b'"tags"', b'"tags": 5, "tags"'), "bad_shape"),
    "quality twice, the first wrong": (lambda: _replaced(b'"quality"', b'"quality": "x", "quality"'), "bad_shape"),
    "tags twice, once with an escape": (lambda: _replaced(b'"tags"', b'"t\\u0061gs": 5, "tags"'), "bad_shape"),
    "a reason beyond the frame": (lambda: frame_json(reasons={"1": "device"}), "bad_shape"),
    "a reason at a position of 5000 digits": (lambda: frame_json(reasons={"9" * 5_000: "device"}), "bad_shape"),
    "a reason at a position that is no number": (lambda: frame_json(reasons={"²": "device"}), "bad_shape"),
    "a reason nobody knows": (lambda: frame_json(reasons={"0": "tired"}), "bad_shape"),
}
"""What is wrong -> (the payload, the reason it is counted under)."""

_names = st.sampled_from(("T-1.TEMP", "T-1.LEVEL", "PLAIN.PRESS", "NOBODY", "!", "", "tags", "quality", "x" * 129))
_numbers = st.one_of(
    st.none(), st.floats(allow_nan=True, width=64), st.integers(-(1 << 70), 1 << 70), st.booleans(), st.text(max_size=2)
)
_times = st.one_of(st.integers(0, 1 << 47), st.integers(0, 3), st.integers(-(1 << 64), 1 << 64), st.floats())
_severities = st.one_of(st.integers(0, 2), st.integers(-1, 3), st.booleans(), st.floats(0, 2))
_rubbish = st.recursive(
    st.one_of(_numbers, st.text(max_size=5)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
_good_columns = st.lists(
    st.tuples(
        st.sampled_from(("T-1.TEMP", "T-1.LEVEL", "PLAIN.PRESS", "NOBODY")),
        st.integers(0, 1 << 47),
        st.none() | st.floats(allow_nan=False, allow_infinity=False),
        st.integers(0, 2),
    ),
    min_size=1,
    max_size=4,
)
_wrong: dict[str, st.SearchStrategy[Any]] = {
    "schema": st.sampled_from((0, 2, "1", None)),
    "epoch": st.text(max_size=10) | st.none(),
    "seq": _numbers,
    "sent_ms": _times,
    "tags": st.lists(_names, max_size=4),
    "times_ms": st.lists(_times, max_size=4),
    "values": st.lists(_numbers, max_size=4),
    "quality": st.lists(_severities, max_size=4),
    "reasons": st.dictionaries(st.sampled_from("01249"), st.sampled_from((*REASON_NAMES, "x")), max_size=3),
    "oldest": st.booleans() | st.none(),
    "shed_samples": st.integers(-1, 1 << 70),
    "other": _rubbish,
}


@st.composite
def _frames(draw: st.DrawFn) -> bytes:
    """A good frame, mostly with one or two things wrong."""
    columns = draw(_good_columns)
    names, times_ms, values, quality = (list(column) for column in zip(*columns, strict=True))
    fields: dict[str, Any] = {
        "schema": 1, "epoch": EPOCH, "seq": draw(st.integers(1, 9)), "sent_ms": 5,
        "tags": names, "times_ms": times_ms, "values": values, "quality": quality,
    }  # fmt: skip
    for key in draw(st.lists(st.sampled_from(tuple(_wrong)), max_size=2)):
        fields[key] = draw(_wrong[key] | _rubbish if draw(st.booleans()) else _wrong[key])
    items = [(key, json.dumps(value, ensure_ascii=draw(st.booleans()))) for key, value in fields.items()]
    if draw(st.integers(0, 4)) == 0:
        key = draw(st.sampled_from(tuple(_wrong)))
        items.insert(draw(st.integers(0, len(items))), (key, json.dumps(draw(_wrong[key] | _rubbish))))
    text = "{" + ",".join(f'"{key}":{value}' for key, value in items) + "}"
    return text.encode("utf-8", "surrogatepass")


@st.composite
def _mutated(draw: st.DrawFn) -> bytes:
    """A frame with a few bytes changed, cut out or put in."""
    payload = bytearray(draw(_frames()))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(payload)))
        until = min(len(payload), at + draw(st.integers(0, 4)))
        payload[at:until] = draw(st.binary(max_size=3) | st.sampled_from((b"[", b"]", b"\\", b'"', b",", b"0", b"NaN")))
    return bytes(payload)


payloads: st.SearchStrategy[bytes] = st.one_of(
    _frames(), _frames(), _mutated(), _rubbish.map(lambda one: json.dumps(one).encode()), st.binary(max_size=50)
)
"""Anything that may arrive on a telemetry topic."""
