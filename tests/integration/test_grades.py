"""A level that comes in over the broker becomes an operational grade beside the legal one."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from config.clock import SystemClock
from config.contract.frame import encode_frame
from config.contract.topics import Kind, edge_topic
from tests.support.frames import EPOCH, frame
from tests.support.gateways import GatewayProcess
from tests.support.mqtt_peer import Peer
from tests.support.servers import Broker
from tests.support.waiting import eventually


@pytest.mark.parametrize("broker", ["mosquitto"], indirect=True)
def test_a_level_becomes_an_operational_grade(broker: Broker, gateway: GatewayProcess) -> None:
    with Peer(broker, "none") as peer, httpx.Client(base_url=gateway.address, timeout=10.0) as client:
        declared = {"items": [{"name": "甲醇", "cas": "67-56-1", "quantity_t": 79.1, "vessel": "T-1"}], "people": 10}
        filed = client.post("/api/v1/hazard-units/meoh/filings", json=declared)
        assert (filed.status_code, filed.json()["grade"]) == (200, None)
        now_ms = SystemClock().wall_ms() - 10
        samples = (("T-1.LEVEL", now_ms, 5.0), ("T-1.TEMP", now_ms, 30.0))
        peer.send(edge_topic("mini", "edge-a", Kind.TELEMETRY), [encode_frame(frame(1, *samples, epoch=EPOCH))])

        def weighed() -> dict[str, Any] | None:
            found: dict[str, Any] = client.get("/api/v1/hazard-units/meoh/grade").json()
            inside = found["operational"]["contents"]
            return found if inside and inside[0]["level_fraction"] else None

        eventually(lambda: weighed() is not None, 20)
        found = weighed()
        assert found is not None
        (inside,) = found["operational"]["contents"]
        assert inside["mass_t"] == pytest.approx(50 * 0.7909 / (1 + 0.00119 * 10))
        assert found["operational"]["s"] == pytest.approx(inside["mass_t"] / 500)
        assert (found["legal"]["filing"]["s"], found["legal"]["fits"]) == (0.1582, True)
