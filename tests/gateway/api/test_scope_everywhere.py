"""Whatever the interface can be asked, an enterprise learns nothing of another: every GET there is, in every role."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import httpx
import pytest

from config.risks import Method
from gateway.access.roles import Role
from gateway.commands import By
from gateway.dangers.intake import Found
from gateway.dangers.states import Source
from gateway.registry.kinds import KINDS
from gateway.risks.book import RiskDraft
from gateway.risks.model import Sort
from tests.gateway.api.people import ACME, BRAVO, House, make_house
from tests.gateway.api.world import DOCUMENT, client_of
from tests.support.town import register_town

SECRETS = ("测试化工", "Test Chemicals", "甲醇罐区", "Methanol tank", "张三", "13800000001", "1号罐", "0533-1", "机密")
"""What belongs to acme: names, people, phones, words. Methanol itself is everybody's."""
LIN = By("lin")


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    for house in make_house(tmp_path):
        house.world.healthy()
        house.world.register()
        register_town(house.world.place.registry)
        yield house


@pytest.fixture
async def client(house: House) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(house.world.api()) as client:
        yield client


def fill(house: House) -> dict[str, str]:
    """Put something of acme's into the rooms; returns what paths may name."""
    place = house.world.place
    house.world.raise_alarm("own-alarm")
    danger = place.dangers.report(Found("机密隐患", Source.PATROL, hazard_unit="meoh"), ACME, LIN)
    grading: dict[str, Any] = {"method": Method.LS, "factors": {"likelihood": 5, "severity": 5}}
    risk = place.risks.add(RiskDraft("机密风险", Sort.EQUIPMENT, hazard_unit="meoh", **grading), ACME, LIN)
    return {
        "alarm_id": "own-alarm", "tag": "T-1.LEVEL", "edge": "edge-a", "danger_id": danger.id, "risk_id": risk.id,
        "unit": "meoh", "hazard_unit": "meoh", "version": "1", "enterprise": "acme", "day": "2027-01-15",
        "month": "2026-12", "kind": "vessel", "record_id": "T-1",
    }  # fmt: skip


def addresses(named: dict[str, str]) -> Iterator[str]:
    """Yield every address that can be read, with acme's things in its path or its query."""
    queries = {
        "announcement": "?site=mini",
        "around": "?latitude_deg=36.85&longitude_deg=118.05",
        "status": "?cas=67-56-1",
    }
    for path, operations in DOCUMENT["paths"].items():
        if "get" not in operations or path in ("/api/v1/stream", "/api/v1/session/oidc"):
            continue
        concrete = re.sub(r"{(\w+)}", lambda found: named.get(found[1], "x" * 16), path)
        yield concrete + next((query for part, query in queries.items() if part in path), "")
    for kind in KINDS:
        yield f"/api/v1/registry/{kind}"
        yield f"/api/v1/registry/{kind}?enterprise=acme"
    for word, kinds in product(
        ("机密", "甲醇罐", "jcgq", "zhangsan", "acme", "T-1", "meoh", "13800000001"), ("", "&kinds=vessel")
    ):
        yield f"/api/v1/search?q={word}{kinds}"


@pytest.mark.parametrize("role", [Role.ENTERPRISE, Role.SHIFT_LEAD, Role.ENGINEER, Role.REGULATOR, Role.AUDITOR])
async def test_nothing_that_can_be_read_tells_of_somebody_else(
    house: House, client: httpx.AsyncClient, role: Role
) -> None:
    named = fill(house)
    headers = house.token(role, BRAVO)
    asked = told = 0
    for address in addresses(named):
        answer = await client.get(address, headers=headers)
        assert answer.status_code < 500 or address == "/readyz", f"{address}: {answer.text}"
        said = answer.text.replace(address, "").replace(address.partition("?q=")[2].partition("&")[0], "")
        found = [one for one in SECRETS if one in said]
        assert not found, f"{address} as {role}: {found} in {answer.text[:300]}"
        asked += 1
        told += answer.status_code == 200
    assert asked > 130
    assert told > 60


async def test_their_owner_sees_all_of_it(house: House, client: httpx.AsyncClient) -> None:
    """So that the test above can fail."""
    named = fill(house)
    headers = house.token(Role.ENTERPRISE, ACME)
    said = "".join([(await client.get(address, headers=headers)).text for address in addresses(named)])
    assert [one for one in SECRETS if one not in said] == []
