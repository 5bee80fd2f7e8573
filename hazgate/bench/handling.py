"""Many alarms acknowledged in one call: a gateway, a broker, a load that alarms, and somebody who acknowledges all."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from config.clock import Clock
from hazgate.bench.asking import post_json, text_of
from hazgate.bench.load import ALARM_EVERY_S, Case, Load
from hazgate.bench.pipeline import Stores, run_broker, run_gateway_process, wait_for

__all__ = ["measure_handling"]

_TARGET_MS = 2_000.0


def measure_handling(
    alarms: int, rounds: int, broker: str, stores: Stores, clock: Clock, say: Callable[[str], None]
) -> dict[str, Any]:
    """Raise alarms, acknowledge all of them in one call, and do that again.

    Args:
        alarms: In one call.
        rounds: How often.
        broker: ``mosquitto`` or ``embedded``.
        stores: Where the gateway keeps things.
        clock: For source times and the schedule.
        say: Told what is going on.

    Raises:
        BenchError: A process did not come up, or not so many alarms could be raised.
    """
    edges = -(-alarms // 40)
    # Half of the alarming tags are above their limit when the load ends, and stay so.
    case = Case("handling", edges, 100, frame_samples=100, samples_per_s=edges * 100, alarming_tags=edges * 100)
    took_ms: list[float] = []
    refused = 0
    with (
        tempfile.TemporaryDirectory(prefix="hazgate-bench-") as name,
        run_broker(broker, Path(name)) as (port, _),
        run_gateway_process(case, port, Path(name), stores, {}) as (address, _),
    ):
        wait_for(lambda: text_of(address, "/readyz") is not None, "the gateway to be ready", clock)
        for number in range(rounds):
            say(f"round {number + 1} of {rounds}")
            Load(case, "127.0.0.1", port, clock).run(ALARM_EVERY_S + 1.0)
            found: list[dict[str, Any]] = []

            def enough(found: list[dict[str, Any]] = found) -> bool:
                path = "/api/v1/alarms?state=active&sort=time&limit=1000"
                found[:] = json.loads(text_of(address, path) or "{}").get("items", ())[:alarms]
                return len(found) == alarms

            wait_for(enough, f"{alarms} alarms to be acknowledged", clock)
            seen = [{"alarm_id": one["alarm_id"], "version": one["version"]} for one in found]
            body = {"verb": "acknowledge", "by": "bench", "alarms": seen}
            begun_s = clock.monotonic_s()
            answer = post_json(address, "/api/v1/alarms/bulk", body)
            took_ms.append((clock.monotonic_s() - begun_s) * 1000)
            refused += alarms - answer["done"]
    return {
        "alarms": alarms,
        "rounds": rounds,
        "broker": broker,
        "records": stores.records.partition(":")[0] or "sqlite",
        "refused": refused,
        "bulk_acknowledge_ms": {"median": round(median(took_ms), 1), "max": round(max(took_ms), 1)},
        "met": max(took_ms) <= _TARGET_MS and refused == 0,
    }
