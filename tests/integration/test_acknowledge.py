"""Acknowledged over HTTP, with a real gateway: it holds after a kill, and the broker's retained alarm says so."""

from __future__ import annotations

import httpx

from config.clock import SystemClock
from config.contract.frame import encode_frame
from config.contract.messages import AlarmState, decode
from config.contract.topics import Kind, edge_topic
from tests.support.frames import EPOCH, frame
from tests.support.gateways import GatewayProcess
from tests.support.mqtt_peer import Peer
from tests.support.servers import Broker
from tests.support.waiting import eventually

TELEMETRY = edge_topic("mini", "edge-a", Kind.TELEMETRY)


def test_an_acknowledgement_survives_a_kill(broker: Broker, gateway: GatewayProcess) -> None:
    now_ms = SystemClock().wall_ms() - 10
    with Peer(broker, "hazard/v1/mini/alarms/+") as peer:
        peer.send(TELEMETRY, [encode_frame(frame(1, ("T-1.TEMP", now_ms, 45.0), epoch=EPOCH))])
        eventually(lambda: hot(gateway))
        alarm = hot(gateway)[0]
        body = {"version": alarm["version"], "by": "Li", "comment": "on my way"}
        assert post(gateway, alarm["alarm_id"], body).json()["acknowledged_by"] == "Li"
        gateway.kill()
        gateway.start()
        assert hot(gateway)[0]["acknowledged"] is True
        assert post(gateway, alarm["alarm_id"], body).status_code == 200, "the answer may have got lost"
        refused = post(gateway, alarm["alarm_id"], {**body, "by": "Wang"})
        assert (refused.status_code, refused.json()["type"]) == (409, "urn:hazgate:problem:conflict")
        assert post(gateway, "0" * 16, body).status_code == 404
        timeline = gateway.get(f"/api/v1/alarms/{alarm['alarm_id']}/timeline")["events"]
        assert [(one["kind"], one["by"]) for one in timeline] == [("raised", None), ("acknowledged", "Li")]
        topic = f"hazard/v1/mini/alarms/{alarm['alarm_id']}"
        eventually(
            lambda: [decode(one, AlarmState).acknowledged for to, one, _ in peer.heard if to == topic][-1:] == [True]
        )


def hot(gateway: GatewayProcess) -> list[dict[str, object]]:
    return list(gateway.items("/api/v1/alarms", state="active", tag="T-1.TEMP"))


def post(gateway: GatewayProcess, alarm_id: object, body: dict[str, object]) -> httpx.Response:
    return httpx.post(f"{gateway.address}/api/v1/alarms/{alarm_id}/acknowledge", json=body, timeout=10.0)
