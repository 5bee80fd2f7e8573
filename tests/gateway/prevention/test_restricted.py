"""The restricted catalogue by day, district and version; transfers; credit as of a date."""

from __future__ import annotations

from dataclasses import replace

import pytest

from config.days import day_of, day_start_ms
from gateway.access.roles import Scope
from gateway.errors import BadRequestError, ConflictError, NotFoundError
from gateway.prevention.credit import Appeal, CreditStatus, Standing
from gateway.prevention.restricted import Approval, Level, Outcome, Restriction, Transfer
from tests.gateway.api.world import T0
from tests.support.prevention import ACME, ALL, ANN, BOB, BRAVO, TOWN, Office

CL2 = "7782-50-5"
DAY_MS = 86_400_000
TODAY, TOMORROW = day_of(T0), day_of(T0 + DAY_MS)
ENTRY = Restriction("cl2", 0, CL2, "", Level.CONTROLLED, 10.0, False, TODAY, "", "鲁应急", "toxic")  # noqa: FBT003


def level(office: Office, at_ms: int = T0, district: str = "town-a") -> tuple[str, float | None, bool]:
    status = office.prevention.restricted.status(CL2, at_ms, district)
    return status.level.value, status.limit_t, status.approval


def test_a_version_holds_from_its_day_and_the_one_before_goes_on_for_the_days_before(office: Office) -> None:
    restricted = office.prevention.restricted
    restricted.write(ENTRY, ANN)
    restricted.write(replace(ENTRY, version=1, level=Level.PROHIBITED, from_day=TOMORROW, until_day=TOMORROW), ANN)
    begin_ms = day_start_ms(TODAY)
    at = [level(office, begin_ms + ms)[0] for ms in (-1, 0, DAY_MS - 1, DAY_MS, 2 * DAY_MS - 1, 2 * DAY_MS)]
    assert at == ["free", "controlled", "controlled", "prohibited", "prohibited", "free"]
    with pytest.raises(ConflictError, match="version 2 now, not 1"):
        restricted.write(replace(ENTRY, version=1), ANN)
    with pytest.raises(ConflictError, match="another entry"):
        restricted.write(replace(ENTRY, version=2, cas="7664-41-7"), ANN)
    with pytest.raises(BadRequestError, match="until_day"):
        restricted.write(replace(ENTRY, id="x", until_day="2000-01-01"), ANN)
    with pytest.raises(BadRequestError, match="no district"):
        restricted.write(replace(ENTRY, id="x", area="moon"), ANN)
    assert [(one.id, one.version) for one in restricted.entries(("", 0), 10)] == [("cl2", 1), ("cl2", 2)]
    assert [one.version for one in restricted.entries(("cl2", 1), 10, CL2)] == [2]


def test_what_holds_above_holds_below_and_the_strictest_counts(office: Office) -> None:
    office.put("district", "city", level="city")
    office.put("district", "town-a", level="town", parent="city")
    restricted = office.prevention.restricted
    restricted.write(replace(ENTRY, id="city-wide", area="city", approval=True), ANN)
    restricted.write(replace(ENTRY, id="here", area="town-a", level=Level.RESTRICTED, limit_t=2.0), ANN)
    restricted.write(replace(ENTRY, id="there", area="town-b", level=Level.PROHIBITED), ANN)
    assert level(office) == ("restricted", 2.0, True)
    assert level(office, district="town-b") == ("prohibited", 10.0, False)
    assert level(office, district="") == ("free", None, False)
    entries = restricted.status(CL2, T0, "town-a").entries
    assert [one.id for one in entries] == ["here", "city-wide"]


def test_a_transfer_is_blocked_or_needs_an_approval_or_may_be(office: Office) -> None:
    restricted = office.prevention.restricted

    def ask(tonnes: float, approval: str = "", enterprise: str = "acme") -> tuple[str, str]:
        verdict = restricted.check(Transfer(CL2, tonnes, enterprise, approval), ALL)
        return verdict.outcome.value, " ".join(verdict.reasons)

    assert ask(1e6) == ("allowed", "")
    restricted.write(replace(ENTRY, approval=True), ANN)
    assert ask(10.01)[0] == "blocked"
    assert ask(10)[0] == "needs_approval"
    wanted = Approval("", "acme", "", CL2, 5.0, TODAY, TODAY, "no. 7", 0, "", None)
    approval = restricted.approve(wanted, ALL, ANN)
    assert ask(5, approval.id) == ("allowed", "")
    assert "5 t at most" in ask(5.1, approval.id)[1]
    of_other = ask(5, approval.id, "bravo")[1].replace(approval.id, "")
    assert of_other == ask(5, "none", "bravo")[1].replace("none", ""), "somebody else's answers like none"
    office.clock.now_ms = day_start_ms(TODAY) + DAY_MS
    assert "does not hold" in ask(5, approval.id)[1]
    office.clock.now_ms = T0
    restricted.withdraw(approval.id, ALL, ANN)
    assert "does not hold" in ask(5, approval.id)[1]
    restricted.write(replace(ENTRY, id="ban", level=Level.PROHIBITED), ANN)
    assert ask(0.001, approval.id)[0] == Outcome.BLOCKED


def entered(office: Office, standing: Standing = Standing.BLACKLISTED, until: str = "") -> CreditStatus:
    asked = CreditStatus("", 0, "acme", "", standing, TODAY, until, "省厅", "late reports", Appeal.NONE, 0, "")
    return office.prevention.credit.enter(asked, ALL, ANN)


def test_credit_is_as_it_was_known_on_a_day(office: Office) -> None:
    credit = office.prevention.credit
    entered(office, Standing.WATCHED)
    office.clock.now_ms += 1000
    worst = entered(office, until=TODAY)
    office.clock.now_ms += 1000
    credit.appeal(worst.id, Appeal.FILED, "", ALL, ANN)
    office.clock.now_ms += 1000
    credit.appeal(worst.id, Appeal.UPHELD, "not theirs", ALL, ANN)

    def at(ms: int) -> tuple[str, str] | None:
        found = credit.of("acme", T0 + ms)
        return None if found is None else (found.standing.value, found.appeal.value)

    assert [at(ms) for ms in (-1, 0, 1000, 2000, 3000)] == [
        None, ("watched", "none"), ("blacklisted", "none"), ("blacklisted", "filed"), ("watched", "none"),
    ]  # fmt: skip
    assert len(credit.history(ALL, "acme")) == 4
    with pytest.raises(ConflictError, match="may become"):
        credit.appeal(worst.id, Appeal.FILED, "", ALL, ANN)


def test_an_entry_ends_with_its_last_day(office: Office) -> None:
    entered(office, until=TODAY)
    end_ms = day_start_ms(TODAY) + DAY_MS
    found = [office.prevention.credit.of("acme", ms) for ms in (end_ms - 1, end_ms)]
    assert [one is None for one in found] == [False, True]


@pytest.mark.parametrize("scope", [BRAVO, TOWN])
def test_who_may_not_see_it_learns_nothing(office: Office, scope: Scope) -> None:
    restricted, credit = office.prevention.restricted, office.prevention.credit
    entry = entered(office)
    wanted = Approval("", "acme", "", CL2, 5.0, TODAY, TODAY, "no. 7", 0, "", None)
    approval = restricted.approve(wanted, ALL, ANN)
    assert restricted.approvals(scope, "", 10) == []
    assert [one.id for one in restricted.approvals(ACME, "", 10)] == [approval.id]
    for ask in (lambda name: credit.history(scope, name), lambda name: restricted.check(Transfer(CL2, 1, name), scope),
                lambda name: restricted.approve(replace(wanted, enterprise=name), scope, BOB)):  # fmt: skip
        with pytest.raises(BadRequestError) as hidden:
            ask("acme")
        with pytest.raises(BadRequestError) as none:
            ask("nobody")
        assert str(hidden.value).replace("acme", "") == str(none.value).replace("nobody", "")
    for name in (entry.id, "none"):
        with pytest.raises(NotFoundError):
            credit.appeal(name, Appeal.FILED, "", scope, BOB)
    for name in (approval.id, "none"):
        with pytest.raises(NotFoundError):
            restricted.withdraw(name, scope, BOB)
