"""Findings from terminals: the same again changes nothing, other content is refused, late ones keep their time."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pytest

from gateway.access.roles import Scope
from gateway.commands import By
from gateway.errors import BadRequestError, ConflictError, NotFoundError
from gateway.prevention.app import Ports, make_prevention
from gateway.prevention.findings import Finding, FindingFilter, Said
from tests.gateway.api.world import T0
from tests.support.prevention import ACME, ALL, ANN, BOB, BRAVO, HOUR_MS, MINUTE_MS, TOWN, Office

JPEG = b"\xff\xd8\xff rust on flange 7"
HASH = sha256(JPEG).hexdigest()
SAID = Said("c-1", T0 - 5 * HOUR_MS, "rust", "general", tag="g-a", latitude_deg=36.8, longitude_deg=118.0,
            accuracy_m=12.5, photos=(HASH,))  # fmt: skip


def send(office: Office, *said: Said, scope: Scope = ALL, by: By = ANN) -> list[tuple[str, str | None]]:
    return [(one.result, one.finding_id) for one in office.prevention.findings.take(said, scope, by)]


def test_the_same_again_changes_nothing_and_other_content_is_refused(office: Office) -> None:
    ((kept, name),) = send(office, SAID)
    assert kept == "kept"
    office.clock.now_ms += HOUR_MS
    assert send(office, SAID) == [("same", name)]
    (other,) = office.prevention.findings.take([replace(SAID, text="no rust")], ALL, ANN)
    assert other.result == "refused"
    assert "other content" in other.why
    found = office.prevention.findings.find(FindingFilter(), ALL, None, 10)
    assert [(one.said.text, one.received_ms, one.found_ms) for one in found] == [("rust", T0, T0 - 5 * HOUR_MS)]
    assert (found[0].hazard_unit, found[0].tag, found[0].enterprise) == ("u-a", "g-a", "acme")


def test_each_of_a_batch_is_answered_for_itself(office: Office) -> None:
    ahead = 10 * MINUTE_MS
    batch = [
        replace(SAID, client_id="nowhere", tag="none"),
        replace(SAID, client_id="edge", found_ms=T0 + ahead),
        replace(SAID, client_id="future", found_ms=T0 + ahead + 1),
        SAID,
        SAID,
        replace(SAID, client_id="without", tag=""),
        replace(SAID, client_id="two", hazard_unit="u-b"),
    ]
    results = [one.result for one in office.prevention.findings.take(batch, ALL, ANN)]
    assert results == ["refused", "kept", "refused", "kept", "same", "refused", "refused"]


def test_photos_are_announced_and_follow(office: Office) -> None:
    findings = office.prevention.findings
    ((_, name),) = send(office, SAID)
    assert name is not None
    assert findings.get(name, ALL).missing == (HASH,)
    pdf = b"%PDF-1.7"
    wrong = [(HASH, b"\xff\xd8\xff other", "does not fit"), (sha256(pdf).hexdigest(), pdf, "neither JPEG"),
             (sha256(JPEG + b"2").hexdigest(), JPEG + b"2", "announced no"),
             (sha256(b"<svg>").hexdigest(), b"<svg>", "neither JPEG")]  # fmt: skip
    for digest, content, why in wrong:
        with pytest.raises(BadRequestError, match=why):
            findings.add_photo(name, digest, content, ALL, ANN)
    for _ in range(2):
        assert findings.add_photo(name, HASH, JPEG, ALL, ANN).missing == ()
    assert findings.photo(name, HASH, ALL) == ("image/jpeg", JPEG)
    assert findings.take([SAID], ALL, ANN)[0].missing == ()


def test_one_terminal_never_meets_anothers_ids(office: Office) -> None:
    own = send(office, SAID)
    other = send(office, replace(SAID, tag="g-b", text="secret"), scope=BRAVO, by=BOB)
    assert (own[0][0], other[0][0]) == ("kept", "kept")


@pytest.mark.parametrize("scope", [BRAVO, TOWN])
def test_who_may_not_see_it_learns_nothing(office: Office, scope: Scope) -> None:
    findings = office.prevention.findings
    ((_, name),) = send(office, SAID)
    assert name is not None
    findings.add_photo(name, HASH, JPEG, ALL, ANN)
    assert findings.find(FindingFilter(hazard_unit="u-a"), scope, None, 10) == []
    assert findings.find(FindingFilter(), ACME, None, 10) != []
    for asked in (lambda one: findings.get(one, scope), lambda one: findings.photo(one, HASH, scope),
                  lambda one: findings.add_photo(one, HASH, JPEG, scope, BOB),
                  lambda one: findings.to_danger(one, scope, BOB)):  # fmt: skip
        with pytest.raises(NotFoundError) as hidden:
            asked(name)
        with pytest.raises(NotFoundError) as none:
            asked("f" * 32)
        assert str(hidden.value).replace(name, "") == str(none.value).replace("f" * 32, "")
    refused = [findings.take([replace(SAID, tag=tag)], scope, BOB)[0].why.replace(tag, "") for tag in ("g-a", "x")]
    assert refused[0] == refused[1] != ""


class Dangers:
    """Takes findings and counts them."""

    def __init__(self) -> None:
        self.taken: list[Finding] = []

    def take(self, finding: Finding, scope: Scope, by: By) -> str:
        assert (scope, by) == (ALL, BOB)
        self.taken.append(finding)
        return "d-1"


def test_it_becomes_one_hidden_danger(office: Office) -> None:
    ((_, name),) = send(office, SAID)
    assert name is not None
    with pytest.raises(ConflictError, match="not kept here"):
        office.prevention.findings.to_danger(name, ALL, BOB)
    dangers = Dangers()
    findings = make_prevention(office.means, Ports(reporting=dangers)).findings
    assert [findings.to_danger(name, ALL, BOB).danger_id for _ in range(2)] == ["d-1", "d-1"]
    assert [one.id for one in dangers.taken] == [name]
