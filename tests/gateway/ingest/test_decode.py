"""Reading many messages at once agrees with the strict reading of one, whatever the payload."""

from __future__ import annotations

import math
from collections.abc import Callable

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings

from config.contract.frame import Frame, decode_frame, encode_frame
from config.contract.messages import EdgeStatus, encode
from config.contract.quality import REASON_NAMES, Quality, Reason, pack
from config.contract.topics import Kind, edge_topic, point_topic
from config.errors import FrameError
from gateway.ingest import decode
from gateway.ingest.decode import NO_EDGE, Decoder, FrameIn, Item, PointIn, Refused, StatusIn
from gateway.ingest.transport import Message
from gateway.tags import Rows
from tests.support.frames import EPOCH, broken_payloads, frame, frame_json, message, payloads, telemetry
from tests.support.plants import mini_plant

PLANT = mini_plant()
ROWS = Rows(tuple(PLANT.tags), PLANT)
TAGS = list(PLANT.tags)
STATUS = edge_topic("mini", "edge-a", Kind.STATUS)
POINT = point_topic("mini", "edge-b", "PLAIN.PRESS")


def fresh() -> Decoder:
    return Decoder("mini", ROWS)


def read(payload: bytes, topic: str = "") -> Item:
    (item,) = fresh().read([message(payload, topic)])
    return item


def refused(payload: bytes, topic: str = "") -> Refused:
    item = read(payload, topic)
    assert isinstance(item, Refused)
    return item


def point(payload: bytes) -> PointIn:
    item = read(payload, POINT)
    assert isinstance(item, PointIn)
    return item


def assert_same(item: Item, expected: Frame) -> None:
    assert isinstance(item, FrameIn)
    assert (item.epoch, item.seq, item.oldest, item.shed_samples) == (
        expected.epoch, expected.seq, expected.oldest, expected.shed_samples,
    )  # fmt: skip
    assert item.times_ms == expected.times_ms
    assert item.values == expected.values
    mine = [tag in PLANT.tags and PLANT.tags[tag].edge == "edge-a" for tag in expected.tags]
    rows = [TAGS.index(tag) if ours else -1 for tag, ours in zip(expected.tags, mine, strict=True)]
    assert item.rows.tolist() == rows
    not_mine = [tag for tag, ours in zip(expected.tags, mine, strict=True) if not ours]
    assert item.rejected == tuple((tag, "foreign_tag" if tag in PLANT.tags else "unknown_tag") for tag in not_mine)
    severity = [Quality(number) for number in expected.quality]
    reasons = [REASON_NAMES[expected.reasons.get(str(at), "none")] for at in range(len(severity))]
    assert item.quality.tolist() == [pack(*both) for both in zip(severity, reasons, strict=True)]


CACHED = fresh()


@settings(max_examples=400, deadline=None)
@given(payloads)
def test_reading_in_bulk_is_reading_strictly(payload: bytes) -> None:
    try:
        expected: Frame | str = decode_frame(payload)
    except FrameError as error:
        expected = error.reason
    for decoder in (fresh(), CACHED, CACHED):
        (item,) = decoder.read([message(payload)])
        if isinstance(expected, str):
            assert isinstance(item, Refused)
            assert item.reason == expected
        else:
            assert_same(item, expected)


@pytest.mark.parametrize(("make", "reason"), broken_payloads.values(), ids=broken_payloads)
def test_a_broken_frame_is_refused_with_its_reason(make: Callable[[], bytes], reason: str) -> None:
    payload = make()
    good = telemetry(frame())
    before, item, after = fresh().read([good, message(payload), good])
    assert isinstance(item, Refused)
    assert (item.reason, item.edge, item.site) == (reason, "edge-a", "mini")
    assert item.detail
    assert isinstance(before, FrameIn)
    assert isinstance(after, FrameIn)
    with pytest.raises(FrameError) as strict:
        decode_frame(payload)
    assert strict.value.reason == reason


@pytest.mark.parametrize("value", [1e308, -1e308, 5e-324, 0.0, None])
def test_any_finite_number_and_null_are_values(value: float | None) -> None:
    item = read(frame_json(values=[value]))
    assert isinstance(item, FrameIn)
    assert item.values == [value]


def test_ten_thousand_samples_are_a_frame() -> None:
    many = frame(1, *(("T-1.TEMP", at, float(at)) for at in range(10_000)))
    item = read(encode_frame(many))
    assert isinstance(item, FrameIn)
    assert len(item.values) == 10_000


def test_the_latest_time_of_the_contract_is_accepted() -> None:
    item = read(frame_json(times_ms=[1 << 47]))
    assert isinstance(item, FrameIn)
    assert item.times_ms == [1 << 47]


def test_reasons_of_one_frame_do_not_leak_into_the_next() -> None:
    decoder = fresh()
    bad = frame(1, quality=[2], reasons={"0": "device"})
    plain = frame(2, quality=[2])
    with_reason, without = decoder.read([telemetry(bad), telemetry(plain)])
    assert isinstance(with_reason, FrameIn)
    assert isinstance(without, FrameIn)
    assert with_reason.quality.tolist() == [pack(Quality.BAD, Reason.DEVICE)]
    assert without.quality.tolist() == [pack(Quality.BAD)]


def test_a_tag_of_another_edge_is_rejected_by_itself() -> None:
    item = read(encode_frame(frame(1, ("T-1.TEMP", 1, 1.0), ("PLAIN.PRESS", 1, 1.0), ("NOBODY", 1, 1.0))))
    assert isinstance(item, FrameIn)
    assert item.rows.tolist() == [TAGS.index("T-1.TEMP"), -1, -1]
    assert item.rejected == (("PLAIN.PRESS", "foreign_tag"), ("NOBODY", "unknown_tag"))


def test_the_same_columns_are_looked_up_for_each_edge() -> None:
    payload = encode_frame(frame(1, ("T-1.TEMP", 1, 1.0), ("PLAIN.PRESS", 1, 1.0)))
    of_a, of_b = fresh().read([message(payload), message(payload, edge_topic("mini", "edge-b", Kind.TELEMETRY))])
    assert isinstance(of_a, FrameIn)
    assert isinstance(of_b, FrameIn)
    assert (of_a.rows >= 0).tolist() == [True, False]
    assert (of_b.rows >= 0).tolist() == [False, True]


@pytest.mark.parametrize(
    ("topic", "reason", "edge"),
    [
        ("hazard/v1/other/edge-a/telemetry", "foreign_site", NO_EDGE),
        ("hazard/v1/mini/edge-z/telemetry", "unknown_edge", NO_EDGE),
        ("hazard/v1/mini/EDGE/telemetry", "bad_topic", NO_EDGE),
        ("hazard/v1/mini/edge-a/nonsense", "bad_topic", NO_EDGE),
        ("hazard/v1/mini/edge-a/telemetry/T-1.TEMP", "bad_topic", NO_EDGE),
        ("hazard/v1/mini/edge-b/points", "bad_topic", NO_EDGE),
        ("hazard/v1/mini/edge-b/points/a b", "bad_topic", NO_EDGE),
        ("hazard/v1//edge-a/telemetry", "bad_topic", NO_EDGE),
        ("hazard/v2/mini/edge-a/telemetry", "bad_topic", NO_EDGE),
        ("", "bad_topic", NO_EDGE),
        ("hazard/v1/mini/edge-a/kept", "unexpected_kind", "edge-a"),
        ("hazard/v1/mini/edge-a/alarms", "bad_shape", "edge-a"),
        ("hazard/v1/mini/edge-a/points/T-1.TEMP", "unexpected_kind", "edge-a"),
        ("hazard/v1/mini/edge-b/points/NOBODY", "unknown_tag", "edge-b"),
        ("hazard/v1/mini/edge-b/points/T-1.TEMP", "foreign_tag", "edge-b"),
    ],
)
def test_a_message_on_a_wrong_topic_is_refused(topic: str, reason: str, edge: str) -> None:
    (item,) = fresh().read([Message(topic, frame_json(), 1, 1)])
    assert isinstance(item, Refused)
    assert (item.reason, item.edge) == (reason, edge)
    assert not item.epoch or item.edge != NO_EDGE


def test_a_topic_that_is_not_utf8_is_refused() -> None:
    (item,) = fresh().read([Message(r"hazard/v1/mini/edge-a/\xff", frame_json(), 1, 1, topic_ok=False)])
    assert isinstance(item, Refused)
    assert (item.reason, item.edge) == ("bad_topic", NO_EDGE)


def test_the_envelope_of_a_broken_frame_is_found() -> None:
    item = refused(frame_json(seq=4711, oldest=True, values=[True]).replace(b'"oldest": true', b'"oldest":true'))
    assert (item.epoch, item.seq, item.oldest) == (EPOCH, 4711, True)
    assert refused(frame_json(seq=4711)[:80]).seq == 4711


@pytest.mark.parametrize(
    "payload",
    [
        frame_json(seq=0),
        frame_json(seq=-3),
        frame_json(seq=12.5),
        frame_json(seq=1 << 53),
        frame_json(epoch="xyz"),
        frame_json(epoch="A" * 16),
        frame_json(seq=4711)[: frame_json(seq=4711).index(b"4711") + 2],
        b"rubbish",
    ],
)
def test_an_envelope_that_is_wrong_or_cut_off_is_not_believed(payload: bytes) -> None:
    item = refused(payload)
    assert (item.epoch, item.seq) == ("", 0)


@pytest.mark.parametrize(
    ("payload", "value", "time_ms", "quality"),
    [
        (b"12.5", 12.5, None, 0),
        (b"-3", -3.0, None, 0),
        (b"1e308", 1e308, None, 0),
        (b'{"value": 1.5, "time": 1000, "quality": 1}', 1.5, 1000, pack(Quality.UNCERTAIN, Reason.DEVICE)),
        (b'{"value": null}', None, None, 0),
        (b"null", None, None, 0),
    ],
)
def test_a_point_is_a_number_or_an_object(
    payload: bytes, value: float | None, time_ms: int | None, quality: int
) -> None:
    item = point(payload)
    assert (item.row, item.value, item.time_ms, item.quality) == (TAGS.index("PLAIN.PRESS"), value, time_ms, quality)


@pytest.mark.parametrize(
    "payload",
    [b"", b"twelve", b'"12"', b"true", b"NaN", b"Infinity", b"1e999", b"9" * 400, b'{"value": 1, "time": -1}',
     b'{"value": 1, "quality": 3}', b'{"value": 1, "x": 2}', b"[" * 30_000, b'{"x":' * 10_000, b"\xff"],
)  # fmt: skip
def test_a_point_nobody_can_read_is_a_bad_value_of_its_tag(payload: bytes) -> None:
    item = point(payload)
    assert (item.value, item.time_ms, item.quality) == (None, None, pack(Quality.BAD, Reason.UNREADABLE))


def test_an_oversized_point_is_refused() -> None:
    assert refused(b"1" * 100_000, POINT).reason == "too_large"


def test_a_status_is_read() -> None:
    item = read(encode(EdgeStatus(online=True, at_ms=5, epoch=EPOCH, faults=("outbox",))), STATUS)
    assert isinstance(item, StatusIn)
    assert item.edge == "edge-a"
    assert item.status == EdgeStatus(online=True, at_ms=5, epoch=EPOCH, faults=("outbox",))


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "bad_shape"),
        (b"[]", "bad_shape"),
        (b'{"online": 1}', "bad_shape"),
        (b'{"online": true, "made_samples": -1}', "bad_shape"),
        (b'{"online":true,"faults":' + b"[" * 60_000, "bad_shape"),
        (b'{"online":true,"software":"' + b"x" * 50_000_000 + b'"}', "too_large"),
    ],
)
def test_a_broken_status_is_refused(payload: bytes, reason: str) -> None:
    assert refused(payload, STATUS).reason == reason


def test_columns_that_never_repeat_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "_CACHE_BYTES", 100_000)
    decoder = fresh()
    for number in range(1_000):
        names = [f"X{number}.{at}" for at in range(10)]
        item = decoder.read([telemetry(frame(1, *((name, 1, 1.0) for name in names)))])[0]
        assert isinstance(item, FrameIn)
        assert [name for name, _ in item.rejected] == names
        assert decoder._tags._bytes <= 100_000
        assert len(decoder._tags._known) < 40
    decoder.read([message(frame_json(quality=[0] * 20_000))])
    assert all(len(quality) <= 10_000 for quality in decoder._quality._known.values())


def test_the_strict_reading_is_what_an_edge_writes() -> None:
    original = frame(7, ("T-1.TEMP", 5, math.pi), ("T-1.LEVEL", 6, None), quality=[0, 2], reasons={"1": "not_finite"})
    assert decode_frame(encode_frame(original)) == original
    assert msgspec.json.decode(encode_frame(original))["seq"] == 7


def test_rows_and_quality_are_arrays_of_the_alarm_core() -> None:
    item = read(encode_frame(frame()))
    assert isinstance(item, FrameIn)
    assert item.rows.dtype == np.int32
    assert item.quality.dtype == np.uint8
