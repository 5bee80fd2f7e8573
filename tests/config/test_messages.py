from __future__ import annotations

import pytest

from config.contract.messages import EdgeStatus, Kept, Point, Refusal, decode, decode_point, encode
from config.contract.quality import REASON_NAMES, Quality, Reason, pack, reason_of, severity_of
from config.errors import ContractError


@pytest.mark.parametrize(
    ("payload", "point"),
    [
        (b"12.5", Point(12.5)),
        (b"-3", Point(-3)),
        (b" 1e3 ", Point(1000)),
        (b"null", Point(None)),
        (b'{"value": 1.5, "time": 1763770000000, "quality": 1}', Point(1.5, 1763770000000, 1)),
        (b'{"value": null}', Point(None)),
    ],
)
def test_a_plain_sensor_may_send_a_number_or_an_object(payload: bytes, point: Point) -> None:
    assert decode_point(payload) == point


@pytest.mark.parametrize(
    "payload",
    [b"", b"NaN", b"abc", b'"1"', b"[1]", b"{}", b'{"value": 1, "x": 2}', b'{"value": 1, "time": -1}', b"\xff"],
)
def test_anything_else_is_no_point(payload: bytes) -> None:
    with pytest.raises(ContractError, match="not a point"):
        decode_point(payload)


@pytest.mark.parametrize(
    "message",
    [
        Kept("9f3c0a1b", 5, (Refusal(3, "bad_tag"),)),
        Kept("9f3c0a1b", 0),
        EdgeStatus(online=False),
        EdgeStatus(online=True, at_ms=1, epoch="9f3c0a1b", made_samples=7, unreadable={"not_json": 2}),
    ],
)
def test_messages_come_back_as_they_went(message: Kept | EdgeStatus) -> None:
    assert decode(encode(message), type(message)) == message


def test_a_will_is_short() -> None:
    assert encode(EdgeStatus(online=False)) == b'{"online":false}'


def test_a_message_of_another_kind_is_refused() -> None:
    with pytest.raises(ContractError, match="not a Kept"):
        decode(encode(EdgeStatus(online=True)), Kept)


@pytest.mark.parametrize("severity", Quality)
@pytest.mark.parametrize("reason", Reason)
def test_quality_and_reason_share_a_byte(severity: Quality, reason: Reason) -> None:
    packed = pack(severity, reason)
    assert 0 <= packed <= 255
    assert (severity_of(packed), reason_of(packed)) == (severity, reason)


def test_every_reason_has_a_spelling_on_the_wire() -> None:
    assert {REASON_NAMES[reason.name.lower()] for reason in Reason} == set(Reason)
