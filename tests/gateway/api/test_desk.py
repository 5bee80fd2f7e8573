"""What people hand over: shift handover with two signatures, links for rescue teams, photos of alarms."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from sqlalchemy import select, update

from gateway.records import schema
from gateway.records.desk_tables import handover
from tests.gateway.api.world import T0, World

HOUR_MS = 3_600_000
JPEG = b"\xff\xd8\xff\xe0" + b"picture" * 100


async def ask(client: httpx.AsyncClient, path: str, **body: object) -> httpx.Response:
    return await client.post(f"/api/v1/{path}", json=body)


async def done(client: httpx.AsyncClient, path: str, **body: object) -> dict[str, Any]:
    response = await ask(client, path, **body)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def audited(world: World) -> list[tuple[str, str]]:
    with world.engine.begin() as connection:
        rows = connection.execute(select(schema.audit).order_by(schema.audit.c.seq)).all()
    return [(row.account, row.act) for row in rows]


# --- handover ------------------------------------------------------------------------------------------------------


def inhibition(**changes: object) -> dict[str, object]:
    return {
        "id": "i1", "tag": "T-1.LEVEL", "condition": "L", "kind": "shelved", "since_ms": T0, "until_ms": T0 + HOUR_MS,
        "reason": "nuisance", "permit": "", "rule": "", "by": "li", "ended_ms": None, "ended_by": None,
        "ended_why": None, **changes,
    }  # fmt: skip


async def test_a_shift_is_handed_over_item_by_item_and_frozen(world: World, client: httpx.AsyncClient) -> None:
    world.raise_alarm("open", tier=2, assigned_to="zhao", overdue="measure")
    world.raise_alarm("todo", tag="GD-1", state="cleared", stage="acknowledged", tier=3)
    world.raise_alarm("gone", tag="GD-1", state="cleared", stage="closed", tier=3)
    world.put("inhibition", inhibition(), inhibition(id="i2", ended_ms=T0, ended_why="time"))
    world.show(**{"T-1__LEVEL": 1.0})
    page = await done(client, "handovers", by="li")
    name = page["handover_id"]
    kinds = [item["kind"] for item in page["items"]]
    assert kinds[:3] == ["open", "unhandled", "shelved"]
    assert set(kinds[3:]) == {"stale"}
    first = page["items"][0]
    assert (first["subject"], first["owner"], first["overdue"]) == ("open", "zhao", "measure")
    assert first["text"]["zh"]
    refused = await ask(client, "handovers", by="li")
    assert (refused.status_code, "not finished yet" in refused.json()["detail"]) == (409, True)

    early = await ask(client, f"handovers/{name}/sign", by="wang")
    assert "li hands over and signs first" in early.json()["detail"]
    given = await done(client, f"handovers/{name}/sign", by="li", note="泵 P-2 检修中")
    assert (given["state"], given["note"]) == ("given", "泵 P-2 检修中")
    itself = await ask(client, f"handovers/{name}/accept", by="li", keys=[first["key"]])
    assert "cannot take over as well" in itself.json()["detail"]
    await done(client, f"handovers/{name}/accept", by="wang", keys=[first["key"]], note="seen")
    missing = await ask(client, f"handovers/{name}/sign", by="wang")
    assert f"{len(kinds) - 1} items are not accepted yet" in missing.json()["detail"]
    await done(client, f"handovers/{name}/accept", by="wang", keys=[item["key"] for item in page["items"]])
    frozen = await done(client, f"handovers/{name}/sign", by="wang")
    assert (frozen["state"], frozen["taken_by"], frozen["sound"]) == ("frozen", "wang", True)
    assert len(frozen["hash"]) == 64
    for path in ("sign", "refresh"):
        again = await ask(client, f"handovers/{name}/{path}", by="wang")
        assert (again.status_code, "frozen" in again.json()["detail"]) == (409, True)
    assert [act for _, act in audited(world)] == [
        "handover.begin", "handover.sign", "handover.accept", "handover.accept", "handover.sign",
    ]  # fmt: skip
    with world.engine.begin() as connection:
        connection.execute(update(handover).values(page=frozen["note"] and '{"items":[],"note":"nothing"}'))
    assert (await client.get(f"/api/v1/handovers/{name}")).json()["sound"] is False
    assert (await client.get("/api/v1/handovers")).json()["items"][0]["handover_id"] == name
    await done(client, "handovers", by="wang")


async def test_nobodys_red_alarm_is_not_handed_on(world: World, client: httpx.AsyncClient) -> None:
    world.raise_alarm("red", tier=1)
    page = await done(client, "handovers", by="li")
    refused = await ask(client, f"handovers/{page['handover_id']}/sign", by="li")
    assert (refused.status_code, "red alarm red has nobody" in refused.json()["detail"]) == (409, True)


async def test_what_is_new_since_the_draft_has_to_be_on_the_page(world: World, client: httpx.AsyncClient) -> None:
    world.raise_alarm("old", tier=2)
    page = await done(client, "handovers", by="li")
    name = page["handover_id"]
    await done(client, f"handovers/{name}/sign", by="li")
    await done(client, f"handovers/{name}/accept", by="wang", keys=["open old"])
    world.raise_alarm("new", tag="GD-1", tier=3)
    refused = await ask(client, f"handovers/{name}/sign", by="wang")
    assert "1 things are new since the draft" in refused.json()["detail"]
    fresh = await done(client, f"handovers/{name}/refresh", by="li")
    assert {item["subject"]: item["accepted_by"] for item in fresh["items"]} == {"old": "wang", "new": ""}
    assert fresh["state"] == "draft", "who hands over has to sign what is on it now"


# --- links ---------------------------------------------------------------------------------------------------------


async def test_a_link_shows_one_alarm_without_an_account_until_it_ends(world: World, client: httpx.AsyncClient) -> None:
    world.register()
    world.raise_alarm("one", tier=1)
    world.raise_alarm("two", tag="T-1.TEMP", condition="H", tier=2)
    world.raise_alarm("far", tag="GD-1", condition="H", tier=2)
    made = await done(client, "alarms/one/links", by="li", hours=2, note="消防支队")
    token = made["path"].removeprefix("/incident/")
    seen = (await client.get(f"/api/v1/incidents/{token}")).json()
    assert (seen["alarm"]["alarm_id"], [one["alarm_id"] for one in seen["others"]]) == ("one", ["two"])
    assert {tag["tag"] for tag in seen["tags"]} == {"T-1.LEVEL", "T-1.TEMP"}
    page = await client.get(made["path"], headers={"Accept-Language": "zh"})
    assert page.status_code == 200
    assert '<meta http-equiv="refresh" content="5">' in page.text
    assert seen["alarm"]["message"]["zh"] in page.text
    (link,) = (await client.get("/api/v1/alarms/one/links")).json()["items"]
    assert (link["note"], link["opened"]) == ("消防支队", 1), "a page that refreshes itself is noted once a minute"
    world.clock.now_ms += 61_000
    await client.get(made["path"])
    assert (await client.get("/api/v1/alarms/one/links")).json()["items"][0]["opened"] == 2
    assert audited(world)[1:] == [(f"link:{made['link_id']}", "link.open")] * 2
    world.clock.now_ms += 2 * HOUR_MS
    assert (await client.get(made["path"])).status_code == 404


async def test_a_link_that_was_ended_or_made_up_leads_nowhere(world: World, client: httpx.AsyncClient) -> None:
    world.raise_alarm("one")
    made = await done(client, "alarms/one/links", by="li")
    token = made["path"].removeprefix("/incident/")
    other = token[:-1] + ("0" if token[-1] != "0" else "1")
    answers = [
        (await client.get(f"/api/v1/incidents/{one}")).text.replace(one, "X") for one in (other, "qqq.yyy", "qqq")
    ]
    assert len(set(answers)) == 1, "nothing is to be learnt from a wrong one"
    assert (await client.delete(f"/api/v1/alarms/one/links/{made['link_id']}")).status_code == 204
    assert (await client.get(f"/api/v1/incidents/{token}")).status_code == 404
    assert (await client.delete("/api/v1/alarms/one/links/none")).status_code == 404
    assert (await ask(client, "alarms/none/links", by="li")).status_code == 404


# --- photos --------------------------------------------------------------------------------------------------------


async def test_a_photo_is_kept_with_its_alarm(world: World, client: httpx.AsyncClient) -> None:
    world.raise_alarm("one")
    world.raise_alarm("two", tag="GD-1")
    kept = await client.post("/api/v1/alarms/one/attachments", content=JPEG)
    name = kept.json()["attachment_id"]
    assert (await client.post("/api/v1/alarms/one/attachments", content=JPEG)).json() == kept.json()
    got = await client.get(f"/api/v1/alarms/one/attachments/{name}")
    assert (got.content, got.headers["content-type"]) == (JPEG, "image/jpeg")
    assert got.headers["content-disposition"].startswith("attachment;")
    assert got.headers["x-content-type-options"] == "nosniff"
    assert (await client.get(f"/api/v1/alarms/two/attachments/{name}")).status_code == 404
    assert [act for _, act in audited(world)] == ["alarm.attach"]


@pytest.mark.parametrize("content", [b"", b"<html>", b"MZ", JPEG + b"x" * (5 * 1024 * 1024)], ids=len)
async def test_what_is_no_photo_is_refused(world: World, client: httpx.AsyncClient, content: bytes) -> None:
    world.raise_alarm("one")
    response = await client.post("/api/v1/alarms/one/attachments", content=content)
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert (await client.post("/api/v1/alarms/none/attachments", content=JPEG)).status_code == 404
