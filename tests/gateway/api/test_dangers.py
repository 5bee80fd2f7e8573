"""Hidden dangers over HTTP: from a report to the ledger, in scope, each act by who may."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from openpyxl import load_workbook
from sqlalchemy import select

from gateway.access.roles import Role
from gateway.commands import By
from gateway.records import schema
from gateway.records.danger_tables import danger_reporter
from gateway.registry.store import Draft
from tests.gateway.api.people import ACME, BRAVO, DISTRICT, EVERYTHING, House, make_house
from tests.gateway.api.world import T0, World, client_of

ROOT = "/api/v1/hidden-dangers"
DAY_MS = 86_400_000
FIXES = {"responsible": "wang", "measures": "换阀", "funds_yuan": 0, "precautions": "停泵", "deadline": T0 + 5 * DAY_MS}
HIDDEN = ("cl2", "bravo", "GD-1", "氯气管线泄漏", "hidden-alarm")


async def ask(client: httpx.AsyncClient, path: str, headers: dict[str, str] | None = None, **body: Any) -> Any:  # noqa: ANN401
    response = await client.post(f"{ROOT}{path}", json=body, headers=headers)
    assert response.status_code == 200, response.text
    return response.json()


async def report(client: httpx.AsyncClient, headers: dict[str, str] | None = None, **body: Any) -> Any:  # noqa: ANN401
    where = {} if {"tag", "alarm_id", "enterprise", "district"} & set(body) else {"hazard_unit": "meoh"}
    return await ask(client, "", headers, **{"source": "patrol", "title": "阀门渗漏", **where, **body})


async def do(client: httpx.AsyncClient, one: dict[str, Any], verb: str, **said: Any) -> Any:  # noqa: ANN401
    body = {"version": one["version"], "text": "说明", **said}
    return await ask(client, f"/{one['danger_id']}/{verb}", **body)


async def closed(client: httpx.AsyncClient) -> dict[str, Any]:
    one = await report(client, by="li")
    one = await do(client, one, "grade", grade="general", by="sun")
    one = await do(client, one, "plan", **FIXES, by="chen")
    for verb, by in (("rectify", "wang"), ("verify", "zhao"), ("close", "zhao")):
        one = await do(client, one, verb, by=by)
    found: dict[str, Any] = one
    return found


async def test_the_whole_loop(world: World, client: httpx.AsyncClient) -> None:
    one = await closed(client)
    assert (one["state"], one["state_name"]["zh"], one["can"]) == ("closed", "已销号", ["reopen", "comment"])
    assert [clock["clock"] for clock in one["clocks"]] == ["grade", "plan", "rectify", "verify", "close"]
    assert all(clock["source"] and clock["confidence"] == "default" for clock in one["clocks"])
    events = (await client.get(f"{ROOT}/{one['danger_id']}/timeline")).json()["events"]
    assert [(event["event"], event["by"]) for event in events] == [
        ("report", "li"), ("grade", "sun"), ("plan", "chen"), ("rectify", "wang"), ("verify", "zhao"),
        ("close", "zhao"),
    ]  # fmt: skip
    with world.engine.begin() as connection:
        acts = list(connection.scalars(select(schema.audit.c.act).order_by(schema.audit.c.seq)))
    assert acts == [f"danger.{event['event']}" for event in events]
    again = await do(client, one, "reopen", until=T0 + 9 * DAY_MS)
    assert (again["state"], again["reopened"], again["clocks"][-1]["round"]) == ("rectifying", 1, 2)


async def test_the_five_fixes_are_all_mandatory(client: httpx.AsyncClient) -> None:
    one = await do(client, await report(client), "grade", grade="general")
    for missing in FIXES:
        body = {"version": one["version"], **{name: fix for name, fix in FIXES.items() if name != missing}}
        response = await client.post(f"{ROOT}/{one['danger_id']}/plan", json=body)
        assert response.status_code == 422
        assert missing in response.json()["detail"]


async def test_conflicts_and_keys(client: httpx.AsyncClient) -> None:
    key = {"Idempotency-Key": "k-1"}
    one = await report(client, key)
    assert await report(client, key) == one
    graded = await do(client, one, "grade", grade="general")
    assert await do(client, one, "grade", grade="general") == graded
    stale = await client.post(f"{ROOT}/{one['danger_id']}/dismiss", json={"version": 1, "text": "x"})
    assert (stale.status_code, stale.headers["content-type"]) == (409, "application/problem+json")
    early = await client.post(f"{ROOT}/{one['danger_id']}/close", json={"version": 2, "text": "x"})
    assert early.status_code == 409
    assert "请先" in early.json()["detail"]


async def test_going_from_page_to_page_neither_repeats_nor_skips(world: World, client: httpx.AsyncClient) -> None:
    names, cursor = [], dict[str, str]()
    for number in range(7):
        world.clock.now_ms = T0 + number // 3
        names.append((await report(client, title=f"第{number}项"))["danger_id"])
    for sort in ("time", "due", "worst"):
        seen: list[str] = []
        cursor = {}
        while True:
            query = {"sort": sort, "limit": "2", **cursor}
            page = (await client.get(ROOT, params=query)).json()
            seen += [one["danger_id"] for one in page["items"]]
            if page["next_cursor"] is None:
                break
            cursor = {"cursor": page["next_cursor"]}
            if sort == "time":
                await report(client, title="newer")
        assert [name for name in seen if name in names] == sorted(seen, key=seen.index) or sort != "time"
        assert set(names) <= set(seen)
        assert len(seen) == len(set(seen))
    wrong = await client.get(ROOT, params={"sort": "due", "limit": "2", **cursor})
    assert wrong.status_code == 422


async def test_filters_and_counts(world: World, client: httpx.AsyncClient) -> None:
    await closed(client)
    late = await do(client, await report(client), "grade", grade="major")
    await report(client, tag="GD-1", source="inspection")
    world.clock.now_ms += 2 * DAY_MS + 1
    world.place.danger_watch.turn(world.clock.now_ms)
    counts = (await client.get(f"{ROOT}/counts")).json()
    assert counts["by_grade"] == {"none": 1, "major": 1}
    assert (counts["open"], counts["overdue"], counts["by_state"]["closed"], counts["listed"]) == (2, 2, 1, 0)

    async def listed(**query: str) -> list[str]:
        return [one["title"] + one["state"] for one in (await client.get(ROOT, params=query)).json()["items"]]

    assert len(await listed(open="true")) == 2
    assert await listed(open="false") == ["阀门渗漏closed"]
    assert len(await listed(overdue="true")) == 2
    assert await listed(source="inspection", hazard_unit="cl2") == ["阀门渗漏reported"]
    assert await listed(grade="major", state="graded") == ["阀门渗漏graded"]
    assert await listed(to=str(T0)) == []
    one = (await client.get(f"{ROOT}/{late['danger_id']}")).json()
    assert (one["overdue"], one["level"], one["with_whom"]["zh"]) == (True, 2, "安全管理部门负责人")
    names = {clock["clock"]: clock["with_whom"] for clock in one["clocks"]}
    assert names["report_regulator"]["en"] == "head of safety"
    assert names["plan"] is None
    assert (await client.get(ROOT, params={"from": T0, "to": T0})).status_code == 422


# --- the ledger ------------------------------------------------------------------------------------------------------

EVIL = ["=cmd|' /C calc'!A0", "+1+1", "-2", "@SUM(A1)", "\t=1", " =1", "＝1"]


async def test_no_text_of_the_ledger_is_a_formula(client: httpx.AsyncClient) -> None:
    for evil in EVIL:
        await report(client, title=f"x{evil}", text=evil, place=f"{evil}\x07\x00")
    answer = await client.get(f"{ROOT}/ledger.csv")
    assert answer.content.startswith(b"\xef\xbb\xbf")
    assert answer.headers["content-disposition"] == 'attachment; filename="hidden-dangers.csv"'
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert len(rows) == 1 + len(EVIL)
    assert [cell for row in rows for cell in row if cell.lstrip().startswith(("=", "+", "-", "@", "＝"))] == []
    book = load_workbook(io.BytesIO((await client.get(f"{ROOT}/ledger.xlsx")).content))
    sheet = book["隐患台账"]
    assert sheet.max_row == 1 + len(EVIL)
    assert {cell.data_type for row in sheet.iter_rows() for cell in row} <= {"s", "n", "inlineStr"}, "no formula (f)"
    assert any(cell.value == EVIL[0] for row in sheet.iter_rows() for cell in row)


async def test_the_ledger_is_what_was_asked_for(client: httpx.AsyncClient) -> None:
    one = await closed(client)
    await report(client, tag="GD-1")
    rows = list(csv.DictReader(io.StringIO((await client.get(f"{ROOT}/ledger.csv?state=closed")).text[1:])))
    assert [row["编号 id"] for row in rows] == [one["danger_id"]]
    assert rows[0]["责任 responsible"] == "wang"
    assert rows[0]["销号时间 over"] == "2027-01-15 16:00"


async def test_what_is_published_has_no_person_in_it(world: World, client: httpx.AsyncClient) -> None:
    secret = {"name": "张三", "phone": "13800000000"}
    one = await report(client, source="report_12350", reporter=secret, title="张三举报", text="张三说", by="desk")
    one = await do(client, one, "grade", grade="major")
    for phone in ("13912345678", "0533-1234567"):
        body = {"version": one["version"], "until": T0 + 9 * DAY_MS, "notice": f"电话{phone}"}
        assert (await client.post(f"{ROOT}/{one['danger_id']}/list", json=body)).status_code == 422
    body = {"version": one["version"], "until": T0 + 9 * DAY_MS, "notice": "罐区重大隐患"}
    await ask(client, f"/{one['danger_id']}/list", by="gov", **body)
    plain = await report(client, title="李四的隐患", by="李四")
    await do(client, plain, "grade", grade="major")
    await report(client, title="一般隐患")
    answer = await client.get(f"{ROOT}/public")
    items = answer.json()["items"]
    assert [(one["listed"], one["notice"], one["enterprise_name"]["zh"]) for one in items] == [
        (True, "罐区重大隐患", "测试企业"), (False, "", "测试企业"),
    ]  # fmt: skip
    everything = answer.text + (await client.get(f"{ROOT}/public.csv")).text
    assert [
        one for one in ("张三", "138", "李四", "desk", "gov", "12350", "举报", "一般隐患") if one in everything
    ] == []
    with world.engine.begin() as connection:
        assert connection.scalar(select(danger_reporter.c.name)) == "张三"
    shown = await client.get(f"{ROOT}/{one['danger_id']}/reporter")
    assert shown.json() == {**secret, "text": ""}


async def test_the_rate_counts_late_missing_and_reopened_ones_back(world: World, client: httpx.AsyncClient) -> None:
    await closed(client)
    late = await do(client, await do(client, await report(client), "grade", grade="general"), "plan", **FIXES)
    missing = await do(client, await do(client, await report(client), "grade", grade="general"), "plan", **FIXES)
    world.clock.now_ms += 6 * DAY_MS
    await do(client, late, "rectify")
    back = await closed_before(client, world)

    async def rates() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await client.get(f"{ROOT}/on-time?month=2027-01")).json()["items"]
        return found

    assert await rates() == [
        {"enterprise": "acme", "due": 4, "in_time": 2, "late": 1, "missing": 1, "reopened": 0, "rate": 0.5}
    ]
    await do(client, back, "reopen", until=world.clock.now_ms + 10 * DAY_MS)
    (now,) = await rates()
    assert (now["due"], now["in_time"], now["reopened"], now["rate"]) == (4, 1, 1, 0.25)
    assert missing["state"] == "rectifying"
    assert (await client.get(f"{ROOT}/on-time?month=2027-13")).status_code == 422
    assert (await client.get(f"{ROOT}/on-time?month=2026-12")).json()["items"] == []


async def closed_before(client: httpx.AsyncClient, world: World) -> dict[str, Any]:
    now_ms = world.clock.now_ms
    world.clock.now_ms = T0
    one = await closed(client)
    world.clock.now_ms = now_ms
    return one


async def test_a_smell_is_shown_beside_what_detectors_saw(world: World, client: httpx.AsyncClient) -> None:
    minute = 60_000
    for name, tag, at in (("same", "GD-1", -5), ("old", "GD-1", -121), ("later", "GD-1", 60), ("other", "T-1.TEMP", 1)):
        world.raise_alarm(name, tag=tag, raised_ms=T0 + at * minute)
    one = await report(client, source="report_12350", tag="GD-1", title="刺激性气味", seen=T0)
    near = (await client.get(f"{ROOT}/{one['danger_id']}/alarms")).json()
    assert [(item["alarm_id"], item["near"], item["after_ms"] // minute) for item in near["items"]] == [
        ("same", "unit", -5), ("later", "unit", 60), ("other", "distance", 1),
    ]  # fmt: skip
    far = await report(
        client, source="report_12350", district="370304", latitude_deg=36.88, longitude_deg=118.05, seen=T0
    )
    near = (await client.get(f"{ROOT}/{far['danger_id']}/alarms")).json()
    assert near["items"] == []
    close = await report(
        client, source="report_12350", district="370304", latitude_deg=36.86, longitude_deg=118.05, seen=T0
    )
    near = (await client.get(f"{ROOT}/{close['danger_id']}/alarms")).json()
    assert {item["alarm_id"] for item in near["items"]} == {"same", "later", "other"}
    assert near["items"][0]["distance_m"] == pytest.approx(1111.9, abs=1)


# --- who may, and who sees -------------------------------------------------------------------------------------------


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    for house in make_house(tmp_path):
        house.world.raise_alarm("own-alarm", tier=2)
        house.world.raise_alarm("hidden-alarm", "GD-1")
        yield house


@pytest.fixture
async def guarded(house: House) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(house.world.api()) as client:
        yield client


async def test_each_act_needs_its_permission(house: House, guarded: httpx.AsyncClient) -> None:
    one = await report(guarded, house.token(Role.OPERATOR))
    path = f"{ROOT}/{one['danger_id']}"

    async def status(role: Role, verb: str, **body: Any) -> int:  # noqa: ANN401
        said = {"version": 1, "text": "x", **body}
        return (await guarded.post(f"{path}/{verb}", json=said, headers=house.token(role))).status_code

    assert (await guarded.post(ROOT, json={}, headers=house.token(Role.VIEWER))).status_code == 403
    assert await status(Role.OPERATOR, "grade", grade="general") == 403
    assert await status(Role.REGULATOR, "rectify") == 403
    assert await status(Role.ENTERPRISE, "list", until=T0 + 1) == 403
    assert await status(Role.ENTERPRISE, "delist") == 403
    for role, allowed in ((Role.ENTERPRISE, 403), (Role.REGULATOR, 404)):
        assert (await guarded.get(f"{path}/reporter", headers=house.token(role))).status_code == allowed
    for role, allowed in ((Role.SHIFT_LEAD, 403), (Role.REGULATOR, 200)):
        for name in ("public", "public.csv"):
            assert (await guarded.get(f"{ROOT}/{name}", headers=house.token(role))).status_code == allowed
    assert await status(Role.ENGINEER, "grade", grade="general") == 200


@pytest.fixture
async def theirs(house: House, guarded: httpx.AsyncClient) -> str:
    """A danger of another enterprise, with everything about it that could be said."""
    headers = house.token(Role.REGULATOR, EVERYTHING)
    said = {"source": "report_12350", "tag": "GD-1", "title": "氯气管线泄漏", "alarm_id": "hidden-alarm"}
    one = await report(guarded, headers, **said, reporter={"name": "张三"})
    name: str = one["danger_id"]
    grading = {"version": 1, "grade": "major"}
    await ask(guarded, f"/{name}/grade", headers, **grading)
    return name


LISTS = (
    "", "?enterprise=bravo", "?hazard_unit=cl2", "?tag=GD-1", "?sort=worst", "?sort=due", "/counts", "/ledger.csv",
    "/on-time?month=2027-01", "/counts?enterprise=bravo", "/ledger.csv?grade=major",
)  # fmt: skip


async def test_no_answer_names_what_is_hidden(house: House, guarded: httpx.AsyncClient, theirs: str) -> None:
    mine, others = house.token(Role.ENTERPRISE, ACME), house.token(Role.ENTERPRISE, BRAVO)
    await report(guarded, mine, title="自家隐患")
    for path in LISTS:
        answer = await guarded.get(f"{ROOT}{path}", headers=mine)
        assert answer.status_code == 200
        assert [one for one in (*HIDDEN, theirs) if one in answer.text] == [], path
        if "counts" in path:
            assert answer.json()["open"] == ("?" not in path)
        assert "自家隐患" not in (await guarded.get(f"{ROOT}{path}", headers=others)).text
    sheet = await guarded.get(f"{ROOT}/ledger.xlsx", headers=mine)
    rows = load_workbook(io.BytesIO(sheet.content))["隐患台账"].iter_rows()
    cells = [str(cell.value) for row in rows for cell in row]
    assert "自家隐患" in cells
    assert [one for one in (*HIDDEN, theirs) if one in cells] == []


ACTS: dict[str, dict[str, Any]] = {
    "grade": {"grade": "general"}, "comment": {}, "close": {}, "plan": FIXES, "reopen": {"until": T0 + 1},
}  # fmt: skip


async def test_one_that_is_hidden_does_not_exist(house: House, guarded: httpx.AsyncClient, theirs: str) -> None:
    mine = house.token(Role.ENTERPRISE, ACME)
    for path in ("", "/timeline", "/alarms"):
        answers = [await guarded.get(f"{ROOT}/{name}{path}", headers=mine) for name in (theirs, "HD00")]
        assert [answer.status_code for answer in answers] == [404, 404]
        assert answers[0].text.replace(theirs, "HD00") == answers[1].text
    for verb, body in ACTS.items():
        said = {"text": "x", **body} | ({} if verb == "comment" else {"version": 2})
        answers = [await guarded.post(f"{ROOT}/{name}/{verb}", json=said, headers=mine) for name in (theirs, "HD00")]
        assert [answer.status_code for answer in answers] == [404, 404]
        assert answers[0].text.replace(theirs, "HD00") == answers[1].text


async def test_a_report_about_what_is_hidden_learns_nothing(house: House, guarded: httpx.AsyncClient) -> None:
    mine = house.token(Role.ENTERPRISE, ACME)
    for field, hidden, absent in (
        ("tag", "GD-1", "GD-9"),
        ("hazard_unit", "cl2", "cl9"),
        ("enterprise", "bravo", "bravx"),
        ("alarm_id", "hidden-alarm", "absent-alarm"),
    ):
        said = {"source": "patrol", "title": "x"}
        answers = [await guarded.post(ROOT, json={**said, field: name}, headers=mine) for name in (hidden, absent)]
        assert [answer.status_code for answer in answers] == [422, 422]
        assert answers[0].text.replace(hidden, absent) == answers[1].text


async def test_a_district_sees_what_lies_in_it(house: House, guarded: httpx.AsyncClient, theirs: str) -> None:
    for scope, seen in ((DISTRICT, [theirs]), (BRAVO, [theirs]), (ACME, [])):
        page = await guarded.get(ROOT, headers=house.token(Role.REGULATOR, scope))
        assert [one["danger_id"] for one in page.json()["items"]] == seen
    upper = {"id": "3703", "name_zh": "淄博", "level": "city", "parent": ""}
    lower = {"id": "370305", "name_zh": "临淄", "level": "district", "parent": "3703"}
    house.world.place.registry.write([Draft("district", upper), Draft("district", lower)], By("ann"), "test")
    above = house.token(Role.REGULATOR, type(DISTRICT)(districts=frozenset({"3703"})))
    assert [one["danger_id"] for one in (await guarded.get(ROOT, headers=above)).json()["items"]] == [theirs]
