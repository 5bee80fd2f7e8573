"""Any interleaving of transitions, commands, restarts, lost commits and repeated requests keeps what must hold."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import select

from alerting.batch import Change, Transitions
from config.plant.load import read_plant
from config.plant.model import CONDITIONS, Condition
from gateway.alarm_rows import Decided, Point
from gateway.alarms import AlarmBook
from gateway.attend import attend
from gateway.commands import Act, Acts, By, Command, Inhibit, Order, Outcome, Release, Verb
from gateway.handling import Verdict
from gateway.inhibitions import Inhibitions
from gateway.lifecycle import LifeEvent, life_of
from gateway.orders import Desk, carry_out
from gateway.records import audit, schema
from gateway.records.database import open_writer
from gateway.records.writer import Commit, Records
from tests.support.naive_life import told_by
from tests.support.plants import MINI_PLANT

PLANT = read_plant(
    MINI_PLANT.replace(
        "H: {limit: 40, deadband: 0, on_delay: 0s, off_delay: 0s}",
        "H: {limit: 40, deadband: 0, on_delay: 0s, off_delay: 0s, latch: true}",
    ).replace("HH: {limit: 9, ", "HH: {tier: red, limit: 9, ")
    + """\
suppressions:
  trip: {name: {zh: "停车", en: "trip"}, tags: [T-1.TEMP], conditions: [H], while: {tag: T-1.LEVEL, condition: HH}}
""",
    "mini.yaml",
)
NAMES = tuple(PLANT.tags)
POINTS: tuple[Point, ...] = (
    ("T-1.TEMP", Condition.H),
    ("T-1.LEVEL", Condition.HH),
    ("T-1.LEVEL", Condition.H),
    ("T-1.TEMP", Condition.STALE),
)
PEOPLE = ("li", "wang", "zhao")
MINUTE_MS = 60_000
points = st.sampled_from(POINTS)
people = st.sampled_from(PEOPLE)


def next_verb(row: dict[str, Any]) -> Verb:
    """Return what is next to be done with an alarm."""
    if row["acknowledged_ms"] is None and row["state"] != "cleared" and row["inhibited"] is None:
        return Verb.ACKNOWLEDGE
    if row["state"] == "latched" and row["inhibited"] is None:
        return Verb.RESET
    if row["verdict"] is None:
        return Verb.VERIFY
    return Verb.MEASURE if row["verdict"] == Verdict.TRUE and row["measured_ms"] is None else Verb.CLOSE


VERBS = st.sampled_from([*Verb, Verb.ACKNOWLEDGE, Verb.ACKNOWLEDGE, Verb.VERIFY, Verb.CLOSE])


class LifeMachine(RuleBasedStateMachine):
    """A book on real records; every rule is one turn of a pipeline, committed, or lost with the process."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.engine = open_writer(Path(self.folder.name))
        self.records = Records(self.engine)
        self.now_ms = 1_763_770_000_000
        self.position = 0
        self.asked: list[Command] = []
        self.acknowledged: Counter[str] = Counter()

    def teardown(self) -> None:
        self.engine.dispose()
        self.folder.cleanup()

    @initialize()
    def begin(self) -> None:
        """Build the book from the records, as a starting process does."""
        stored = self.records.load()
        self.book = AlarmBook(
            PLANT, NAMES, stored.open_alarms, stored.event_id, 10_000, inhibitions=Inhibitions(stored.inhibitions)
        )
        for alarm in stored.unhandled:
            self.book.agenda.note(alarm)

    def commit(self, decided: Decided, entries: Sequence[audit.Entry] = ()) -> None:
        inhibitions = tuple(decided.inhibitions.values())
        self.records.commit(
            Commit(
                alarms=decided.alarms, events=decided.events, inhibitions=inhibitions, audit=list(entries),
                received_ms=self.now_ms,
            )
        )  # fmt: skip
        for event in decided.events:
            self.acknowledged[event["alarm_id"]] += event["kind"] == "acknowledged"

    def transition(self, point: Point, change: Change) -> Decided:
        self.now_ms += 1
        row = self.book.row(point)
        onset_ms = row["onset_ms"] if row and change is Change.CLEARED else self.now_ms
        nothing = np.array([np.nan])
        found = Transitions(
            tag=np.array([NAMES.index(point[0])], np.int32),
            condition=np.array([CONDITIONS.index(point[1])], np.uint8),
            change=np.array([change], np.uint8),
            onset_ms=np.array([onset_ms], np.int64),
            time_ms=np.array([self.now_ms], np.int64),
            value=np.array([50.0]),
            quality=np.array([0], np.uint8),
            limit=nothing, measure=nothing, low=nothing, high=nothing,
        )  # fmt: skip
        return self.book.decide(found, self.now_ms, self.now_ms, self.position)

    def order(self, command: Command, *, lost: bool = False) -> list[Outcome]:
        """Let one turn carry a command out; lost: the process ends before its commit."""
        order, decided, entries = Order(command), Decided(), list[audit.Entry]()
        carry_out(order, Desk(self.book, self.records, decided, entries, self.now_ms, self.position))
        if lost:
            self.begin()
            return []
        self.commit(decided, entries)
        return order.outcomes

    # --- what happens --------------------------------------------------------------------------------------------

    @rule(point=points)
    def flip(self, point: Point) -> None:
        """The condition begins to hold, or no longer does."""
        change = Change.CLEARED if self.book.is_active(point) else Change.RAISED
        self.commit(self.transition(point, change))

    @rule(point=points, lost=st.booleans())
    def flip_again(self, point: Point, *, lost: bool) -> None:
        """As before; perhaps a process ends between deciding and committing, and the next one decides again."""
        change = Change.CLEARED if self.book.is_active(point) else Change.RAISED
        decided = self.transition(point, change)
        if lost:
            self.begin()
        else:
            self.commit(decided)

    @rule(minutes=st.sampled_from([0.1, 4, 31, 61, 250, 600]))
    def time_passes(self, minutes: float) -> None:
        """Ends of shelving, deadlines, rules of the plant file."""
        self.now_ms += round(minutes * MINUTE_MS)
        decided = Decided()
        attend(self.book, PLANT, self.records, decided, self.now_ms, self.position)
        self.commit(decided)

    @rule()
    def restart(self) -> None:
        """A new process."""
        self.begin()

    def timeline(self, name: str) -> list[dict[str, Any]]:
        return [one for one in self.rows(schema.alarm_event) if one["alarm_id"] == name]

    def seen(self, data: st.DataObject) -> dict[str, Any] | None:
        rows = sorted(self.rows(schema.alarm), key=lambda row: -int(row["sequence"]))
        todo = [row for row in rows if row["stage"] not in ("closed", "merged")][:4] or rows[:4]
        return data.draw(st.sampled_from(todo + rows[:1])) if rows else None

    @rule(data=st.data(), verb=VERBS, by=people, stale=st.booleans(), lost=st.booleans())
    def act(self, data: st.DataObject, verb: Verb, by: str, *, stale: bool, lost: bool) -> None:
        """Somebody does something, having seen the alarm as it is or as it was."""
        row = self.seen(data)
        if row is None:
            return
        version = max(1, row["version"] - stale)
        verdict = data.draw(st.sampled_from(Verdict)).value if verb is Verb.VERIFY else ""
        assignee = data.draw(people) if verb is Verb.ASSIGN else ""
        act = Act(verb, row["alarm_id"], version, "x", assignee, verdict)
        command = Acts((act,), By(by), key=f"k{len(self.asked)}")
        self.asked.append(command)
        outcomes = self.order(command, lost=lost)
        if outcomes and isinstance(outcomes[0], dict):
            assert row["stage"] not in ("closed", "merged"), "what is closed is never changed"
            since = [one for one in self.timeline(row["alarm_id"]) if version < one["version"] < outcomes[0]["version"]]
            missed = {one["kind"] for one in since} - {"commented", "measured", "arrived", "overdue"}
            assert verb in (Verb.COMMENT, Verb.MEASURE) or not missed, "nothing newer is acted on by accident"

    @rule(data=st.data(), by=people, again=st.booleans())
    def handle(self, data: st.DataObject, by: str, *, again: bool) -> None:
        """Somebody does what is next to be done with an alarm."""
        row = self.seen(data)
        if row is None:
            self.flip(data.draw(points))
            return
        verb = next_verb(row)
        verdict = data.draw(st.sampled_from(Verdict)).value if verb is Verb.VERIFY else ""
        command = Acts((Act(verb, row["alarm_id"], row["version"], "x", verdict=verdict),), By(by))
        self.asked.append(command)
        self.order(command)
        if again:
            self.handle(data, by, again=False)

    @rule(point=points, event=st.sampled_from([LifeEvent.SHELVE, LifeEvent.SUPPRESS, LifeEvent.REMOVE]), by=people)
    def inhibit(self, point: Point, event: LifeEvent, by: str) -> None:
        """Somebody puts a point aside."""
        until_ms = self.now_ms + 60 * MINUTE_MS
        command = Inhibit(event, point[0], (point[1].value,), until_ms, "work", By(by), permit="p", rule="trip")
        self.asked.append(command)
        (outcome,) = self.order(command)
        worst = min(rule.tier for rule in PLANT.tags[point[0]].conditions if rule.condition is point[1])
        if event is LifeEvent.SHELVE and worst == 1:
            assert not isinstance(outcome, dict), "red is never shelved"

    @rule(data=st.data(), by=people)
    def release(self, data: st.DataObject, by: str) -> None:
        """Somebody ends that."""
        rows = [row for row in self.rows(schema.inhibition) if row["ended_ms"] is None]
        if rows:
            self.order(Release(data.draw(st.sampled_from(rows))["id"], By(by)))

    @precondition(lambda self: self.asked)
    @rule(data=st.data())
    def again(self, data: st.DataObject) -> None:
        """The answer was lost, and the same thing is asked again: nothing happens twice."""
        command = data.draw(st.sampled_from(self.asked))
        before = self.order(command)
        events = len(self.rows(schema.alarm_event)), len(self.rows(schema.inhibition))
        after = self.order(command)
        assert (len(self.rows(schema.alarm_event)), len(self.rows(schema.inhibition))) == events
        if isinstance(before[0], dict):
            assert isinstance(after[0], dict), "done already is done"

    # --- what must hold ------------------------------------------------------------------------------------------

    def rows(self, table: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - a table
        with self.engine.begin() as connection:
            return [dict(row) for row in connection.execute(select(table).order_by(*table.primary_key)).mappings()]

    @invariant()
    def one_open_alarm_of_a_point(self) -> None:
        alarms = [row for row in self.rows(schema.alarm) if row["state"] != "cleared"]
        assert max(Counter((row["tag"], row["condition"]) for row in alarms).values(), default=0) <= 1
        book = {row["alarm_id"]: row for row in self.book.open_alarms}
        assert {row["alarm_id"]: row for row in alarms} == book, "the book is what the records say"
        for row in alarms:
            point = row["tag"], Condition(row["condition"])
            assert life_of(row) is self.book.life(point)
            kind = self.book.inhibitions.kind(point)
            assert row["inhibited"] == (kind.value if kind else None)

    @invariant()
    def no_state_without_a_cause(self) -> None:
        timeline: dict[str, list[dict[str, Any]]] = {}
        for event in self.rows(schema.alarm_event):
            timeline.setdefault(event["alarm_id"], []).append(event)
        for row in self.rows(schema.alarm):
            events = timeline[row["alarm_id"]]
            assert [event["version"] for event in events] == list(range(1, row["version"] + 1))
            told = told_by(events)
            shown = {name: row[name] for name in ("state", "inhibited", "verdict", "assigned_to")}
            shown |= {"acknowledged": row["acknowledged_ms"] is not None, "closed": row["closed_by"] is not None}
            assert told == shown
            done = sum(event["kind"] == "acknowledged" for event in events)
            assert done == self.acknowledged[row["alarm_id"]], "no acknowledgement is lost, none is made up"
            if row["stage"] == "closed" and row["closed_by"] is not None and row["tier"] in (1, 2):
                assert row["closed_by"] not in (row["hands"] or ())

    @invariant()
    def everything_asked_for_is_on_the_record(self) -> None:
        with self.engine.begin() as connection:
            count, broken = audit.verify(connection)
        assert broken == []
        done = {row["subject"] for row in self.rows(schema.audit) if row["outcome"] == "done"}
        by_people = {e["alarm_id"] for e in self.rows(schema.alarm_event) if e["key"] is not None}
        assert by_people <= done
        assert count >= len(by_people)


LifeMachine.TestCase.settings = settings(
    max_examples=20,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
)
TestLifeMachine = LifeMachine.TestCase


class LongLifeMachine(LifeMachine):
    """The same, for longer."""


LongLifeMachine.TestCase.settings = settings(
    max_examples=400, stateful_step_count=60, deadline=None, suppress_health_check=list(HealthCheck)
)
TestLongLifeMachine = pytest.mark.soak(pytest.mark.timeout(1200)(LongLifeMachine.TestCase))
