"""Direct reports: the clock starts by itself, the chain by level, every version kept, late ones seen as late."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import insert, select, update

from config.prevention import load_prevention
from gateway.access.roles import Scope
from gateway.errors import BadRequestError, ConflictError, NotFoundError
from gateway.prevention.machine import No
from gateway.prevention.packets import Said
from gateway.prevention.report_states import REPORTS, ReportEffect, ReportEvent, ReportState
from gateway.prevention.reports import Report
from gateway.records import audit, schema
from gateway.records.prevention_tables import accident_report, accident_version
from tests.gateway.api.world import T0
from tests.support.prevention import ACME, ALL, ANN, BOB, BRAVO, HOUR_MS, TOWN, Office
from tests.support.rows import event_row

E, S = ReportEvent, ReportState
TO = {S.STARTED: (), S.DRAFTED: (E.DRAFT,), S.SIGNED: (E.DRAFT, E.SIGN), S.SENT: (E.DRAFT, E.SIGN, E.SEND),
      S.AMENDING: (E.DRAFT, E.SIGN, E.SEND, E.DRAFT),
      S.AMENDMENT_SIGNED: (E.DRAFT, E.SIGN, E.SEND, E.DRAFT, E.SIGN),
      S.CLOSED: (E.DRAFT, E.SIGN, E.SEND, E.CLOSE), S.WITHDRAWN: (E.WITHDRAW,)}  # fmt: skip
"""How to come into a state."""


def started(office: Office, unit: str = "u-a") -> Report:
    return office.prevention.reports.start(ALL, {"hazard_unit": unit}, "", office.clock.now_ms, "seen", ANN)


def do(office: Office, report: Report, *events: ReportEvent, said: Said = Said()) -> Report:  # noqa: B008 - frozen
    for event in events:
        if event is E.DRAFT:
            report = office.prevention.reports.draft(report.id, said, None, report.version, ALL, ANN)
        else:
            to = "city" if event is E.FORWARD else ""
            report = office.prevention.reports.act(report.id, event, report.version, "because", ALL, BOB, to=to)
    return report


def test_every_cell(light_office: Office) -> None:
    office = light_office
    assert {state: set(cells) for state, cells in REPORTS.items()} == {state: set(E) for state in S}
    for state in S:
        for event in E:
            with office.writer.begin() as connection:  # one of a place runs at a time
                connection.execute(update(accident_report).values(state="closed"))
            before, cell = do(office, started(office), *TO[state]), REPORTS[state][event]
            assert before.state is state
            if isinstance(cell, No):
                with pytest.raises(ConflictError, match=cell.why.en):
                    do(office, before, event)
                after = before
            else:
                after = do(office, before, event)
                assert after.state is cell.to
                assert (len(after.versions) > len(before.versions)) == (ReportEffect.NEW_VERSION in cell.effects)
                assert (after.ended_ms is not None) == (ReportEffect.END in cell.effects)
                if ReportEffect.SEAL in cell.effects:
                    assert after.versions[-1].signed_by == "bob"
                if ReportEffect.STAMP_SENT in cell.effects:
                    assert (after.versions[-1].sent_ms, after.steps[0].done_by) == (T0, "bob")
                if ReportEffect.STAMP_STEP in cell.effects:
                    assert after.steps[1].done_ms == T0


def test_the_bands_of_the_levels() -> None:
    rules = load_prevention().reports[0]
    cases = [(0, 0, 0), (2, 9, 999.9), (3, 0, 0), (0, 10, 0), (0, 0, 1000), (9, 49, 4999), (10, 0, 0), (0, 50, 0),
             (0, 0, 5000), (29, 99, 9999), (30, 0, 0), (0, 100, 0), (0, 0, 10000)]  # fmt: skip
    levels = [rules.level_of(*case) for case in cases]
    assert levels == ["general"] * 2 + ["larger"] * 4 + ["major"] * 4 + ["extraordinary"] * 3
    assert {level: len(rules.steps(level)) for level in rules.levels} == {
        "extraordinary": 4, "major": 4, "larger": 3, "general": 2,
    }  # fmt: skip


def test_one_hour_is_in_time_and_a_millisecond_more_is_late(office: Office) -> None:
    for at_ms, late in ((HOUR_MS, False), (HOUR_MS + 1, True)):
        office.clock.now_ms = T0
        report = do(office, started(office), E.DRAFT, E.SIGN)
        office.clock.now_ms = T0 + at_ms
        report = do(office, report, E.SEND)
        assert (report.steps[0].late, report.versions[-1].late) == (late, late)
        assert report.steps[1].due_ms == T0 + 3 * HOUR_MS
        do(office, report, E.CLOSE)
    reports = office.prevention.reports
    assert len(reports.find(ALL, late=True)) == len(reports.find(ALL, late=False)) == 1


def test_nobody_reports_and_it_is_seen_as_late(office: Office) -> None:
    report, reports = started(office), office.prevention.reports
    office.clock.now_ms = T0 + HOUR_MS + 1
    assert [one.late for one in reports.get(report.id, ALL).steps] == [True, False]
    assert [one.id for one in reports.find(ALL, late=True)] == [report.id]
    assert (reports.turn(office.clock.now_ms), reports.turn(office.clock.now_ms)) == (1, 0)


def test_a_worse_level_goes_further_up_and_missed_clocks_stay(office: Office) -> None:
    report = do(office, started(office), E.DRAFT, said=Said(deaths=3))
    assert (report.level, [one.step for one in report.steps]) == ("larger", ["county", "city", "province"])
    assert report.steps[2].due_ms == T0 + 5 * HOUR_MS
    assert [one.step for one in do(office, report, E.DRAFT, said=Said(deaths=2)).steps] == ["county", "city"]
    office.clock.now_ms = T0 + 6 * HOUR_MS
    report = do(office, office.prevention.reports.get(report.id, ALL), E.DRAFT, said=Said(deaths=10))
    report = do(office, report, E.DRAFT)
    assert [(one.step, one.late) for one in report.steps] == [("county", True), ("city", True), ("province", True)]


def test_the_chain_is_followed_in_order(office: Office) -> None:
    report = do(office, started(office), E.DRAFT, E.SIGN, E.SEND, said=Said(deaths=3))
    act = office.prevention.reports.act
    with pytest.raises(ConflictError, match="next is"):
        act(report.id, E.FORWARD, report.version, "", ALL, ANN, to="province")
    with pytest.raises(BadRequestError, match="allowed"):
        act(report.id, E.FORWARD, report.version, "", ALL, ANN, to="state")
    report = act(report.id, E.FORWARD, report.version, "", ALL, ANN, to="city")
    with pytest.raises(ConflictError, match="look again"):
        act(report.id, E.FORWARD, report.version - 1, "", ALL, ANN, to="province")


def test_every_version_is_kept_and_tampering_shows(office: Office) -> None:
    report = do(office, started(office), E.DRAFT, E.SIGN, E.SEND, said=Said(injured=1))
    office.clock.now_ms += 30 * 24 * HOUR_MS + 1
    report = do(office, report, E.DRAFT, E.SIGN, E.SEND, said=Said(injured=2))
    said = [(one.version, one.packet.said.injured, one.late, one.sound) for one in report.versions]
    assert said == [(1, 1, False, True), (2, 2, True, True)]
    first = accident_version.c.version == 1
    with office.writer.begin() as connection:
        body = connection.execute(select(accident_version.c.body).where(first)).scalar_one()
        forged = body.replace('"injured":1', '"injured":0')
        connection.execute(update(accident_version).where(first).values(body=forged))
    assert [one.sound for one in office.prevention.reports.get(report.id, ALL).versions] == [False, True]
    with office.means.reader.connect() as connection:
        acts = [one["act"].split(".")[1] for one in audit.rows(connection) if one["subject"] == report.id]
    assert acts == ["start", "draft", "sign", "send", "draft", "sign", "send"]


def verified(office: Office, name: str, unit: str = "u-a", **changes: object) -> None:
    office.alarm(name, unit, **{"tag": "g-a", "tier": 1, "stage": "verified", "verdict": "true", **changes})
    with office.writer.begin() as connection:
        row = event_row(event_id=abs(hash(name)) % 10**6, alarm_id=name, kind="verified", decided_ms=T0 + 5)
        connection.execute(insert(schema.alarm_event), [row])


def test_the_first_alarm_that_is_true_starts_the_clock(office: Office) -> None:
    verified(office, "false", verdict="false")
    verified(office, "yellow", tier=3)
    verified(office, "nowhere", "u-unknown")
    reports = office.prevention.reports
    assert reports.turn(T0) == 0
    verified(office, "real")
    verified(office, "again")
    office.clock.now_ms = T0 + 10
    assert (reports.turn(T0 + 10), reports.turn(T0 + 20)) == (1, 0)
    (report,) = reports.find(ALL)
    assert report.alarm_id in ("real", "again")
    assert (report.hazard_unit, report.began_ms, report.began_by) == ("u-a", T0 + 5, "system")
    do(office, report, E.WITHDRAW)
    reports.turn(T0 + 30)
    assert len(reports.find(ALL)) == 2, "the other alarm is one of its own; a withdrawn one does not come back"


def test_the_packet_is_filled_from_the_data(office: Office) -> None:
    office.alarm("before", raised_ms=T0 - HOUR_MS)
    office.alarm("long-ago", raised_ms=T0 - HOUR_MS - 1)
    office.alarm("elsewhere", "u-b")
    with office.writer.begin() as connection:
        detail = {"by": "li", "comment": "关阀"}
        row = event_row(event_id=77, alarm_id="before", kind="measured", decided_ms=T0, detail=detail)
        connection.execute(insert(schema.alarm_event), [row])
    filled = do(office, started(office), E.DRAFT).versions[0].packet.filled
    assert (filled.enterprise_zh, filled.phone, filled.unit_zh) == ("acme号", "0533", "u-a号")
    assert [(one.vessel, one.cas) for one in filled.substances] == [("v-a", "7782-50-5")]
    assert [one.alarm_id for one in filled.alarms] == ["before"]
    assert [(one.by, one.text) for one in filled.measures] == [("li", "关阀")]


@pytest.mark.parametrize("scope", [BRAVO, TOWN])
def test_who_may_not_see_it_learns_nothing(office: Office, scope: Scope) -> None:
    reports, report = office.prevention.reports, started(office)
    assert reports.find(scope) == []
    assert [one.id for one in reports.find(ACME)] == [report.id]
    asks: tuple[Callable[[str], object], ...] = (
        lambda name: reports.get(name, scope),
        lambda name: reports.draft(name, Said(), None, 1, scope, BOB),
        lambda name: reports.act(name, E.WITHDRAW, 1, "", scope, BOB),
    )
    for ask in asks:
        with pytest.raises(NotFoundError) as hidden:
            ask(report.id)
        with pytest.raises(NotFoundError) as none:
            ask("f" * 16)
        assert str(hidden.value).replace(report.id, "") == str(none.value).replace("f" * 16, "")
    with pytest.raises(BadRequestError) as hidden_unit:
        reports.start(scope, {"hazard_unit": "u-a"}, "", T0, "x", BOB)
    with pytest.raises(BadRequestError) as no_unit:
        reports.start(scope, {"hazard_unit": "u-x"}, "", T0, "x", BOB)
    assert str(hidden_unit.value).replace("u-a", "") == str(no_unit.value).replace("u-x", "")
