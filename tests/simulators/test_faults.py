"""Every fault does what it says, only while it lasts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from config.plant.model import Tag
from simulators.faults import Channel, Fault, FaultKind, Reading, cannot_carry
from simulators.instruments import Instrument, instrument_of
from tests.support.plants import mini_plant

LEVEL = mini_plant().tags["T-1.LEVEL"]
NUMBER = mini_plant().tags["T-1.TEMP"]
EXACT = Instrument(noise=0.0, resolution=0.0, lowest=0.0, highest=10.0)


def _loop(tag: Tag = LEVEL) -> Tag:
    assert tag.source is not None
    return replace(tag, source=replace(tag.source, current_loop=True, quality_path=()))


def _play(fault: Fault, tag: Tag = LEVEL, samples: int = 12) -> list[Reading]:
    """A level that rises by 0.1 m a second, from 1 m."""
    channel = Channel(tag, EXACT, [fault])
    sent = [reading for at in range(samples) for reading in channel.send(at * 1000, 1.0 + at / 10)]
    return sent + channel.flush()


def _values(readings: list[Reading]) -> list[float]:
    return [round(reading.value, 6) for reading in readings if reading.value is not None]


def test_without_a_fault_everything_is_sent_as_it_is() -> None:
    sent = _play(Fault(FaultKind.DROPOUT, 99_000, 100_000))
    assert _values(sent) == [round(1.0 + at / 10, 6) for at in range(12)]
    assert [reading.time_ms for reading in sent] == [at * 1000 for at in range(12)]


def test_stuck_repeats_the_last_value_before_it() -> None:
    assert _values(_play(Fault(FaultKind.STUCK, 3000, 6000)))[2:7] == [1.2, 1.2, 1.2, 1.2, 1.6]


def test_stuck_from_the_start_repeats_the_first_value() -> None:
    assert _values(_play(Fault(FaultKind.STUCK, 0, 3000)))[:4] == [1.0, 1.0, 1.0, 1.3]


def test_drift_grows_with_time_and_ends() -> None:
    assert _values(_play(Fault(FaultKind.DRIFT, 2000, 5000, amount=0.5)))[1:6] == [1.1, 1.2, 1.8, 2.4, 1.5]


def test_drift_ends_where_the_output_does() -> None:
    assert _values(_play(Fault(FaultKind.DRIFT, 0, 99_000, amount=5.0)))[-1] == 10.0


def test_spikes_hit_every_nth_sample() -> None:
    values = _values(_play(Fault(FaultKind.SPIKE, 2000, 8000, amount=5.0, every=3)))
    assert [at for at, value in enumerate(values) if value > 5.0] == [2, 5]
    assert values[2] == 6.2


def test_dropout_sends_nothing() -> None:
    assert [reading.due_ms for reading in _play(Fault(FaultKind.DROPOUT, 2000, 9000))] == [
        0,
        1000,
        9000,
        10_000,
        11_000,
    ]


def test_over_range_is_beyond_the_range_and_its_saturation_band() -> None:
    digital = _play(Fault(FaultKind.OVER_RANGE, 2000, 3000))[2]
    assert digital.value == pytest.approx(12.0)
    loop = _play(Fault(FaultKind.OVER_RANGE, 2000, 3000), _loop())[2]
    assert (loop.value, loop.current_ma) == (None, 20.8)


def test_a_loop_at_fault_shows_a_fault_current() -> None:
    assert _play(Fault(FaultKind.FAULT_CURRENT, 0, 1000, amount=-1), _loop())[0].current_ma == 3.5
    assert _play(Fault(FaultKind.FAULT_CURRENT, 0, 1000, amount=1), _loop())[0].current_ma == 21.5


def test_a_digital_transmitter_at_fault_says_so_as_it_can() -> None:
    assert _play(Fault(FaultKind.FAULT_CURRENT, 0, 1000))[0].quality == 2
    assert _play(Fault(FaultKind.FAULT_CURRENT, 0, 1000), NUMBER)[0].value is None


def test_duplicates_are_the_same_twice() -> None:
    sent = _play(Fault(FaultKind.DUPLICATE, 2000, 6000, every=2))
    assert [reading.time_ms for reading in sent][:8] == [0, 1000, 2000, 2000, 3000, 4000, 4000, 5000]


def test_reordering_swaps_pairs_and_loses_none() -> None:
    sent = _play(Fault(FaultKind.REORDER, 2000, 6000))
    assert [reading.time_ms for reading in sent][:7] == [0, 1000, 3000, 2000, 5000, 4000, 6000]
    assert [reading.due_ms for reading in sent] == sorted(reading.due_ms for reading in sent)


def test_what_reordering_held_back_comes_at_the_end() -> None:
    sent = _play(Fault(FaultKind.REORDER, 11_000, 99_000))
    assert sent[-1].time_ms == 11_000
    assert len(sent) == 12


def test_clock_skew_moves_the_time_not_the_sending() -> None:
    sent = _play(Fault(FaultKind.CLOCK_SKEW, 2000, 3000, amount=-1500.0))[2]
    assert (sent.due_ms, sent.time_ms) == (2000, 500)


@pytest.mark.parametrize("kind", FaultKind)
def test_only_faults_of_time_need_a_source_with_time(kind: FaultKind) -> None:
    assert cannot_carry(LEVEL, kind) == ""
    needs_time = kind in (FaultKind.DUPLICATE, FaultKind.REORDER, FaultKind.CLOCK_SKEW)
    assert bool(cannot_carry(NUMBER, kind)) == needs_time


def test_an_instrument_speaks_in_steps_and_within_its_output() -> None:
    digital, loop = instrument_of(LEVEL), instrument_of(_loop())
    assert digital.render(1.23456) == 1.235
    assert digital.render(-1.0) == 0.0
    assert digital.render(11.0) == 10.0
    assert loop.render(11.0) == pytest.approx(10.3125)  # 20.5 mA
    assert loop.render(-1.0) == pytest.approx(-0.125)  # 3.8 mA
