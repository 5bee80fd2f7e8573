"""The daily commitment: by ten, prefilled, frozen, and held against the live state until the day is over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest
from sqlalchemy import update

from config.days import day_of, day_start_ms
from gateway.access.roles import Scope
from gateway.errors import BadRequestError, ConflictError
from gateway.prevention.app import Ports, make_prevention
from gateway.prevention.contradictions import Committed
from gateway.prevention.permit_states import PermitEvent
from gateway.prevention.permits import Asked, Work
from gateway.records import schema
from gateway.records.prevention_tables import commitment
from tests.gateway.api.world import T0
from tests.support.prevention import ACME, ALL, ANN, BOB, BRAVO, HOUR_MS, TOWN, Office

TODAY = day_of(T0)
TEN_MS = day_start_ms(TODAY) + 10 * HOUR_MS
CALM = Committed(True, 3, 0, 0, {}, 0)  # noqa: FBT003
"""Units of the registry, and those the plant file gives acme."""


@pytest.fixture(autouse=True)
def _in_the_morning(office: Office) -> None:
    office.clock.now_ms = TEN_MS - HOUR_MS


def sign(office: Office, said: Committed = CALM, enterprise: str = "acme") -> None:
    office.prevention.commitments.sign(ALL, enterprise, TODAY, said, ANN)


def told(office: Office) -> list[tuple[str, str, int, int | None]]:
    found = office.prevention.commitments.of(ALL, "acme", TODAY)
    assert found is not None
    return [(one.kind, one.subject, one.began_ms, one.ended_ms) for one in found.contradictions]


def open_permit(office: Office) -> None:
    now_ms = office.clock.now_ms
    permit = office.prevention.permits.make(
        Asked("lifting", "", "u-a", "", now_ms, now_ms + HOUR_MS, Work("crane")), ALL, ANN
    )
    for version, event in enumerate((PermitEvent.APPROVE, PermitEvent.OPEN), 1):
        office.prevention.permits.act(permit.id, event, version, "", ALL, BOB)


def test_it_is_drafted_from_what_is(office: Office) -> None:
    office.show("GD-1")
    office.alarm("yellow", tier=3)
    office.alarm("of-b", "u-b", tier=1)
    open_permit(office)
    draft = office.prevention.commitments.draft(ALL, "acme", TODAY)
    assert draft.committed == Committed(True, 1, 2, 0, {"lifting": 1}, 0)  # noqa: FBT003
    assert (draft.live.units, draft.live.units_live) == (3, 1)
    assert draft.live.alarms_by_tier == {"1": 0, "2": 0, "3": 1, "4": 0}
    assert (draft.clashes, draft.overdue, draft.due_ms) == ((), False, TEN_MS)
    assert [one.split(":")[0] for one in draft.live.unknown] == ["major_dangers", "overdue_checks"]
    office.alarm("red", tier=1)
    assert not office.prevention.commitments.draft(ALL, "acme", TODAY).committed.under_control


def test_ten_is_in_time_and_later_is_late(office: Office) -> None:
    office.clock.now_ms = TEN_MS
    sign(office)
    states = {one.enterprise: one.state for one in office.prevention.commitments.days(ALL, TODAY, "", 10)}
    assert states == {"acme": "signed", "bravo": "due"}
    office.clock.now_ms = TEN_MS + 1
    assert [one.state for one in office.prevention.commitments.days(BRAVO, TODAY, "", 10)] == ["missing"]
    sign(office, Committed(True, 1, 0, 0, {}, 0), "bravo")  # noqa: FBT003
    assert [one.state for one in office.prevention.commitments.days(TOWN, TODAY, "", 10)] == ["late"]


def test_it_is_signed_once_for_today_and_shows_tampering(office: Office) -> None:
    sign(office)
    with pytest.raises(ConflictError, match="already"):
        sign(office)
    with pytest.raises(BadRequestError, match="today"):
        office.prevention.commitments.sign(ALL, "acme", day_of(T0 - 86_400_000), CALM, ANN)
    found = office.prevention.commitments.of(ALL, "acme", TODAY)
    assert found is not None
    assert (found.sound, found.committed, found.signed_by) == (True, CALM, "ann")
    with office.writer.begin() as connection:
        connection.execute(update(commitment).values(signed_by="mallory"))
    found = office.prevention.commitments.of(ALL, "acme", TODAY)
    assert found is not None
    assert not found.sound


def test_what_contradicts_is_listed_from_when_to_when(office: Office) -> None:
    sign(office)
    assert told(office) == []
    office.clock.now_ms = first = TEN_MS + HOUR_MS
    office.alarm("red", tier=1)
    open_permit(office)
    turn = office.prevention.commitments.turn
    assert turn(first) == 2
    assert turn(first + 1) == 0
    assert told(office) == [("alarm", "red", first, None), ("permits", "lifting", first, None)]
    with office.writer.begin() as connection:
        connection.execute(update(schema.alarm).values(state="cleared"))
    office.clock.now_ms = later = first + 2 * HOUR_MS
    office.prevention.permits.turn(later)
    assert turn(later) == 2
    assert told(office) == [("alarm", "red", first, later), ("permits", "lifting", first, later)]


def test_many_enterprises_take_their_turns(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.prevention.commitments._AT_ONCE", 1)
    for enterprise in ("acme", "bravo"):
        sign(office, replace(CALM, units_running=3 if enterprise == "acme" else 1), enterprise)
        office.alarm(f"red-{enterprise}", {"acme": "u-a", "bravo": "u-b"}[enterprise], tier=1)
    turn = office.prevention.commitments.turn
    assert [turn(office.clock.now_ms) for _ in range(4)] == [1, 1, 0, 0]


def test_what_is_admitted_contradicts_nothing(office: Office) -> None:
    office.alarm("red", tier=1)
    open_permit(office)
    sign(office, replace(CALM, under_control=False, permits={"lifting": 1}))
    assert told(office) == []


def test_what_contradicts_ends_with_its_day(office: Office) -> None:
    office.alarm("red", tier=1)
    sign(office)
    midnight = day_start_ms(TODAY) + 24 * HOUR_MS
    assert office.prevention.commitments.turn(midnight - 1) == 0
    assert office.prevention.commitments.turn(midnight + HOUR_MS) == 1
    assert told(office) == [("alarm", "red", TEN_MS - HOUR_MS, midnight)]


@dataclass
class Danger:
    grade: str


class OtherRooms:
    """Knows one major danger and two overdue checks of acme."""

    def open_at(self, scope: Scope, *, enterprise: str = "", limit: int = 20) -> Sequence[Danger]:  # noqa: ARG002
        return [Danger("major"), Danger("general")] if enterprise == "acme" else []

    def overdue(self, enterprise: str) -> int:
        return 2 if enterprise == "acme" else 0


def test_hidden_dangers_and_checks_count_where_they_are_known(office: Office) -> None:
    rooms = OtherRooms()
    office.prevention = make_prevention(office.means, Ports(rooms, rooms))
    draft = office.prevention.commitments.draft(ALL, "acme", TODAY)
    assert (draft.committed.major_dangers, draft.live.overdue_checks, draft.live.unknown) == (1, 2, ())
    assert not draft.committed.under_control
    sign(office)
    assert [one[0] for one in told(office)] == ["major_dangers", "overdue_checks"]


@pytest.mark.parametrize("scope", [BRAVO, TOWN])
def test_who_may_not_see_it_learns_nothing(office: Office, scope: Scope) -> None:
    sign(office)
    commitments = office.prevention.commitments
    assert commitments.of(scope, "acme", TODAY) is None
    assert commitments.of(ACME, "acme", TODAY) is not None
    with pytest.raises(BadRequestError) as hidden:
        commitments.draft(scope, "acme", TODAY)
    with pytest.raises(BadRequestError) as signing:
        commitments.sign(scope, "acme", TODAY, CALM, BOB)
    with pytest.raises(BadRequestError) as none:
        commitments.draft(scope, "nobody", TODAY)
    assert str(hidden.value) == str(signing.value) == str(none.value).replace("nobody", "acme")
    assert [one.enterprise for one in commitments.days(scope, TODAY, "", 10)] == ["bravo"]
