"""From an alarm to the first channel: a gateway, a broker, a load that alarms, and a receiver that notes the time."""

from __future__ import annotations

import contextlib
import json
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from config.clock import Clock
from hazgate.bench.asking import text_of
from hazgate.bench.load import ALARM_EVERY_S, Case, Load
from hazgate.bench.pipeline import BenchError, Stores, quantiles, run_broker, run_gateway_process, wait_for
from hazgate.leash import leashed

__all__ = ["measure_notify"]

_WARM_UP_S = 5.0
_TARGET_MS = 1_000.0


def measure_notify(
    per_minute: int, seconds: float, broker: str, stores: Stores, clock: Clock, say: Callable[[str], None]
) -> dict[str, Any]:
    """Raise alarms at a rate, each told by itself, and see when and how often each arrives.

    Args:
        per_minute: Alarms.
        seconds: For how long.
        broker: ``mosquitto`` or ``embedded``.
        stores: Where the gateway keeps things.
        clock: For source times and the schedule.
        say: Told what is going on.

    Raises:
        BenchError: A process did not come up, or not everything arrived.
    """
    tags = max(round(per_minute * ALARM_EVERY_S / 60), 1)
    case = Case("notify", edges=10, tags_per_edge=100, frame_samples=100, samples_per_s=1_000, alarming_tags=tags)
    with tempfile.TemporaryDirectory(prefix="hazgate-bench-") as name:
        work = Path(name)
        with (
            _receiver(work / "told") as receiver,
            run_broker(broker, work) as (port, _),
            run_gateway_process(case, port, work, stores, {"notify_port": receiver}) as (address, _),
        ):
            wait_for(lambda: text_of(address, "/readyz") is not None, "the gateway to be ready", clock)
            say("warming up")
            Load(case, "127.0.0.1", port, clock).run(_WARM_UP_S)
            began_ms = clock.wall_ms()
            say(f"{per_minute} alarms/min for {seconds:.0f} s")
            outcome = Load(case, "127.0.0.1", port, clock).run(seconds)
            wait_for(lambda: _queued(address) == 0, "all messages to be sent", clock)
            raised = _alarms(address)
        told = [json.loads(line) for line in (work / "told").read_text(encoding="utf-8").splitlines()]
    first: dict[str, tuple[int, int]] = {}
    for one in told:
        for alarm_id, received_ms in one["alarms"] if one["kind"] == "alarm" else ():
            first.setdefault(alarm_id, (received_ms, one["at_ms"]))
    delays = [float(at_ms - since_ms) for since_ms, at_ms in first.values() if since_ms >= began_ms]
    keys = [one["key"] for one in told]
    figures = quantiles(delays)
    return {
        "asked_per_minute": per_minute,
        "alarms_per_minute": round(len(delays) / outcome.seconds * 60),
        "seconds": round(outcome.seconds, 1),
        "broker": broker,
        "records": stores.records.partition(":")[0] or "sqlite",
        "raised": len(raised),
        "never_told": len(raised - first.keys()),
        "messages": len(told),
        "told_twice": len(keys) - len(set(keys)),
        "raised_to_received_ms": figures,
        "met": figures["p99"] <= _TARGET_MS and raised <= first.keys(),
    }


@contextlib.contextmanager
def _receiver(file: Path) -> Iterator[int]:
    process = subprocess.Popen(  # noqa: S603 - ours
        leashed("hazgate.bench.receiver", str(file)), stdout=subprocess.PIPE, text=True
    )
    try:
        said = process.stdout.readline().strip() if process.stdout else ""
        if not said:
            raise BenchError("the receiver did not come up")
        yield int(said)
    finally:
        process.kill()
        process.wait()


def _queued(address: str) -> int:
    lines = (text_of(address, "/metrics") or "").splitlines()
    found = [line for line in lines if line.startswith("hazgate_notifications_queued ")]
    return int(float(found[0].split()[1])) if found else -1


def _alarms(address: str) -> set[str]:
    found: set[str] = set()
    cursor = ""
    while True:
        page = json.loads(text_of(address, f"/api/v1/alarms?sort=time&limit=1000{cursor}") or "{}")
        found |= {one["alarm_id"] for one in page.get("items", ())}
        if not page.get("next_cursor"):
            return found
        cursor = f"&cursor={page['next_cursor']}"
