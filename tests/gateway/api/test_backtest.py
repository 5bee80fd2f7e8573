"""POST /api/v1/backtest."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from gateway.api import backtests
from gateway.errors import HistoryError
from tests.gateway.api.world import T0, World
from tests.support.plants import MINI_PLANT

CHANGED = MINI_PLANT.replace("H: {limit: 40, deadband: 0", "H: {limit: 44, deadband: 0")
BACKTEST = "/api/v1/backtest"


def asked(**changes: object) -> dict[str, Any]:
    return {"rules": CHANGED, "from_ms": T0, "to_ms": T0 + 60_000, **changes}


@pytest.fixture
def stored(world: World) -> World:
    """T-1.TEMP passes 40 once, and 44 never."""
    world.register()
    number = list(world.plant.tags).index("T-1.TEMP")
    world.history.rows[number] = [(T0 + 1_000 * at, 42.0 if 10 <= at < 15 else 20.0, 0) for at in range(60)]
    return world


@pytest.mark.usefixtures("stored")
async def test_proposed_rules_are_tried_on_the_history(client: httpx.AsyncClient) -> None:
    answer = await client.post(BACKTEST, json=asked(tags=["T-1.TEMP"]))
    assert answer.status_code == 200
    report = answer.json()
    assert (report["samples"], report["today"]["alarms"], report["removed"]) == (60, 1, 1)
    assert report["changes"][0]["kind"] == "removed"


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize(
    ("changes", "parameter"),
    [
        ({"from_ms": T0 + 60_000}, "from_ms"),
        ({"tags": ["NOBODY"]}, "tags"),
        ({"tags": []}, "tags"),
        ({"speed": 3}, "speed"),
        ({"rules": CHANGED.replace("limit: 44", "limit: hot")}, "rules:"),
        ({"rules": "a: ["}, "rules:"),
    ],
)
async def test_what_makes_no_sense_is_named(client: httpx.AsyncClient, changes: dict[str, Any], parameter: str) -> None:
    answer = await client.post(BACKTEST, json=asked(**changes))
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert parameter in str(answer.json()["errors"])


@pytest.mark.usefixtures("stored")
async def test_one_at_a_time(client: httpx.AsyncClient) -> None:
    with backtests._busy:
        answer = await client.post(BACKTEST, json=asked())
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "30")
    assert (await client.post(BACKTEST, json=asked())).status_code == 200


async def test_a_history_that_cannot_be_read_is_a_503(stored: World, client: httpx.AsyncClient) -> None:
    stored.history.error = HistoryError("the disk is gone")
    answer = await client.post(BACKTEST, json=asked())
    assert answer.status_code == 503
    stored.history.error = None
    assert (await client.post(BACKTEST, json=asked())).status_code == 200, "and the next one may try"
