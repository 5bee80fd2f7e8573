"""Files of the registry over HTTP: taken in in the background, told how far, given out within scope."""

from __future__ import annotations

import io
import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from openpyxl import load_workbook

from gateway.access.roles import Role, Scope
from gateway.commands import By
from gateway.errors import RecordsBusyError
from gateway.registry.imports import STAGES, Event, Imports, Order, Stage
from gateway.registry.reading import MOST_BYTES
from tests.gateway.api.people import ACME, EVERYTHING, House, make_house
from tests.gateway.api.world import client_of

R = "/api/v1/registry"
PERSONS = "编号 id,名称 name_zh,enterprise\nacme.li,李,acme\n"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    for house in make_house(tmp_path):
        house.world.healthy()
        house.world.place.uptake.turn()
        yield house


@pytest.fixture
def imports(house: House) -> Imports:
    return house.world.place.imports


@pytest.fixture
async def client(house: House) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(house.world.api()) as client:
        yield client


async def submit(client: httpx.AsyncClient, headers: dict[str, str], content: bytes | str, **query: str) -> str:
    params = {"why": "test", **query}
    answer = await client.post(f"{R}/import", headers=headers, params=params, content=content)
    assert answer.status_code == 202, answer.text
    name: str = answer.json()["import_id"]
    return name


async def told(client: httpx.AsyncClient, headers: dict[str, str], name: str) -> dict[str, Any]:
    answer: dict[str, Any] = (await client.get(f"{R}/imports/{name}", headers=headers)).json()
    return answer


async def test_a_table_waits_is_tried_and_then_taken_in(
    house: House, client: httpx.AsyncClient, imports: Imports
) -> None:
    headers = house.token(Role.ENGINEER, EVERYTHING)
    tried = await submit(client, headers, PERSONS, kind="person", dry_run="true")
    house.world.clock.now_ms += 1
    meant = await submit(client, headers, PERSONS, kind="person")
    assert (await told(client, headers, tried))["stage"] == "waiting"
    assert imports.turn()
    first = await told(client, headers, tried)
    assert (first["stage"], first["ended"], first["kinds"]) == (
        "fine", True, {"person": {"created": 1, "changed": 0, "unchanged": 0}},
    )  # fmt: skip
    assert [one["id"] for one in first["changes"]] == ["acme.li"]
    assert (await client.get(f"{R}/person/acme.li", headers=headers)).status_code == 404
    assert imports.turn()
    assert (await told(client, headers, meant))["stage"] == "written"
    assert (await client.get(f"{R}/person/acme.li", headers=headers)).json()["why"] == "test"
    assert not imports.turn()


async def test_faults_are_told_in_both_languages(house: House, client: httpx.AsyncClient, imports: Imports) -> None:
    headers = house.token(Role.ENGINEER, EVERYTHING)
    name = await submit(client, headers, "id,name_zh,enterprise\nx,X,nobody\n", kind="person")
    imports.turn()
    answer = await told(client, headers, name)
    assert answer["stage"] == "refused"
    assert answer["faults"] == [
        {
            "sheet": "person.csv", "row": 2, "column": "enterprise", "found": "nobody",
            "allowed": {"zh": "已有企业的编号", "en": "the id of an existing enterprise"},
        }
    ]  # fmt: skip


@pytest.mark.parametrize("content", ["", "id\nx\n", "x" * (MOST_BYTES + 1)], ids=["empty", "no kind", "too long"])
async def test_what_cannot_be_taken_in_is_refused_at_once(
    house: House, client: httpx.AsyncClient, content: str
) -> None:
    answer = await client.post(f"{R}/import", headers=house.token(Role.ENGINEER), content=content)
    assert answer.status_code == 422


async def test_only_so_many_wait(house: House, client: httpx.AsyncClient) -> None:
    headers = house.token(Role.ENGINEER, EVERYTHING)
    for _ in range(10):
        await submit(client, headers, PERSONS, kind="person")
    answer = await client.post(f"{R}/import?kind=person", headers=headers, content=PERSONS)
    assert answer.status_code == 503


async def test_an_enterprise_sees_its_own_imports_and_exports_its_own_records(
    house: House, client: httpx.AsyncClient, imports: Imports
) -> None:
    whole, acme = house.token(Role.ENGINEER, EVERYTHING), house.token(Role.ENTERPRISE, ACME)
    foreign = await submit(client, whole, PERSONS.replace("acme", "bravo"), kind="person")
    own = await submit(client, acme, PERSONS, kind="person")
    while imports.turn():
        pass
    assert (await client.get(f"{R}/imports/{foreign}", headers=acme)).status_code == 404
    assert (await told(client, acme, own))["stage"] == "written"
    assert (await told(client, whole, own))["stage"] == "written"
    book = (await client.get(f"{R}/export", headers=acme)).content
    everything = [
        str(cell)
        for sheet in load_workbook(io.BytesIO(book))
        for line in sheet.iter_rows(values_only=True)
        for cell in line
    ]
    assert "acme.li" in everything
    assert [one for one in everything if "bravo" in one or "GD-1" in one or "7782" in one] == []
    table = (await client.get(f"{R}/export?kind=person&format=csv", headers=acme)).text
    assert "acme.li" in table
    assert "bravo" not in table
    again = await submit(client, acme, book)
    imports.turn()
    answer = await told(client, acme, again)
    assert (answer["stage"], answer["faults"]) == ("fine", [])


async def test_the_template_is_a_workbook(house: House, client: httpx.AsyncClient) -> None:
    answer = await client.get(f"{R}/template", headers=house.token(Role.VIEWER))
    assert len(load_workbook(io.BytesIO(answer.content)).sheetnames) == 15


# --- stages -----------------------------------------------------------------------------------------------------------

ALLOWED = {
    "waiting": {"begin": "reading"},
    "reading": {"begin": "reading", "check": "checking", "fail": "failed"},
    "checking": {
        "begin": "reading", "write": "writing", "find_good": "fine", "find_bad": "refused", "fail": "failed",
    },
    "writing": {"begin": "reading", "finish": "written", "fail": "failed"},
}  # fmt: skip


@pytest.mark.parametrize(("stage", "event"), list(itertools.product(Stage, Event)))
def test_every_cell_of_the_table(stage: Stage, event: Event) -> None:
    assert STAGES.get((stage, event)) == ALLOWED.get(stage, {}).get(event)


def test_one_that_was_interrupted_begins_again(house: House, imports: Imports, monkeypatch: pytest.MonkeyPatch) -> None:
    name = imports.submit(PERSONS.encode(), Order("person", dry_run=False, why=""), Scope(), By("ann"))

    def fails(*_: object, **__: object) -> None:
        raise RecordsBusyError("locked")

    with monkeypatch.context() as patch:
        patch.setattr(imports._importing._bulk, "_move", fails)
        with pytest.raises(RecordsBusyError):
            imports.turn()
    assert imports.get(name, None).stage == "writing"
    assert imports.turn()
    assert imports.get(name, None).stage == "written"
    assert house.world.place.registry.get("person", "acme.li", Scope()) is not None


def test_a_file_nobody_foresaw_fails_alone(imports: Imports, monkeypatch: pytest.MonkeyPatch) -> None:
    name = imports.submit(PERSONS.encode(), Order("person", dry_run=False, why=""), Scope(), By("ann"))

    def fails(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(imports._importing, "_read", fails)
    assert imports.turn()
    progress = imports.get(name, None)
    assert progress.stage == "failed"
    assert progress.outcome is not None
    assert "ZeroDivisionError" in progress.outcome["error"]
    assert not imports.turn()
