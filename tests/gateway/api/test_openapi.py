from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest

from gateway.api.app import openapi_document
from tests.gateway.api.world import World

KEPT = Path(__file__).parents[3] / "docs" / "openapi.json"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return openapi_document("1.2.3")


def test_the_kept_document_is_what_the_command_prints() -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "hazgate", "openapi"], capture_output=True, check=True, timeout=60, encoding="utf-8"
    )
    assert printed.stdout == KEPT.read_text(encoding="utf-8"), "run: hazgate openapi > docs/openapi.json"


def test_every_operation_is_named_told_and_owns_its_errors(document: dict[str, Any]) -> None:
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    names = [one["operationId"] for one in operations]
    assert len(names) == len(set(names))
    for one in operations:
        assert one["summary"]
        assert one["tags"]
        for status, answer in one["responses"].items():
            kinds = set(answer.get("content", ()))
            assert status in ("200", "202", "204") or kinds == {"application/problem+json"}, (
                one["operationId"],
                status,
            )
        if one.get("parameters"):
            assert "422" in one["responses"], one["operationId"]


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    wanted = {part.split('"')[0] for part in json.dumps(document).split("#/components/schemas/")[1:]}
    assert wanted <= set(schemas)


def test_the_events_of_the_stream_are_named_schemas(document: dict[str, Any]) -> None:
    answer = document["paths"]["/api/v1/stream"]["get"]["responses"]["200"]["content"]
    assert answer == {"text/event-stream": {"schema": {"$ref": "#/components/schemas/StreamEvent"}}}
    mapping = document["components"]["schemas"]["StreamEvent"]["discriminator"]["mapping"]
    assert set(mapping) == {"snapshot", "alarm", "values", "tick", "reset"}


def test_no_parameter_may_be_null(document: dict[str, Any]) -> None:
    for path in document["paths"].values():
        for parameter in [one for operation in path.values() for one in operation.get("parameters", ())]:
            assert '"null"' not in json.dumps(parameter["schema"]), parameter["name"]


async def test_what_is_answered_is_what_is_declared(world: World, client: httpx.AsyncClient) -> None:
    world.healthy()
    world.register()
    world.raise_alarm("one")
    world.show(**{"T-1.LEVEL": 9.5})
    world.put("ledger", {"edge": "edge-a", "frames_kept": 1})
    document = (await client.get("/api/v1/openapi.json")).json()
    filled = {"{tag}": "T-1.LEVEL", "{alarm_id}": "one", "{edge}": "edge-a", "{month}": "2027-01"}
    asked = 0
    for path, operations in document["paths"].items():
        if "get" not in operations:
            continue  # what computes or changes something has tests of its own
        content = operations["get"]["responses"]["200"]["content"]
        if "application/json" not in content:
            continue
        concrete = path
        for place, value in filled.items():
            concrete = concrete.replace(place, value)
        for address in (concrete, f"{concrete}?nonsense=1"):
            response = await client.get(address)
            answers = operations["get"]["responses"]
            declared = answers.get(str(response.status_code), answers["default"])["content"]
            schema = declared[response.headers["content-type"]]["schema"]
            jsonschema.validate(response.json(), {**schema, "components": document["components"]})
            asked += 1
    assert asked >= 30
