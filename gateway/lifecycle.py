"""The life of an alarm as a table: (state, event) -> (state, effects), or why not.

By ISA-18.2 / IEC 62682 and OPC UA Part 9; the letters are those of the ISA-18.2 diagram. The table is of one *point*:
one condition of one tag, which has at most one open alarm. ``docs/alarm-lifecycle.md`` shows it as it is written here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from config.plant.model import Text

__all__ = ["INHIBITIONS", "LIFE_NAMES", "TABLE", "Effect", "Go", "Life", "LifeEvent", "No", "columns_of", "life_of"]


class Life(StrEnum):
    """States of a point."""

    NORMAL = "normal"
    UNACKNOWLEDGED = "unacknowledged"
    ACKNOWLEDGED = "acknowledged"
    RETURNED = "returned"
    """Its condition was over before anybody had seen it."""
    LATCHED = "latched"
    """As RETURNED, for alarms that have to be reset."""
    LATCHED_ACKNOWLEDGED = "latched_acknowledged"
    SHELVED = "shelved"
    SUPPRESSED = "suppressed"
    OUT_OF_SERVICE = "out_of_service"


LIFE_NAMES: Mapping[Life, Text] = MappingProxyType(
    {
        Life.NORMAL: Text("A 正常", "A normal"),
        Life.UNACKNOWLEDGED: Text("B 未确认", "B unacknowledged"),
        Life.ACKNOWLEDGED: Text("C 已确认", "C acknowledged"),
        Life.RETURNED: Text("D 已恢复未确认", "D returned, unacknowledged"),
        Life.LATCHED: Text("E 锁存未确认", "E latched, unacknowledged"),
        Life.LATCHED_ACKNOWLEDGED: Text("F 锁存已确认", "F latched, acknowledged"),
        Life.SHELVED: Text("G 搁置", "G shelved"),
        Life.SUPPRESSED: Text("H 设计抑制", "H suppressed by design"),
        Life.OUT_OF_SERVICE: Text("I 停用", "I out of service"),
    }
)


class LifeEvent(StrEnum):
    """What can happen to a point."""

    RAISE = "raise"
    """Its condition has begun: a new alarm."""
    CLEAR = "clear"
    """Its condition is over, and somebody has to have seen it."""
    CLEAR_AUTOMATIC = "clear_automatic"
    """Its condition is over, and nobody need have seen it."""
    CLEAR_LATCHING = "clear_latching"
    """Its condition is over, and it has to be reset."""
    ACKNOWLEDGE = "acknowledge"
    UNACKNOWLEDGE = "unacknowledge"
    """The acknowledgement was a mistake."""
    RESET = "reset"
    RE_ALARM = "re_alarm"
    """Its tier has risen, or it was acknowledged long ago and goes on."""
    SHELVE = "shelve"
    SUPPRESS = "suppress"
    REMOVE = "remove"
    """Taken out of service."""
    LEAVE_ACTIVE = "leave_active"
    """Back from G, H or I while its condition holds."""
    LEAVE_OVER = "leave_over"
    """Back from G, H or I while its condition does not hold."""


class Effect(StrEnum):
    """What a transition does beside changing the state."""

    TELL = "tell"
    """Told like a new alarm: acknowledgement void, clocks begin, ladders begin."""
    HUSH = "hush"
    """Off the lists of what is open, told no further; on a list of its own."""
    END = "end"
    """Off the lists; the alarm is over."""
    SUPERSEDE = "supersede"
    """The earlier alarm of the point ends in favour of the new one."""


@dataclass(frozen=True, slots=True)
class Go:
    """A transition."""

    to: Life
    effects: frozenset[Effect] = frozenset()


@dataclass(frozen=True, slots=True)
class No:
    """A refusal."""

    why: Text


Cell = Go | No

_E = LifeEvent
_OVER = No(Text("报警已关闭", "it is over"))
_ACTIVE_ALREADY = No(Text("已在报警中", "it is active already"))
_NOT_ACTIVE = No(Text("未在报警中", "it is not active"))
_ACKNOWLEDGED_ALREADY = No(Text("已被确认", "it has been acknowledged already"))
_NOT_ACKNOWLEDGED = No(Text("尚未确认", "it has not been acknowledged"))
_STILL_ACTIVE = No(Text("条件仍成立，不能复位", "its condition still holds: nothing to reset"))
_NOT_LATCHED = No(Text("非锁存报警", "it does not latch"))
_SEE_IT_FIRST = No(Text("请先确认再复位", "acknowledge it before it is reset"))
_NOT_INHIBITED = No(Text("未被搁置、抑制或停用", "it is not shelved, suppressed or out of service"))
_SHELVED = No(Text("已搁置：先取消搁置", "it is shelved: unshelve it first"))
_SUPPRESSED = No(Text("已按设计抑制", "it is suppressed by design"))
_REMOVED = No(Text("已停用：先恢复投用", "it is out of service: return it to service first"))


def _go(to: Life, *effects: Effect) -> Go:
    return Go(to, frozenset(effects))


_INHIBIT: Mapping[LifeEvent, Cell] = {
    _E.SHELVE: _go(Life.SHELVED, Effect.HUSH),
    _E.SUPPRESS: _go(Life.SUPPRESSED, Effect.HUSH),
    _E.REMOVE: _go(Life.OUT_OF_SERVICE, Effect.HUSH),
    _E.LEAVE_ACTIVE: _NOT_INHIBITED,
    _E.LEAVE_OVER: _NOT_INHIBITED,
}
_CLEARED_ALREADY: Mapping[LifeEvent, Cell] = dict.fromkeys(
    (_E.CLEAR, _E.CLEAR_AUTOMATIC, _E.CLEAR_LATCHING), _NOT_ACTIVE
)
_SUPERSEDE = _go(Life.UNACKNOWLEDGED, Effect.SUPERSEDE, Effect.TELL)


def _inhibited(life: Life, why: No) -> dict[LifeEvent, Cell]:
    """Return the row of a state in which the point is evaluated and recorded, and not told."""
    return {
        _E.RAISE: _go(life, Effect.HUSH),
        _E.CLEAR: _go(life, Effect.END),
        _E.CLEAR_AUTOMATIC: _go(life, Effect.END),
        _E.CLEAR_LATCHING: _go(life, Effect.END),
        _E.ACKNOWLEDGE: why,
        _E.UNACKNOWLEDGE: why,
        _E.RESET: why,
        _E.RE_ALARM: why,
        _E.LEAVE_ACTIVE: _go(Life.UNACKNOWLEDGED, Effect.TELL),
        _E.LEAVE_OVER: _go(Life.NORMAL, Effect.END),
    }


TABLE: Mapping[Life, Mapping[LifeEvent, Cell]] = MappingProxyType(
    {
        Life.NORMAL: {
            _E.RAISE: _go(Life.UNACKNOWLEDGED, Effect.TELL),
            **_CLEARED_ALREADY,
            _E.ACKNOWLEDGE: _OVER,
            _E.UNACKNOWLEDGE: _OVER,
            _E.RESET: _OVER,
            _E.RE_ALARM: _OVER,
            **_INHIBIT,
        },
        Life.UNACKNOWLEDGED: {
            _E.RAISE: _ACTIVE_ALREADY,
            _E.CLEAR: _go(Life.RETURNED),
            _E.CLEAR_AUTOMATIC: _go(Life.NORMAL, Effect.END),
            _E.CLEAR_LATCHING: _go(Life.LATCHED),
            _E.ACKNOWLEDGE: _go(Life.ACKNOWLEDGED),
            _E.UNACKNOWLEDGE: _NOT_ACKNOWLEDGED,
            _E.RESET: _STILL_ACTIVE,
            _E.RE_ALARM: _go(Life.UNACKNOWLEDGED, Effect.TELL),
            **_INHIBIT,
        },
        Life.ACKNOWLEDGED: {
            _E.RAISE: _ACTIVE_ALREADY,
            _E.CLEAR: _go(Life.NORMAL, Effect.END),
            _E.CLEAR_AUTOMATIC: _go(Life.NORMAL, Effect.END),
            _E.CLEAR_LATCHING: _go(Life.LATCHED_ACKNOWLEDGED),
            _E.ACKNOWLEDGE: _ACKNOWLEDGED_ALREADY,
            _E.UNACKNOWLEDGE: _go(Life.UNACKNOWLEDGED),
            _E.RESET: _STILL_ACTIVE,
            _E.RE_ALARM: _go(Life.UNACKNOWLEDGED, Effect.TELL),
            **_INHIBIT,
        },
        Life.RETURNED: {
            _E.RAISE: _SUPERSEDE,
            **_CLEARED_ALREADY,
            _E.ACKNOWLEDGE: _go(Life.NORMAL, Effect.END),
            _E.UNACKNOWLEDGE: _NOT_ACKNOWLEDGED,
            _E.RESET: _NOT_LATCHED,
            _E.RE_ALARM: _NOT_ACTIVE,
            **_INHIBIT,
        },
        Life.LATCHED: {
            _E.RAISE: _SUPERSEDE,
            **_CLEARED_ALREADY,
            _E.ACKNOWLEDGE: _go(Life.LATCHED_ACKNOWLEDGED),
            _E.UNACKNOWLEDGE: _NOT_ACKNOWLEDGED,
            _E.RESET: _SEE_IT_FIRST,
            _E.RE_ALARM: _NOT_ACTIVE,
            **_INHIBIT,
        },
        Life.LATCHED_ACKNOWLEDGED: {
            _E.RAISE: _SUPERSEDE,
            **_CLEARED_ALREADY,
            _E.ACKNOWLEDGE: _ACKNOWLEDGED_ALREADY,
            _E.UNACKNOWLEDGE: _go(Life.LATCHED),
            _E.RESET: _go(Life.NORMAL, Effect.END),
            _E.RE_ALARM: _NOT_ACTIVE,
            **_INHIBIT,
        },
        Life.SHELVED: {
            **_inhibited(Life.SHELVED, _SHELVED),
            _E.SHELVE: _go(Life.SHELVED, Effect.HUSH),
            _E.SUPPRESS: _go(Life.SUPPRESSED, Effect.HUSH),
            _E.REMOVE: _go(Life.OUT_OF_SERVICE, Effect.HUSH),
        },
        Life.SUPPRESSED: {
            **_inhibited(Life.SUPPRESSED, _SUPPRESSED),
            _E.SHELVE: _SUPPRESSED,
            _E.SUPPRESS: _go(Life.SUPPRESSED, Effect.HUSH),
            _E.REMOVE: _go(Life.OUT_OF_SERVICE, Effect.HUSH),
        },
        Life.OUT_OF_SERVICE: {
            **_inhibited(Life.OUT_OF_SERVICE, _REMOVED),
            _E.SHELVE: _REMOVED,
            _E.SUPPRESS: _REMOVED,
            _E.REMOVE: _go(Life.OUT_OF_SERVICE, Effect.HUSH),
        },
    }
)
"""Every cell is written; what a cell refuses, it refuses in words."""

INHIBITIONS: Mapping[LifeEvent, Life] = MappingProxyType(
    {_E.SHELVE: Life.SHELVED, _E.SUPPRESS: Life.SUPPRESSED, _E.REMOVE: Life.OUT_OF_SERVICE}
)
"""The three ways to keep a point from being told."""

_OF_STATE: Mapping[tuple[str, bool], Life] = MappingProxyType(
    {
        ("active", False): Life.UNACKNOWLEDGED,
        ("active", True): Life.ACKNOWLEDGED,
        ("returned", False): Life.RETURNED,
        ("latched", False): Life.LATCHED,
        ("latched", True): Life.LATCHED_ACKNOWLEDGED,
        ("cleared", False): Life.NORMAL,
        ("cleared", True): Life.NORMAL,
    }
)
_STATES: Mapping[Life, str] = MappingProxyType({life: state for (state, _), life in _OF_STATE.items()})


def life_of(alarm: Mapping[str, Any]) -> Life:
    """Return the state of the point as an alarm of it shows it.

    Args:
        alarm: A row of `gateway.records.schema.alarm`.
    """
    if alarm["inhibited"] is not None and alarm["state"] != "cleared":
        return Life(alarm["inhibited"])
    return _OF_STATE[alarm["state"], alarm["acknowledged_ms"] is not None]


def columns_of(life: Life) -> dict[str, Any]:
    """Return what a state says of the columns ``state`` and ``inhibited``; an inhibited alarm keeps its ``state``."""
    if life in INHIBITIONS.values():
        return {"inhibited": life.value}
    return {"state": _STATES[life], "inhibited": None}
