"""Every version of every record: as it is, as it was, whose it is, and nothing half written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import Engine

from config.settings import RecordsAddress
from gateway.access.roles import EVERYTHING, Caller, Scope
from gateway.commands import By
from gateway.errors import ConflictError
from gateway.records import audit
from gateway.records.database import open_desk, open_reader, open_writer
from gateway.registry.store import Draft, Registry
from tests.gateway.api.world import T0, SetClock

ALL = Scope()
ANN = By("ann", "10.0.0.1")


@dataclass
class Office:
    """A registry with a clock one can set."""

    registry: Registry
    clock: SetClock

    def put(self, kind: str, name: str, **fields: object) -> None:
        body = {"id": name, "name_zh": name, **fields}
        self.registry.write([Draft(kind, body)], ANN, "test")
        self.clock.now_ms += 1000


@pytest.fixture
def office(tmp_path: Path, records_address: RecordsAddress | None) -> Iterator[Office]:
    clock = SetClock()
    open_writer(tmp_path, records_address).dispose()
    desk, reader = open_desk(tmp_path, records_address), open_reader(tmp_path, records_address)
    with closing(_Both(desk, reader)):
        yield Office(Registry(desk, reader, clock), clock)


class _Both:
    def __init__(self, *engines: Engine) -> None:
        self.engines = engines

    def close(self) -> None:
        for engine in self.engines:
            engine.dispose()


def test_a_record_is_as_it_was_at_every_time(office: Office) -> None:
    office.put("enterprise", "acme", phone="1")
    office.put("enterprise", "acme", phone="2")
    office.registry.write([Draft("enterprise", {"id": "acme"}, gone=True)], ANN, "closed down")
    seen = [office.registry.get("enterprise", "acme", ALL, T0 + at) for at in (-1, 0, 999, 1000, 1999, 2000)]
    assert [one and one.body["phone"] for one in seen] == [None, "1", "1", "2", "2", None]
    assert office.registry.get("enterprise", "acme", ALL) is None
    told = [(one.version, one.gone, one.by, one.why) for one in office.registry.history("enterprise", "acme", ALL)]
    assert told == [(1, False, "ann", "test"), (2, False, "ann", "test"), (3, True, "ann", "closed down")]


def test_the_same_again_is_no_new_version(office: Office) -> None:
    office.put("site", "north", enterprise="acme")
    office.put("site", "north", enterprise="acme")
    assert len(office.registry.history("site", "north", ALL)) == 1


@pytest.mark.parametrize("expected", [0, 2])
def test_who_saw_another_version_writes_nothing(office: Office, expected: int) -> None:
    office.put("site", "north", enterprise="acme")
    other, stale = Draft("site", {"id": "s", "enterprise": "a"}), Draft("site", {"id": "north", "x": 1}, expected)
    with pytest.raises(ConflictError, match="site north is at version 1 now"):
        office.registry.write([other, stale], ANN, "test")
    assert [one.id for one in office.registry.find("site", ALL)] == ["north"]


def test_what_is_gone_can_be_written_anew(office: Office) -> None:
    office.put("site", "north", enterprise="acme")
    office.registry.write([Draft("site", {"id": "north"}, gone=True)], ANN, "sold")
    office.registry.write([Draft("site", {"id": "north", "enterprise": "acme"}, 0)], ANN, "bought back")
    assert [one.version for one in office.registry.find("site", ALL)] == [3]


def test_a_clock_set_back_leaves_no_time_with_two_versions(office: Office) -> None:
    office.put("site", "north", enterprise="acme")
    office.clock.now_ms = T0 - 5000
    office.put("site", "north", enterprise="acme", address="new")
    one = office.registry.get("site", "north", ALL, T0)
    assert one is not None
    assert one.body["address"] == "new"


def test_only_what_is_in_scope_is_seen(office: Office) -> None:
    office.put("enterprise", "acme", district="town-1")
    office.put("enterprise", "bravo", district="town-2")
    for enterprise in ("acme", "bravo"):
        office.put("vessel", f"{enterprise}-t1", enterprise=enterprise, hazard_unit="u")
    office.put("resource", "foam")
    acme = Scope(frozenset({"acme"}))
    find = office.registry.find
    assert [one.id for one in find("enterprise", acme)] == ["acme"]
    assert [one.id for one in find("vessel", acme, parent="u")] == ["acme-t1"]
    assert [one.id for one in find("vessel", acme, enterprise="bravo")] == []
    assert [one.id for one in find("enterprise", Scope(districts=frozenset({"town-2"})))] == ["bravo"]
    assert [one.id for one in find("resource", acme)] == ["foam"]
    assert office.registry.get("vessel", "bravo-t1", acme) is None
    assert office.registry.history("vessel", "bravo-t1", acme) == []


def test_a_district_stands_for_all_below_it(office: Office) -> None:
    for name, parent in (("city", ""), ("county", "city"), ("town", "county"), ("other", "city")):
        office.put("district", name, parent=parent, level="town")
    caller = Caller("c", "c", None, EVERYTHING, Scope(districts=frozenset({"county"})), "")
    scope = office.registry.widened(caller).scope
    assert scope.covers("x", "county")
    assert scope.covers("x", "town")
    assert not scope.covers("x", "other")
    assert scope == caller.scope


def test_whoever_writes_is_in_the_audit_log(office: Office) -> None:
    office.put("site", "north", enterprise="acme")
    with office.registry._reader.begin() as connection:
        rows = list(audit.rows(connection))
    assert [(row["act"], row["account"], row["subject"]) for row in rows] == [("registry.write", "ann", "site/north")]


def test_pages_go_through_all_of_them(office: Office) -> None:
    drafts = [Draft("site", {"id": f"s{number:04}", "enterprise": "acme"}) for number in range(1201)]
    office.registry.write(drafts, ANN, "many")
    assert len(office.registry.many("site", (f"s{number:04}" for number in range(1201)), ALL)) == 1201
    seen: list[str] = []
    while page := office.registry.find("site", ALL, after=seen[-1] if seen else "", limit=500):
        seen += [one.id for one in page]
    assert seen == [f"s{number:04}" for number in range(1201)]
