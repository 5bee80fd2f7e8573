"""The clocks of hidden dangers: what is due until when, what is late, and with whom that is by now."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sqlalchemy import ColumnElement, Connection, and_, func, insert, select, update

from config.dangers import Clocked, DangerRules, Edition
from config.plant.model import Text
from gateway.dangers.model import RECEIPTS, Danger
from gateway.dangers.states import Effect, Grade, State
from gateway.records.danger_tables import danger_clock

__all__ = [
    "CLOCK_NAMES",
    "WAITS_FOR",
    "ClockState",
    "apply_effects",
    "begin",
    "clocks_of",
    "finish",
    "level_at",
    "next_at",
    "running",
]

CLOCK_NAMES: Mapping[Clocked, Text] = MappingProxyType(
    {
        Clocked.ACCEPT: Text("确认建议", "accept the proposal"),
        Clocked.GRADE: Text("评级", "grade"),
        Clocked.PLAN: Text("五落实", "plan the five fixes"),
        Clocked.RECTIFY: Text("整改", "rectify"),
        Clocked.VERIFY: Text("验收", "verify"),
        Clocked.CLOSE: Text("销号", "close"),
        Clocked.REPORT_REGULATOR: Text("向监管部门报告", "report to the regulator"),
        Clocked.REPORT_CONGRESS: Text("向职工代表大会报告", "report to the workers' congress"),
        Clocked.SUPERVISION: Text("挂牌督办期限", "listed supervision"),
    }
)

WAITS_FOR: Mapping[State, Clocked] = MappingProxyType(
    {
        State.PROPOSED: Clocked.ACCEPT,
        State.REPORTED: Clocked.GRADE,
        State.GRADED: Clocked.PLAN,
        State.RECTIFYING: Clocked.RECTIFY,
        State.RECTIFIED: Clocked.VERIFY,
        State.VERIFIED: Clocked.CLOSE,
    }
)
"""What is to be done next, in each state that is not over."""

_BEGINS: Mapping[Effect, Clocked] = MappingProxyType(
    {
        Effect.GRADE_BY: Clocked.GRADE,
        Effect.PLAN_BY: Clocked.PLAN,
        Effect.RECTIFY_BY: Clocked.RECTIFY,
        Effect.VERIFY_BY: Clocked.VERIFY,
        Effect.CLOSE_BY: Clocked.CLOSE,
    }
)
_c = danger_clock.c


@dataclass(frozen=True, slots=True)
class ClockState:
    """One clock of a danger; see `danger_clock`."""

    clock: Clocked
    round: int
    begun_ms: int
    due_ms: int
    next_ms: int | None
    level: int
    done_ms: int | None
    outcome: str


def level_at(edition: Edition, due_ms: int, now_ms: int) -> int:
    """Return how many levels something due has climbed; 0: it is not late."""
    return sum(due_ms + level.after_ms < now_ms for level in edition.levels)


def next_at(edition: Edition, due_ms: int, level: int) -> int | None:
    """Return when it climbs from a level, or None at the top: in the millisecond after the deadline."""
    return due_ms + edition.levels[level].after_ms + 1 if level < len(edition.levels) else None


def clocks_of(connection: Connection, danger_id: str) -> list[ClockState]:
    """Return every clock a danger ever had, in the order in which they were begun."""
    asked = select(danger_clock).where(_c.danger_id == danger_id)
    names = ("round", "begun_ms", "due_ms", "next_ms", "level", "done_ms", "outcome")
    rows = connection.execute(asked).mappings()
    found = [ClockState(Clocked(row["clock"]), *(row[name] for name in names)) for row in rows]
    return sorted(found, key=lambda one: (one.begun_ms, one.round, list(Clocked).index(one.clock)))


def running(connection: Connection, danger_id: str) -> tuple[int | None, int]:
    """Return the earliest deadline that runs, and the highest level climbed to."""
    asked = select(func.min(_c.due_ms), func.max(_c.level)).where(_c.danger_id == danger_id, _c.outcome == "")
    due_ms, level = connection.execute(asked).one()
    return due_ms, level or 0


def begin(connection: Connection, danger: Danger, clock: Clocked, due_ms: int, now_ms: int) -> None:
    """Begin a clock, or its next round."""
    asked = select(func.max(_c.round)).where(_c.danger_id == danger.id, _c.clock == clock.value)
    row = {
        "danger_id": danger.id,
        "clock": clock.value,
        "round": (connection.scalar(asked) or 0) + 1,
        "enterprise": danger.enterprise,
        "district": danger.district,
        "begun_ms": now_ms,
        "due_ms": due_ms,
        "next_ms": due_ms + 1,
        "level": 0,
        "done_ms": None,
        "outcome": "",
    }
    connection.execute(insert(danger_clock), row)


def finish(connection: Connection, danger_id: str, outcome: str, now_ms: int, *clocks: Clocked) -> None:
    """End clocks that run (none named: all)."""
    which = [_c.danger_id == danger_id, _c.outcome == ""]
    if clocks:
        which.append(_c.clock.in_([clock.value for clock in clocks]))
    done_ms = now_ms if outcome == "done" else None
    connection.execute(update(danger_clock).where(*which).values(outcome=outcome, next_ms=None, done_ms=done_ms))


@dataclass(frozen=True, slots=True)
class _Turn:
    """What an effect acts on: the danger before and after, the moment, the rules."""

    connection: Connection
    before: Danger
    after: Danger
    now_ms: int
    rules: DangerRules

    @property
    def edition(self) -> Edition:
        return self.rules.at(self.now_ms)

    def due_ms(self, clock: Clocked) -> int:
        """Return until when something begun now is due."""
        if clock is Clocked.RECTIFY:
            return self.after.deadline_ms or self.now_ms
        deadline = self.edition.clocks[clock]
        return self.now_ms + (deadline.major_ms if self.after.grade is Grade.MAJOR else deadline.general_ms)


def apply_effects(
    connection: Connection, before: Danger, after: Danger, effects: frozenset[Effect], now_ms: int, rules: DangerRules
) -> None:
    """Start, stop and move the clocks of a danger as a cell of the table says.

    Args:
        connection: In a transaction that may write.
        before: As it was.
        after: As it is, but for what follows from its clocks.
        effects: Of the cell.
        now_ms: Gateway clock.
        rules: Say how long things may take.
    """
    turn = _Turn(connection, before, after, now_ms, rules)
    for effect in Effect:
        if effect in effects:
            _EFFECTS[effect](turn)


def _done(turn: _Turn) -> None:
    finish(turn.connection, turn.after.id, "done", turn.now_ms, WAITS_FOR[turn.before.state])


def _void(turn: _Turn) -> None:
    finish(turn.connection, turn.after.id, "void", turn.now_ms)


def _report(turn: _Turn) -> None:
    """Let the two reports of a major one be due; of one that is major no longer they are not."""
    if turn.after.grade is Grade.MAJOR:
        for clock, column in RECEIPTS.items():
            if not getattr(turn.after, column):
                begin(turn.connection, turn.after, clock, turn.due_ms(clock), turn.now_ms)
    elif turn.before.grade is Grade.MAJOR:
        finish(turn.connection, turn.after.id, "void", turn.now_ms, *RECEIPTS)


def _received(turn: _Turn) -> None:
    there = [clock for clock, column in RECEIPTS.items() if getattr(turn.after, column)]
    finish(turn.connection, turn.after.id, "done", turn.now_ms, *there)


def _back(turn: _Turn) -> None:
    """Let the clock of rectifying run on as if it had never stopped."""
    due_ms = turn.after.deadline_ms or turn.now_ms
    values = {"outcome": "", "done_ms": None, "next_ms": next_at(turn.edition, due_ms, 0), "level": 0}
    turn.connection.execute(update(danger_clock).where(_latest_round(turn.after.id)).values(**values))


def _move(turn: _Turn) -> None:
    due_ms = turn.after.deadline_ms or turn.now_ms
    values = {"due_ms": due_ms, "next_ms": due_ms + 1, "level": 0}
    turn.connection.execute(update(danger_clock).where(_latest_round(turn.after.id)).values(**values))


def _again(turn: _Turn) -> None:
    values = {"outcome": "reopened", "done_ms": None}
    turn.connection.execute(update(danger_clock).where(_latest_round(turn.after.id)).values(**values))


def _place(turn: _Turn) -> None:
    values = {"enterprise": turn.after.enterprise, "district": turn.after.district}
    turn.connection.execute(update(danger_clock).where(_c.danger_id == turn.after.id).values(**values))


def _enter(turn: _Turn) -> None:
    finish(turn.connection, turn.after.id, "void", turn.now_ms, Clocked.SUPERVISION)
    until_ms = turn.after.listed_until_ms or turn.now_ms
    begin(turn.connection, turn.after, Clocked.SUPERVISION, until_ms, turn.now_ms)


def _leave(turn: _Turn) -> None:
    finish(turn.connection, turn.after.id, "done", turn.now_ms, Clocked.SUPERVISION)


def _begins(clock: Clocked) -> Callable[[_Turn], None]:
    return lambda turn: begin(turn.connection, turn.after, clock, turn.due_ms(clock), turn.now_ms)


def _latest_round(danger_id: str) -> ColumnElement[bool]:
    mine = and_(_c.danger_id == danger_id, _c.clock == Clocked.RECTIFY.value)
    return and_(mine, _c.round == select(func.max(_c.round)).where(mine).scalar_subquery())


_EFFECTS: Mapping[Effect, Callable[[_Turn], None]] = MappingProxyType(
    {
        **{effect: _begins(clock) for effect, clock in _BEGINS.items()},
        Effect.DONE: _done,
        Effect.BACK: _back,
        Effect.MOVE: _move,
        Effect.AGAIN: _again,
        Effect.REPORT: _report,
        Effect.RECEIVED: _received,
        Effect.VOID: _void,
        Effect.PLACE: _place,
        Effect.ENTER: _enter,
        Effect.LEAVE: _leave,
    }
)
