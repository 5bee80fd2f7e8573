"""A plant file changed under a running gateway: a wrong one changes nothing, a right one loses nothing."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from config.clock import SystemClock
from config.contract.frame import encode_frame
from config.contract.topics import Kind, edge_topic
from tests.support.edges import Sensors
from tests.support.frames import frame
from tests.support.gateways import GatewayProcess
from tests.support.nursery import Nursery
from tests.support.plants import MINI_PLANT
from tests.support.servers import Mosquitto
from tests.support.waiting import eventually

TELEMETRY = edge_topic("mini", "edge-a", Kind.TELEMETRY)
LOWER = MINI_PLANT.replace("H: {limit: 40, deadband: 0,", "H: {limit: 30, deadband: 0,")
WRONG = MINI_PLANT.replace("limit: 40", "limit: forty").replace("quantity: level", "quantity: levle")


@pytest.mark.timeout(120)
def test_a_plant_file_is_taken_into_force_or_refused_while_readings_come(
    nursery: Nursery, tmp_path: Path, plant_file: Path
) -> None:
    assert LOWER != MINI_PLANT
    with (
        Mosquitto(tmp_path) as broker,
        GatewayProcess(nursery, tmp_path, plant_file, broker) as gateway,
        Sensors(broker) as edge,
    ):
        stop, clock, sent = threading.Event(), SystemClock(), 0

        def feed() -> None:
            """Send every frame again and again until it is kept: all of them from the first, as an edge would."""
            nonlocal sent
            while not stop.wait(0.02):
                sent += 1
                frames.append(encode_frame(frame(sent, ("T-1.TEMP", clock.wall_ms(), 35.0))))
                edge.publish(TELEMETRY, frames[-1])

        frames: list[bytes] = []
        feeding = threading.Thread(target=feed)
        feeding.start()
        try:
            eventually(lambda: gateway.ledger("edge-a")["counts"]["samples_stored"] > 20, 10.0)
            plant_file.write_text(WRONG, encoding="utf-8")
            os.kill(gateway.pid, signal.SIGHUP)
            eventually(lambda: "plant_refused" in gateway.log, 10.0)
            assert "levle" in gateway.log
            assert list(gateway.items("/api/v1/alarms")) == []

            plant_file.write_text(LOWER, encoding="utf-8")
            os.kill(gateway.pid, signal.SIGHUP)
            gateway.started_again()
        finally:
            stop.set()
            feeding.join()
        for payload in frames:
            edge.publish(TELEMETRY, payload)
        edge.publish(TELEMETRY, encode_frame(frame(sent + 1, ("T-1.TEMP", clock.wall_ms(), 35.0))))
        eventually(lambda: gateway.ledger("edge-a")["counts"]["samples_stored"] == sent + 1, 20.0, every_s=0.05)
        (alarm,) = gateway.items("/api/v1/alarms")
        assert (alarm["tag"], alarm["condition"], alarm["limit"]) == ("T-1.TEMP", "H", 30.0)
        assert gateway.stop() == 0
