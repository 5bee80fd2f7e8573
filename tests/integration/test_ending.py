"""A gateway that is asked to end leaves nothing undone."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from config.clock import SystemClock
from config.contract.frame import encode_frame
from config.contract.topics import Kind, edge_topic
from config.plant.load import load_plant
from tests.support.chain import stored
from tests.support.frames import EPOCH, frame
from tests.support.gateways import GatewayProcess
from tests.support.mqtt_peer import Peer
from tests.support.servers import Broker
from tests.support.waiting import eventually

TELEMETRY = edge_topic("mini", "edge-a", Kind.TELEMETRY)


def test_what_was_kept_is_in_the_history_once_the_gateway_has_ended(
    broker: Broker, gateway: GatewayProcess, plant_file: Path
) -> None:
    now_ms = SystemClock().wall_ms() - 10
    rows = [("T-1.TEMP", now_ms + seq, seq / 8) for seq in (1, 2)]
    with Peer(broker) as peer:
        # History takes the first and then pauses for a quarter of a second; the end comes before it looks again.
        for seq, row in enumerate(rows, 1):
            peer.send(TELEMETRY, [encode_frame(frame(seq, row, epoch=EPOCH))])
            eventually(lambda seq=seq: upto(gateway) == seq, every_s=0.001)  # type: ignore[misc]  # mypy reads no default of a lambda
        assert gateway.stop() == 0
    assert stored(gateway.data, load_plant(plant_file)) == Counter(rows)


def upto(gateway: GatewayProcess) -> int:
    return next((one["upto"] for one in gateway.ledger("edge-a")["marks"]), 0)
