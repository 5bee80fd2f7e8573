"""Every cell of the two tables, through the book and the acts that use them; and the page that shows them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from config.duty.handling import DEFAULT_HANDLING
from config.plant.model import Condition
from gateway.acts import act_on
from gateway.alarm_rows import Cause, Decided, When
from gateway.alarms import AlarmBook
from gateway.commands import Act, Verb
from gateway.errors import ConflictError
from gateway.handling import ENDED, STAGES, HandlingEvent, Stage, advance
from gateway.inhibitions import Inhibitions
from gateway.lifecycle import TABLE, Effect, Go, Life, LifeEvent, No, columns_of, life_of
from tests.support.plants import mini_plant
from tests.support.rows import alarm_row

ROOT = Path(__file__).parents[2]
PLANT = mini_plant()
NAMES = tuple(PLANT.tags)
POINT = "T-1.TEMP", Condition.H
NOW_MS = 500_000
OPEN = [life for life in Life if life is not Life.NORMAL]


def in_state(life: Life, **changes: Any) -> AlarmBook:  # noqa: ANN401 - columns
    """Return a book whose one alarm is in a state."""
    seen = life in (Life.ACKNOWLEDGED, Life.LATCHED_ACKNOWLEDGED)
    columns = {"state": "active"} | columns_of(life)
    columns |= {"acknowledged_ms": 7, "acknowledged_by": "li"} if seen else {}
    row = alarm_row(**{**columns, **changes})
    inhibitions = []
    if row["inhibited"]:
        inhibitions.append({"id": "i", "tag": POINT[0], "condition": "H", "kind": row["inhibited"], "until_ms": 9})
    return AlarmBook(PLANT, NAMES, [row], 1, 10_000, inhibitions=Inhibitions(inhibitions))


def test_every_cell_is_written() -> None:
    assert {life: set(row) for life, row in TABLE.items()} == {life: set(LifeEvent) for life in Life}
    assert {stage: set(row) for stage, row in STAGES.items()} == {stage: set(HandlingEvent) for stage in Stage}


@pytest.mark.parametrize("event", LifeEvent)
@pytest.mark.parametrize("life", OPEN)
def test_a_cell_of_the_life(life: Life, event: LifeEvent) -> None:
    book, decided = in_state(life), Decided()
    row = book.row(POINT)
    assert row is not None
    assert book.life(POINT) is life
    before, cell = dict(row), TABLE[life][event]
    if isinstance(cell, No):
        with pytest.raises(ConflictError, match=re.escape(cell.why.en)):
            book.step(decided, row, event, Cause("x", When.now(NOW_MS, 1)))
        assert (row, decided) == (before, Decided())
        return
    book.step(decided, row, event, Cause("x", When.now(NOW_MS, 1)))
    assert [(one["kind"], one["version"]) for one in decided.events] == [("x", 2)]
    (after,) = decided.alarms
    if Effect.END in cell.effects:
        assert (after["state"], after["inhibited"], book.open_alarms) == ("cleared", None, ())
    elif (
        event is not LifeEvent.ACKNOWLEDGE and event is not LifeEvent.UNACKNOWLEDGE
    ):  # those bring columns of their own
        assert life_of(after) is cell.to
    if Effect.TELL in cell.effects:
        due = after["acknowledge_due_ms"], after["measure_due_ms"]
        assert due == (NOW_MS + 5 * 60_000, NOW_MS + 30 * 60_000)
        assert (after["alarmed_ms"], after["acknowledged_ms"]) == (NOW_MS, None)
    if Effect.HUSH in cell.effects:
        assert (after["acknowledge_due_ms"], after["measure_due_ms"]) == (None, None)


@pytest.mark.parametrize("event", LifeEvent)
def test_a_cell_of_an_alarm_that_is_over(event: LifeEvent) -> None:
    cell = TABLE[Life.NORMAL][event]
    if event is LifeEvent.RAISE or event in (LifeEvent.SHELVE, LifeEvent.SUPPRESS, LifeEvent.REMOVE):
        assert isinstance(cell, Go)
    else:
        assert isinstance(cell, No)


def case(stage: Stage, *, over: bool) -> dict[str, Any]:
    return alarm_row(stage=stage.value, state="cleared" if over else "active", tier=3, acknowledged_ms=7)


@pytest.mark.parametrize("over", [False, True], ids=["active", "over"])
@pytest.mark.parametrize("event", HandlingEvent)
@pytest.mark.parametrize("stage", Stage)
def test_a_cell_of_the_handling(stage: Stage, event: HandlingEvent, *, over: bool) -> None:
    row, cell = case(stage, over=over), STAGES[stage][event]
    if isinstance(cell, No):
        with pytest.raises(ConflictError, match=re.escape(cell.why.en)):
            advance(row, event)
        return
    after = advance(row, event)
    expected = cell
    if over and event is not HandlingEvent.RECOVER and cell in (Stage.VERIFIED, Stage.MEASURES):
        expected = Stage.RECOVERED  # what is over before it is verified has recovered then
    assert after is expected


def do(row: dict[str, Any], verb: Verb, by: str = "li", **said: Any) -> dict[str, Any]:  # noqa: ANN401 - of an act
    book = AlarmBook(PLANT, NAMES, [row] if row["state"] != "cleared" else [], 1, 10_000)
    row = book.row(POINT) or row
    act_on(book, Decided(), row, Act(verb, row["alarm_id"], row["version"], **said), by, "key", When.now(NOW_MS, 1))
    return row


@pytest.mark.parametrize("verb", Verb)
@pytest.mark.parametrize("stage", ENDED)
def test_what_is_closed_is_never_changed(stage: Stage, verb: Verb) -> None:
    row = alarm_row(state="cleared", stage=stage.value)
    before = dict(row)
    with pytest.raises(ConflictError, match="cannot be changed"):
        do(row, verb, comment="but", assignee="wang", verdict="test")
    assert row == before


def test_the_whole_loop() -> None:
    row = alarm_row(tier=1)
    row = do(row, Verb.ACKNOWLEDGE)
    assert (row["stage"], row["hands"]) == ("acknowledged", ["li"])
    row = do(row, Verb.ASSIGN, assignee="wang")
    assert (row["stage"], row["assigned_to"], row["hands"]) == ("assigned", "wang", ["li", "wang"])
    row = do(do(row, Verb.ARRIVE, "wang"), Verb.VERIFY, "wang", verdict="true")
    assert (row["stage"], row["verdict"]) == ("verified", "true")
    with pytest.raises(ConflictError, match="still open"):
        do(row, Verb.CLOSE, "zhao")
    book = AlarmBook(PLANT, NAMES, [row], 1, 10_000)
    row = book.row(POINT) or {}
    book.step(Decided(), row, LifeEvent.CLEAR, Cause("cleared", When.now(NOW_MS, 1)))
    assert (row["state"], row["stage"]) == ("cleared", "recovered")
    with pytest.raises(ConflictError, match="at least one measure"):
        do(row, Verb.CLOSE, "zhao")
    row = do(row, Verb.MEASURE, "wang", comment="valve closed")
    for hand in ("li", "wang"):
        with pytest.raises(ConflictError, match="had no hand in it"):
            do(row, Verb.CLOSE, hand)
    row = do(row, Verb.CLOSE, "zhao")
    assert (row["stage"], row["closed_by"], row["closed_ms"]) == ("closed", "zhao", NOW_MS)


@pytest.mark.parametrize("tier", [3, 4])
def test_yellow_and_blue_may_be_closed_by_who_handled_them(tier: int) -> None:
    row = do(alarm_row(tier=tier, state="cleared", acknowledged_ms=7), Verb.VERIFY, verdict="instrument")
    assert do(row, Verb.CLOSE)["stage"] == "closed"


def test_late_things_are_no_longer_late_when_they_are_done() -> None:
    row = alarm_row(overdue="acknowledge,measure")
    assert do(row, Verb.ACKNOWLEDGE)["overdue"] == "measure"
    assert do(row, Verb.MEASURE, comment="x")["overdue"] == "acknowledge"


def test_the_defaults_are_what_the_page_says() -> None:
    minutes = [
        [ms / 60_000 for ms in of.values()] for of in (DEFAULT_HANDLING.acknowledge_ms, DEFAULT_HANDLING.measure_ms)
    ]
    assert minutes == [[3, 5, 10, 30], [15, 30, 60, 240]]
    assert [ms / 60_000 for ms in DEFAULT_HANDLING.re_alarm_ms.values()] == [30, 60, 120]


def test_the_page_shows_the_tables_as_they_are() -> None:
    checked = subprocess.run([sys.executable, "scripts/render_lifecycle.py", "--check"], cwd=ROOT, check=False,
                             env={"PYTHONPATH": str(ROOT)})  # fmt: skip
    assert checked.returncode == 0, "run: python scripts/render_lifecycle.py --write"
