"""What a transmitter publishes is what an edge reads, for every form a source can have."""

from __future__ import annotations

from dataclasses import replace

import pytest

from config.chemicals import load_chemicals
from config.contract.messages import decode_point
from config.contract.quality import Quality, Reason
from config.plant.model import Plant, Source, SourceFormat, Tag
from config.units import Quantity
from edge.drivers.mqtt_payload import PayloadReader
from edge.normalize import Normalizer
from edge.reading import Sample
from simulators.errors import EncodingError
from simulators.faults import Reading
from simulators.payloads import TagEncoder, check_topics, encode_payload
from tests.support.plants import mini_plant

START_MS = 1_800_000_000_000

PLAIN = Source(
    driver="mqtt_sensor",
    topic="plant/x",
    format=SourceFormat.JSON,
    path=("v",),
    time_path=("t",),
    quality_path=("q",),
    current_loop=False,
    scale=1.0,
    offset=0.0,
    unit="m",
    qos=1,
)


def _tag(source: Source | None, **changes: object) -> Tag:
    tag = mini_plant().tags["T-1.LEVEL"]
    return replace(tag, source=source, **changes)  # type: ignore[arg-type] # the tests name fields of Tag


def _read(tags: list[Tag], payload: bytes) -> list[Sample]:
    taken = PayloadReader(tags).read(payload, again=False)
    assert taken.problems == []
    substances = {cas: chemical.substance() for cas, chemical in load_chemicals().items()}
    normalizer = Normalizer(tags, substances)
    return [normalizer.sample(reading, 7) for reading in taken.readings]


SOURCES = {
    "json": PLAIN,
    "number": replace(PLAIN, format=SourceFormat.NUMBER, path=(), time_path=(), quality_path=()),
    "bare json": replace(PLAIN, path=(), time_path=(), quality_path=()),
    "nested": replace(PLAIN, path=("data", "values", "2", "x"), time_path=("data", "at"), quality_path=("q", "0")),
    "mm": replace(PLAIN, unit="mm"),
    "scaled": replace(PLAIN, scale=0.01, offset=-5.0),
    "scaled mm": replace(PLAIN, scale=2.5, offset=100.0, unit="mm"),
    "loop": replace(PLAIN, current_loop=True, quality_path=()),
    "loop in uA": replace(PLAIN, current_loop=True, scale=0.001, quality_path=()),
}


@pytest.mark.parametrize("form", SOURCES)
@pytest.mark.parametrize("value", [0.0, 0.001, 3.333, 7.5, 9.999, 10.0])
def test_an_edge_reads_the_value_that_was_sent(form: str, value: float) -> None:
    tag = _tag(SOURCES[form])
    encoder = TagEncoder(tag, mini_plant())
    reading = Reading(1500, 1500, value)
    (read,) = _read([tag], encode_payload([(encoder, reading)], START_MS))
    said = encoder.sample(reading, START_MS)
    assert read.value == said.value
    assert said.value == pytest.approx(value, abs=0.0004 if tag.source and tag.source.current_loop else 1e-12)
    assert read.time_ms == (START_MS + 1500 if tag.source and tag.source.time_path else 7)
    assert read.severity is Quality.GOOD


@pytest.mark.parametrize("value", [0.0547110000001, -0.273216, 1 / 3, 73.96732207, 1e-300])
def test_no_digit_is_lost_without_a_conversion(value: float) -> None:
    tag = _tag(PLAIN)
    encoder = TagEncoder(tag, mini_plant())
    (read,) = _read([tag], encode_payload([(encoder, Reading(0, 0, value))], START_MS))
    assert read.value == value


@pytest.mark.parametrize(
    ("quantity", "cas", "unit", "value"),
    [
        (Quantity.COMBUSTIBLE_GAS, "74-98-6", "%vol", 25.0),
        (Quantity.COMBUSTIBLE_GAS, "67-56-1", "ppm", 50.0),
        (Quantity.TOXIC_GAS, "7782-50-5", "mg/m3", 0.339),
        (Quantity.PRESSURE, "", "MPa", 817.5),
        (Quantity.TEMPERATURE, "", "degF", 21.7),
        (Quantity.MASS_FLOW, "", "kg/s", 14.4),
    ],
)
def test_units_of_every_quantity_arrive_as_sent(quantity: Quantity, cas: str, unit: str, value: float) -> None:
    tag = _tag(replace(PLAIN, unit=unit), quantity=quantity, cas=cas)
    encoder = TagEncoder(tag, mini_plant())
    reading = Reading(0, 0, value)
    (read,) = _read([tag], encode_payload([(encoder, reading)], START_MS))
    assert read.value == encoder.sample(reading, START_MS).value
    assert read.value == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(
    ("current_ma", "reason"),
    [(3.5, Reason.FAULT_CURRENT_LOW), (21.5, Reason.FAULT_CURRENT_HIGH), (20.8, Reason.UNDEFINED_CURRENT)],
)
def test_a_fault_current_is_read_as_one(current_ma: float, reason: Reason) -> None:
    for form in ("loop", "loop in uA"):
        tag = _tag(SOURCES[form])
        encoder = TagEncoder(tag, mini_plant())
        reading = Reading(0, 0, None, current_ma=current_ma)
        (read,) = _read([tag], encode_payload([(encoder, reading)], START_MS))
        assert (read.value, read.severity, read.reason) == (None, Quality.BAD, reason)
        assert encoder.sample(reading, START_MS).quality == Quality.BAD


@pytest.mark.parametrize("form", ["json", "number", "bare json", "loop"])
def test_no_value_is_read_as_bad(form: str) -> None:
    tag = _tag(SOURCES[form])
    encoder = TagEncoder(tag, mini_plant())
    (read,) = _read([tag], encode_payload([(encoder, Reading(0, 0, None))], START_MS))
    assert (read.value, read.severity, read.reason) == (None, Quality.BAD, Reason.NOT_FINITE)


def test_the_quality_a_source_can_say_arrives() -> None:
    tag = _tag(PLAIN)
    encoder = TagEncoder(tag, mini_plant())
    (read,) = _read([tag], encode_payload([(encoder, Reading(0, 0, 5.0, quality=1))], START_MS))
    assert (read.value, read.severity) == (5.0, Quality.UNCERTAIN)


def test_tags_that_share_a_topic_share_a_payload() -> None:
    plant = mini_plant()
    first = _tag(replace(PLAIN, path=("a", "v"), quality_path=()))
    second = replace(_tag(replace(PLAIN, path=("b", "v"), quality_path=())), name="OTHER")
    made = [TagEncoder(first, plant), TagEncoder(second, plant)]
    check_topics(made)
    payload = encode_payload([(made[0], Reading(5, 5, 1.5)), (made[1], Reading(5, 5, 2.5))], START_MS)
    assert [(read.tag, read.value) for read in _read([first, second], payload)] == [("T-1.LEVEL", 1.5), ("OTHER", 2.5)]


def test_two_plain_numbers_cannot_share_a_topic() -> None:
    plant = mini_plant()
    first = _tag(SOURCES["number"])
    with pytest.raises(EncodingError, match=r"T-1\.LEVEL and OTHER publish on plant/x"):
        check_topics([TagEncoder(first, plant), TagEncoder(replace(first, name="OTHER"), plant)])


def test_a_plain_sensor_publishes_a_point() -> None:
    plant: Plant = mini_plant()
    tag = _tag(None, edge="edge-b")
    encoder = TagEncoder(tag, plant)
    point = decode_point(encode_payload([(encoder, Reading(10, 10, 4.5, quality=1))], START_MS))
    assert encoder.topic == "hazard/v1/mini/edge-b/points/T-1.LEVEL"
    assert (point.value, point.time, point.quality) == (4.5, START_MS + 10, 1)
