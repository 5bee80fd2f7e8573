"""Whatever is asked of the API, in its own words or nearly so: no failure, and every error a problem document."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, cast

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings

from config.clock import SystemClock
from config.contract.frame import encode_frame
from config.contract.topics import Kind, edge_topic
from tests.support.frames import EPOCH, frame
from tests.support.gateways import GatewayProcess
from tests.support.mqtt_peer import Peer
from tests.support.servers import Broker
from tests.support.waiting import eventually

ENDLESS = {"/api/v1/stream"}


def operations(address: str) -> Iterator[Any]:
    schema = schemathesis.openapi.from_url(f"{address}/api/v1/openapi.json")
    for result in schema.get_all_operations():
        operation = cast("Any", result).ok()
        if operation.path not in ENDLESS:
            yield operation


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("examples", [6, pytest.param(300, marks=[pytest.mark.soak, pytest.mark.timeout(3000)])])
@pytest.mark.parametrize("broker", ["mosquitto"], indirect=True)
def test_no_request_fails_and_every_error_is_a_problem(broker: Broker, gateway: GatewayProcess, examples: int) -> None:
    now_ms = SystemClock().wall_ms() - 10
    with Peer(broker, "none") as peer:
        topic = edge_topic("mini", "edge-a", Kind.TELEMETRY)
        peer.send(topic, [encode_frame(frame(1, ("T-1.TEMP", now_ms, 45.0), epoch=EPOCH))])
        eventually(lambda: list(gateway.items("/api/v1/alarms")))
    statuses: Counter[int] = Counter()
    wrong: list[str] = []
    with httpx.Client(base_url=gateway.address, timeout=20.0) as client:
        for operation in operations(gateway.address):

            @given(case=operation.as_strategy())
            @settings(
                max_examples=examples,
                deadline=None,
                derandomize=True,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            def ask(case: Any) -> None:  # noqa: ANN401 - of a generic type without a name
                response = case.call(base_url=gateway.address, session=None)
                statuses[response.status_code] += 1
                told = str(response.headers.get("content-type"))
                if response.status_code >= 500 or (
                    response.status_code >= 400 and "application/problem+json" not in told
                ):
                    wrong.append(f"{case.method} {case.formatted_path} -> {response.status_code} {response.text[:200]}")

            ask()
        assert client.get("/livez").status_code == 200
    assert wrong == []
    assert len(statuses) > 4
    assert statuses.total() > 50 * examples // 2
