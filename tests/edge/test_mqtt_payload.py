"""Every form in which a sensor may publish, and every way in which it may be wrong."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.contract.quality import Quality, Reason
from config.plant.model import Source, SourceFormat, Tag
from edge.drivers.mqtt_payload import MAX_PAYLOAD_BYTES, PayloadReader
from edge.reading import Reading
from tests.support.plants import mini_plant

TAG = mini_plant().tags["T-1.LEVEL"]
NUMBER = Source("mqtt_sensor", "t", SourceFormat.NUMBER, (), (), (), False, 1.0, 0.0, "m", 1)  # noqa: FBT003 - the model's own order
JSON = replace(NUMBER, format=SourceFormat.JSON, path=("v",))
FULL = replace(JSON, time_path=("t",), quality_path=("q",))


def tag(source: Source, name: str = "A") -> Tag:
    return replace(TAG, name=name, source=source)


def read_one(source: Source, payload: bytes) -> tuple[Reading, list[str]]:
    taken = PayloadReader([tag(source)]).read(payload, again=False)
    assert len(taken.readings) == 1
    return taken.readings[0], taken.problems


@pytest.mark.parametrize(
    ("payload", "number"),
    [
        (b"12.5", 12.5),
        (b" -3 \r\n", -3.0),
        (b"+.5", 0.5),
        (b"7.", 7.0),
        (b"1e3", 1000.0),
        (b"-0.0", -0.0),
        (b"5e-324", 5e-324),
        (b"1e308", 1e308),
        (b"1e999", math.inf),
        (b"-inf", -math.inf),
        (b"9" * 400, math.inf),
    ],
)
def test_plain_numbers(payload: bytes, number: float) -> None:
    reading, problems = read_one(NUMBER, payload)
    assert reading == Reading("A", number, None)
    assert not problems


def test_a_plain_nan_is_handed_on_as_such() -> None:
    reading, problems = read_one(NUMBER, b"NaN")
    assert reading.number is not None
    assert math.isnan(reading.number)
    assert not problems


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"  ",
        b"hot",
        b"12,5",
        b"1_000",
        b"0x10",
        b"12.5 kPa",
        b"1 2",
        b"--1",
        b"e5",
        "١٢".encode(),
        b"\xff\xfe",
        b"true",
    ],
)
def test_what_is_no_plain_number_becomes_an_unreadable_reading(payload: bytes) -> None:
    reading, problems = read_one(NUMBER, payload)
    assert reading == Reading("A", None, None, Quality.BAD, Reason.UNREADABLE)
    assert problems == ["not_a_number"]


@pytest.mark.parametrize(
    ("path", "document", "number"),
    [
        ((), 4.5, 4.5),
        (("v",), {"v": 4}, 4.0),
        (("v",), {"v": "4.5"}, 4.5),
        (("a", "b", "c"), {"a": {"b": {"c": -1}}}, -1.0),
        (("a", "1", "v"), {"a": [{"v": 1}, {"v": 2}]}, 2.0),
        (("0",), [7], 7.0),
        (("0",), {"0": 7}, 7.0),
        (("",), {"": 7}, 7.0),
        (("v",), {"v": None}, None),
        (("v",), {"v": 10**30}, 1e30),
    ],
)
def test_json_with_a_path(path: tuple[str, ...], document: object, number: float | None) -> None:
    reading, problems = read_one(replace(JSON, path=path), json.dumps(document).encode())
    assert reading == Reading("A", number, None)
    assert not problems


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "not_json"),
        (b"{", "not_json"),
        (b'{"v": NaN}', "not_json"),
        (b'{"v": 1e999}', "not_json"),
        (b'{"v": "\xff"}', "not_json"),
        (b"[" * 100_000, "not_json"),
        (b'{"v": true}', "not_a_number"),
        (b'{"v": "hot"}', "not_a_number"),
        (b'{"v": [1]}', "not_a_number"),
        (b'{"v": {}}', "not_a_number"),
        (b"{}", "no_such_path"),
        (b"[1]", "no_such_path"),
        (b"3", "no_such_path"),
        (b" " * (MAX_PAYLOAD_BYTES + 1), "too_large"),
    ],
)
def test_json_that_holds_no_value(payload: bytes, reason: str) -> None:
    reading, problems = read_one(JSON, payload)
    assert reading == Reading("A", None, None, Quality.BAD, Reason.UNREADABLE)
    assert problems == [reason]


@pytest.mark.parametrize("step", ["-1", "01x", "2", "²", "1.0", ""])
def test_a_step_that_is_no_index_of_the_list_leads_nowhere(step: str) -> None:
    assert read_one(replace(JSON, path=(step,)), b"[10, 11]")[1] == ["no_such_path"]


@pytest.mark.parametrize(
    ("quality", "severity", "reason"),
    [(0, Quality.GOOD, Reason.NONE), (1, Quality.UNCERTAIN, Reason.DEVICE), (2, Quality.BAD, Reason.DEVICE)],
)
def test_time_and_quality_of_the_source(quality: int, severity: Quality, reason: Reason) -> None:
    reading, problems = read_one(FULL, json.dumps({"v": 1.5, "t": 1_700_000_000_123, "q": quality}).encode())
    assert reading == Reading("A", 1.5, 1_700_000_000_123, severity, reason)
    assert not problems


@pytest.mark.parametrize("quality", [3, -1, "0", True, None, 0.5, [], "good"])
def test_a_quality_that_is_none_makes_the_value_uncertain(quality: object) -> None:
    reading, problems = read_one(FULL, json.dumps({"v": 1.5, "t": 5, "q": quality}).encode())
    assert reading == Reading("A", 1.5, 5, Quality.UNCERTAIN, Reason.OTHER)
    assert problems == ["bad_quality"]


@pytest.mark.parametrize("time", [-1, 1 << 48, "soon", None, True, [], 1e300])
def test_a_value_whose_time_cannot_be_read_still_counts(time: object) -> None:
    reading, problems = read_one(FULL, json.dumps({"v": 99.0, "t": time, "q": 0}).encode())
    assert reading == Reading("A", 99.0, None, Quality.UNCERTAIN, Reason.OTHER)
    assert problems == ["bad_time"]


def test_a_bad_time_does_not_make_a_bad_value_better() -> None:
    reading, _ = read_one(FULL, b'{"v": 1, "q": 2}')
    assert (reading.severity, reading.reason) == (Quality.BAD, Reason.DEVICE)


def test_one_topic_may_feed_several_tags() -> None:
    reader = PayloadReader([tag(replace(JSON, path=("a",)), "A"), tag(replace(JSON, path=("b", "c")), "B")])
    taken = reader.read(b'{"a": 1, "b": {"c": 2}}', again=True)
    assert taken.readings == [Reading("A", 1.0, None, again=True), Reading("B", 2.0, None, again=True)]


def test_what_a_shared_payload_leaves_out_was_not_measured() -> None:
    reader = PayloadReader([tag(replace(JSON, path=("a",)), "A"), tag(replace(JSON, path=("b",)), "B")])
    taken = reader.read(b'{"b": 2}', again=False)
    assert taken.readings == [Reading("B", 2.0, None)]
    assert taken.problems == ["absent"]


def test_a_shared_payload_with_nothing_in_it_is_unreadable_for_all_its_tags() -> None:
    reader = PayloadReader([tag(replace(JSON, path=("a",)), "A"), tag(replace(JSON, path=("b",)), "B")])
    for payload in (b'{"c": 2}', b"rubbish"):
        taken = reader.read(payload, again=False)
        assert [(reading.tag, reading.reason) for reading in taken.readings] == [
            ("A", Reason.UNREADABLE),
            ("B", Reason.UNREADABLE),
        ]


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode), st.sampled_from([NUMBER, JSON, FULL]))
def test_no_payload_is_passed_over_and_none_raises(payload: bytes, source: Source) -> None:
    reading, problems = read_one(source, payload)
    assert (reading.reason is Reason.UNREADABLE) <= bool(problems)
    assert (reading.tag, reading.again) == ("A", False)


@given(st.floats(allow_nan=False))
def test_every_float_comes_through_as_it_is(number: float) -> None:
    assert read_one(NUMBER, repr(number).encode())[0].number == number
