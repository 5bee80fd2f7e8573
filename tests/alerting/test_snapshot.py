"""Snapshots: nothing is lost, nothing that does not fit is taken."""

from __future__ import annotations

import dataclasses
import struct
import zlib

import msgspec
import numpy as np
import pytest

from alerting.engine import Engine
from alerting.errors import SnapshotError
from alerting.rules import Rules
from alerting.snapshot import VERSION, Reset
from config.plant.model import CONDITIONS, Condition
from tests.support.rules import Cell, Row, make_rules
from tests.support.story import Story

H, BAD_PV, STALE = (CONDITIONS.index(one) for one in (Condition.H, Condition.BAD_PV, Condition.STALE))


def row(**h: float) -> Row:
    cells = {
        Condition.H: Cell(**({"limit": 80.0, "on_delay_ms": 2_000, "off_delay_ms": 2_000} | h)),  # type: ignore[arg-type]  # keywords
        Condition.BAD_PV: Cell(),
        Condition.STALE: Cell(),
    }
    return Row(cells, stale_after_ms=10_000)


def running(*rows: Row) -> Story:
    """Tell of a tag with a run on its way, one with an active alarm, one that is stale."""
    it = Story(make_rules(rows or (row(), row(), row())))
    it.sample(0, 50, row=2)
    it.sample(8_000, 50, row=0)
    it.sample(9_000, 85, row=1)
    it.tick(11_000)
    it.sample(11_000, 85, row=0)
    it.sample(11_500, 85, row=1)
    return it


def reset_of(reset: Reset) -> list[tuple[int, str, int]]:
    columns = zip(reset.tag.tolist(), reset.condition.tolist(), reset.onset_ms.tolist(), strict=True)
    return [(tag, CONDITIONS[condition], onset_ms) for tag, condition, onset_ms in columns]


def test_a_restart_in_the_middle_changes_nothing() -> None:
    plain, restarted = running(), running()
    restarted.engine = Engine.restore(restarted.rules, restarted.engine.snapshot())
    for it in (plain, restarted):
        it.sample(13_000, 85, row=0)
        it.sample(13_000, 10, row=1)
        it.tick(15_001)
        it.sample(15_002, 50, row=2)
    assert repr(plain.transitions) == repr(restarted.transitions)  # by text: NaN limits are equal
    assert len(plain.transitions) == 5
    assert plain.engine.snapshot() == restarted.engine.snapshot()


def test_tags_appended_since_start_fresh() -> None:
    it = running()
    more = make_rules((row(), row(), row(), row()))
    it.restart(12_000, more)
    it.sample(12_000, 85, row=3)
    it.tick(14_000)
    assert it.told(Condition.H, 3) == [("RAISED", 12_000, 14_000)]
    assert it.told(Condition.H, 1) == [("RAISED", 9_000, 11_000)]
    assert it.told(Condition.H, 0) == [("RAISED", 11_000, 13_000)]


def test_an_appended_tag_is_not_stale_before_the_first_look() -> None:
    it = running()
    more = make_rules((row(), row(), row(), row()))
    it.engine = Engine.restore(more, it.engine.snapshot())
    it.tick(15_000)
    assert it.told(Condition.STALE, 3) == []
    it.tick(25_001)
    assert it.told(Condition.STALE, 3) == [("RAISED", 15_000, 25_000)]


def test_other_rules_are_refused_with_a_way_out() -> None:
    payload = running().engine.snapshot()
    with pytest.raises(SnapshotError, match=r"rules of its 3 tags.*restore it with the rules"):
        Engine.restore(make_rules((row(limit=81.0), row(), row())), payload)


def test_changed_rules_keep_what_did_not_change_and_say_what_was_reset() -> None:
    it = running()
    engine, reset = Engine.restore_changed(make_rules((row(), row(limit=81.0), row())), it.engine.snapshot())
    assert reset_of(reset) == [(1, "H", 9_000)]
    assert len(reset) == 1
    assert engine.rules.limit[H].tolist() == [80, 81, 80]
    assert not engine.active[H].any()
    assert engine.active[STALE].tolist() == [False, False, True]
    assert engine.value.tolist() == [85, 85, 50]
    it.engine = engine
    it.sample(13_000, 85, row=0)
    it.sample(13_000, 85, row=1)
    it.sample(15_000, 85, row=1)
    assert it.told(Condition.H, 0) == [("RAISED", 11_000, 13_000)]
    assert it.told(Condition.H, 1)[1:] == [("RAISED", 13_000, 15_000)]


def test_a_changed_hold_resets_the_conditions_of_its_tag_and_a_changed_allowance_its_stale() -> None:
    it = running()
    rows = (row(), dataclasses.replace(row(), hold_ms=2_999), dataclasses.replace(row(), stale_after_ms=9_999))
    it.engine, reset = Engine.restore_changed(make_rules(rows), it.engine.snapshot())
    assert reset_of(reset) == [(1, "H", 9_000), (2, "STALE", 0)]
    it.tick(11_600)
    assert it.told(Condition.STALE, 2) == [("RAISED", 0, 10_000), ("RAISED", 0, 9_999)]


def test_stale_that_is_enabled_later_is_raised_for_a_tag_already_silent() -> None:
    disabled = Row({Condition.STALE: Cell(enabled=False)}, stale_after_ms=10_000)
    it = Story(make_rules([disabled]))
    it.tick(20_000)
    assert it.engine.stale[0]
    enabled = make_rules([Row({Condition.STALE: Cell()}, stale_after_ms=10_000)])
    it.engine, reset = Engine.restore_changed(enabled, it.engine.snapshot())
    it.tick(20_001)
    assert len(reset) == 0
    assert it.told(Condition.STALE) == [("RAISED", 0, 10_000)]


def test_a_limit_that_was_no_number_and_still_is_none_did_not_change() -> None:
    it = Story(make_rules([row()]))
    it.sample(0, float("nan"))
    engine, reset = Engine.restore_changed(it.rules, it.engine.snapshot())
    assert engine.active[BAD_PV, 0]
    assert len(reset) == 0


def renamed(rules: Rules, *names: str) -> Rules:
    return dataclasses.replace(rules, names=names)


def test_rows_that_moved_are_refused() -> None:
    it = running()
    with pytest.raises(SnapshotError, match=r"'T1' in row 1, the rules have 'X'"):
        Engine.restore_changed(renamed(it.rules, "T0", "X", "T2"), it.engine.snapshot())
    with pytest.raises(SnapshotError, match="snapshot of 3 tags; the rules have only 1"):
        Engine.restore_changed(make_rules([row()]), it.engine.snapshot())


def test_what_is_no_snapshot_is_refused() -> None:
    rules = make_rules([row()])
    payload = Engine(rules).snapshot()
    for rubbish in (b"", b"HZAS", b"SQLite format 3\x00" + payload):
        with pytest.raises(SnapshotError, match="no engine snapshot"):
            Engine.restore(rules, rubbish)


def test_another_version_is_refused() -> None:
    rules = make_rules([row()])
    payload = bytearray(Engine(rules).snapshot())
    struct.pack_into("<H", payload, 4, VERSION + 1)
    with pytest.raises(SnapshotError, match=f"version {VERSION + 1}; this program reads version {VERSION}"):
        Engine.restore(rules, bytes(payload))


def test_any_damaged_byte_is_noticed() -> None:
    it = running()
    payload = it.engine.snapshot()
    rng = np.random.default_rng(3)
    for position in rng.integers(0, len(payload), 50):
        damaged = bytearray(payload)
        damaged[position] ^= 0x10
        with pytest.raises(SnapshotError):
            Engine.restore(it.rules, bytes(damaged))
    with pytest.raises(SnapshotError, match="damaged"):
        Engine.restore(it.rules, payload[:-1])


def test_conditions_this_program_does_not_know_are_refused() -> None:
    rules = make_rules([row()])
    body = msgspec.msgpack.decode(Engine(rules).snapshot()[10:])
    body[2].append("SEISMIC")
    payload = msgspec.msgpack.encode(body)
    with pytest.raises(SnapshotError, match="SEISMIC"):
        Engine.restore(rules, struct.pack("<4sHI", b"HZAS", VERSION, zlib.crc32(payload)) + payload)


def test_a_snapshot_is_compact() -> None:
    rules = make_rules([row()] * 1_000)
    assert len(Engine(rules).snapshot()) < 45 * 1_000
