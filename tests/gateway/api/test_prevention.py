"""Prevention through the API: what each role may, what an enterprise learns of another, every room end to end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest

from config.days import day_of
from gateway.access.roles import Role
from gateway.commands import By
from gateway.registry.store import Draft, Registry
from tests.gateway.api.people import ACME, BRAVO, EVERYTHING, House, make_house
from tests.gateway.api.world import T0, client_of

JPEG = b"\xff\xd8\xff rust"
HASH = sha256(JPEG).hexdigest()
TODAY = day_of(T0)
CL2 = "7782-50-5"
PERMIT = {"kind": "lifting", "title": "吊装 secret-work", "hazard_unit": "meoh", "begin": T0, "end": T0 + 3_600_000}
COMMITTED = {
    "under_control": True,
    "units_running": 1,
    "units_stopped": 0,
    "units_in_repair": 0,
    "permits": {},
    "major_dangers": 0,
}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    for house in make_house(tmp_path):
        world = house.world
        world.healthy()
        world.register()
        world.raise_alarm("red-1", "T-1.LEVEL")
        registry = Registry(world.desk, world.reader, world.clock)
        at = {"latitude_deg": 36.86, "longitude_deg": 118.05}
        drafts = [
            Draft("enterprise", {"id": "acme", "name_zh": "甲公司", "name_en": "Acme"}),
            Draft("enterprise", {"id": "bravo", "name_zh": "乙公司", "name_en": "Bravo", "district": "370305", **at}),
            Draft("neighbour", {"id": "acme.n1", "name_zh": "乙", "enterprise": "acme", "sort": "enterprise",
                                "is_enterprise": "bravo", **at}),
        ]  # fmt: skip
        registry.write(drafts, By("test"), "test")
        yield house


@pytest.fixture
async def client(house: House) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(house.world.api()) as client:
        yield client


class Caller:
    """Somebody who asks."""

    def __init__(self, client: httpx.AsyncClient, headers: dict[str, str]) -> None:
        self._client = client
        self._headers = headers

    async def __call__(self, method: str, path: str, status: int = 200, **said: Any) -> Any:  # noqa: ANN401 - JSON
        answer = await self._client.request(method, f"/api/v1{path}", headers=self._headers, **said)
        assert answer.status_code == status, answer.text
        return answer.json() if "json" in answer.headers["content-type"] else answer.content


@pytest.fixture
def acme(house: House, client: httpx.AsyncClient) -> Caller:
    return Caller(client, house.token(Role.ENTERPRISE, ACME))


@pytest.fixture
def bravo(house: House, client: httpx.AsyncClient) -> Caller:
    return Caller(client, house.token(Role.ENTERPRISE, BRAVO))


@pytest.fixture
def regulator(house: House, client: httpx.AsyncClient) -> Caller:
    return Caller(client, house.token(Role.REGULATOR, EVERYTHING))


async def everything_of(acme: Caller, regulator: Caller) -> dict[str, str]:
    """Let acme have one of everything; returns the paths to them."""
    permit = await acme("POST", "/permits", json=PERMIT)
    await acme("POST", f"/commitments/acme/{TODAY}", json={**COMMITTED, "text": "secret-words"})
    item = {"client_id": "c-1", "found_ms": T0, "text": "secret-rust", "tag": "T-1.LEVEL", "photos": [HASH]}
    (taken,) = (await acme("POST", "/inspections/findings", json={"items": [item]}))["items"]
    photo = f"/inspections/findings/{taken['finding_id']}/photos/{HASH}"
    await acme("PUT", photo, content=JPEG)
    assert await acme("GET", photo) == JPEG
    report = await acme("POST", "/incident-reports", json={"hazard_unit": "meoh", "why": "secret-smell"})
    approval = {
        "enterprise": "acme",
        "cas": CL2,
        "most_t": 1,
        "from_day": TODAY,
        "until_day": TODAY,
        "number": "secret-7",
    }
    await regulator("POST", "/restricted/approvals", json=approval)
    entry = {"standing": "watched", "from_day": TODAY, "source": "省厅", "reason": "secret-reason"}
    await regulator("POST", "/credit/acme", json=entry)
    return {
        "permit": f"/permits/{permit['permit_id']}", "finding": f"/inspections/findings/{taken['finding_id']}",
        "photo": photo, "report": f"/incident-reports/{report['report_id']}",
        "commitment": f"/commitments/acme/{TODAY}", "credit": "/credit/acme",
    }  # fmt: skip


async def test_an_enterprise_learns_nothing_of_another(acme: Caller, bravo: Caller, regulator: Caller) -> None:
    paths = await everything_of(acme, regulator)
    for path in ("/permits", f"/commitments?day={TODAY}", "/inspections/findings", "/incident-reports",
                 "/restricted/approvals", "/neighbour-notices", "/permits?hazard_unit=meoh",
                 "/inspections/findings?enterprise=acme", "/restricted",
                 "/neighbours/around?latitude_deg=36.86&longitude_deg=118.05"):  # fmt: skip
        said = str(await bravo("GET", path))
        assert [word for word in ("secret", "acme", "甲公司", "meoh", "T-1") if word in said] == [], path
    for name, path in paths.items():
        status = 422 if name in ("commitment", "credit") else 404
        assert "secret" not in str(await bravo("GET", path, status))
        assert await acme("GET", path)
    none = await bravo("POST", "/permits", 422, json={**PERMIT, "hazard_unit": "meoh"})
    assert "there is none that you may see" in none["detail"]
    asked = {"cas": CL2, "quantity_t": 1, "enterprise": "acme"}
    await bravo("POST", "/restricted/check", 422, json=asked)
    await bravo("POST", "/alarms/red-1/warn-neighbours", 404, json={})
    await bravo("POST", "/incident-reports", 404, json={"hazard_unit": "cl2", "alarm_id": "red-1", "why": "x"})


async def test_a_neighbour_sees_its_notice_and_nothing_else(acme: Caller, bravo: Caller) -> None:
    (sent,) = (await acme("POST", "/alarms/red-1/warn-neighbours", json={"wind_from_deg": 180, "wind_m_s": 3}))["items"]
    assert (sent["alarm_id"], sent["to_enterprise"], sent["letter"]["downwind"]) == ("red-1", "bravo", True)
    (got,) = (await bravo("GET", "/neighbour-notices"))["items"]
    assert (got["notice_id"], got["mine"], got["alarm_id"]) == (sent["notice_id"], False, "")
    assert got["letter"]["sender"] == {"zh": "甲公司", "en": "Acme"}
    said = str(got)
    assert [word for word in ("red-1", "acme.n1", "meoh") if word in said] == []
    await bravo("GET", "/alarms/red-1", 404)
    await acme("POST", f"/neighbour-notices/{sent['notice_id']}/confirm", 409, json={})
    assert (await bravo("POST", f"/neighbour-notices/{sent['notice_id']}/see", json={}))["state"] == "seen"
    assert (await bravo("POST", f"/neighbour-notices/{sent['notice_id']}/confirm", json={}))["state"] == "confirmed"
    assert (await acme("GET", f"/neighbour-notices/{sent['notice_id']}"))["confirmed_by"].startswith("token:")


async def test_a_permit_from_draft_to_close(house: House, acme: Caller, client: httpx.AsyncClient) -> None:
    permit = await acme("POST", "/permits", json=PERMIT)
    path = f"/permits/{permit['permit_id']}"
    await acme("POST", f"{path}/approve", 409, json={"version": 1})
    lead = Caller(client, house.token(Role.SHIFT_LEAD, ACME))
    for verb, version in (("approve", 1), ("open", 2)):
        assert (await lead("POST", f"{path}/{verb}", json={"version": version}))["version"] == version + 1
    (fired,) = (await lead("POST", f"{path}/close", json={"version": 3}))["alarms"] or [None]
    assert fired is None, "raised and closed within the same moment: nobody was at work for any time"
    assert [one["permit_id"] for one in (await acme("GET", "/permits?state=closed"))["items"]] == [permit["permit_id"]]


async def test_a_commitment_is_contradicted_by_the_open_alarm(acme: Caller) -> None:
    draft = await acme("GET", f"/commitments/acme/{TODAY}")
    assert (draft["signed"], draft["committed"]["under_control"]) == (False, False)
    assert (draft["live"]["major_dangers"], draft["live"]["overdue_checks"], draft["live"]["unknown"]) == (0, 0, [])
    signed = await acme("POST", f"/commitments/acme/{TODAY}", json=COMMITTED)
    assert ("alarm", "red-1") in [(one["kind"], one["subject"]) for one in signed["contradictions"]]
    await acme("POST", f"/commitments/acme/{TODAY}", 409, json=COMMITTED)
    await acme("POST", "/commitments/acme/2026-02-30", 422, json=COMMITTED)
    await acme("GET", "/commitments?day=2026-02-30", 422)
    (mine,) = (await acme("GET", "/commitments"))["items"]
    assert (mine["enterprise"], mine["contradictions"]) == ("acme", len(signed["contradictions"]))


async def test_a_batch_answers_per_item_even_what_is_malformed(acme: Caller) -> None:
    good = {"client_id": "c-1", "found_ms": T0, "text": "rust", "tag": "T-1.LEVEL"}
    items = [good, {**good, "client_id": "c-2", "latitude_deg": 91}, {"no": "thing"}, good, {**good, "text": "other"}]
    answers = (await acme("POST", "/inspections/findings", json={"items": items}))["items"]
    assert [one["result"] for one in answers] == ["kept", "refused", "refused", "same", "refused"]
    assert "latitude_deg" in answers[1]["why"]
    path = f"/inspections/findings/{answers[0]['finding_id']}"
    dangers = {(await acme("POST", f"{path}/danger", json={}))["danger_id"] for _ in range(2)}
    (danger,) = (await acme("GET", "/hidden-dangers"))["items"]
    assert dangers == {danger["danger_id"]}


async def test_the_catalogue_is_public_and_blocks(acme: Caller, regulator: Caller) -> None:
    entry = {"expected": 0, "cas": CL2, "level": "controlled", "limit_t": 10, "approval": True, "from_day": TODAY,
             "source": "鲁应急", "why": "test"}  # fmt: skip
    await acme("PUT", "/restricted/entries/cl2", 403, json=entry)
    await regulator("PUT", "/restricted/entries/cl2", json=entry)
    assert (await acme("GET", f"/restricted/status?cas={CL2}"))["level"] == "controlled"
    for tonnes, outcome in ((11, "blocked"), (9, "needs_approval")):
        asked = {"cas": CL2, "quantity_t": tonnes, "enterprise": "acme"}
        assert (await acme("POST", "/restricted/check", json=asked))["outcome"] == outcome


async def test_a_report_to_the_end(acme: Caller) -> None:
    report = await acme("POST", "/incident-reports", json={"hazard_unit": "meoh", "alarm_id": "red-1", "why": "fire"})
    path = f"/incident-reports/{report['report_id']}"
    await acme("POST", f"{path}/send", 409, json={"version": 1})
    drafted = await acme("POST", f"{path}/draft", json={"version": 1, "said": {"deaths": 3}})
    assert (drafted["level"], drafted["versions"][0]["filled"]["enterprise_name"]["zh"]) == ("larger", "甲公司")
    assert [one["alarm_id"] for one in drafted["versions"][0]["filled"]["alarms"]] == ["red-1"]
    for verb, version, more in (("sign", 2, {}), ("send", 3, {}), ("forward", 4, {"to": "city"}),
                                ("close", 5, {"note": "done"})):  # fmt: skip
        report = await acme("POST", f"{path}/{verb}", json={"version": version, **more})
    assert (report["state"], report["late"], [one["done_ms"] for one in report["steps"]]) == (
        "closed", False, [T0, T0, None],
    )  # fmt: skip


@pytest.mark.parametrize("role", [Role.VIEWER, Role.RESCUE, Role.AUDITOR])
async def test_who_only_reads_changes_nothing(house: House, client: httpx.AsyncClient, role: Role) -> None:
    reader = Caller(client, house.token(role))
    for method, path, said in (
        ("POST", "/permits", PERMIT),
        ("POST", f"/commitments/acme/{TODAY}", COMMITTED),
        ("POST", "/inspections/findings", {"items": [{}]}),
        ("POST", "/alarms/red-1/warn-neighbours", {}),
        ("POST", "/incident-reports", {"hazard_unit": "meoh", "why": "x"}),
        ("POST", "/credit/acme", {"standing": "good", "from_day": TODAY, "source": "x", "reason": "x"}),
    ):
        await reader(method, path, 403, json=said)
    assert await reader("GET", "/permits") == {"items": [], "next_cursor": None}
