"""The gateway under test, as a process of its own: ``python -m hazgate.bench.gateway SETTINGS``."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path

from config.clock import SystemClock
from config.duty.model import Duty, Ladder, Person, Role, Step, Storm
from config.settings import BrokerAddress, GatewaySettings, HistoryAddress, RecordsAddress
from gateway.app import OnDuty, run_gateway
from hazgate.bench.plant import bench_plant
from hazgate.bench.receiver import PostChannel
from hazgate.logs import log_for_operators

__all__ = ["main"]


async def _run(asked: dict[str, object]) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    settings = GatewaySettings(
        data_dir=Path(str(asked["data_dir"])),
        broker=BrokerAddress.parse(str(asked["broker"])),
        http_port=0,
        accounts=False,
        records=RecordsAddress.parse(str(asked["records"])) if asked["records"] else None,
        history=HistoryAddress.parse(str(asked["history"])) if asked["history"] else None,
    )
    plant = bench_plant(int(str(asked["edges"])), int(str(asked["tags_per_edge"])))
    await run_gateway(
        settings,
        plant,
        SystemClock(),
        stop,
        lambda address: print(address, flush=True),  # noqa: T201 - read by the parent
        on_duty=_on_duty(int(str(asked["notify_port"]))) if "notify_port" in asked else OnDuty(),
    )


def _on_duty(port: int) -> OnDuty:
    """Return a duty that tells every alarm by itself over one channel."""
    steps = (Step("duty_officer", ("receiver",), 3_600_000),)
    ladder = Ladder("all", frozenset({1, 2, 3, 4}), steps, storm=Storm(over=1_000_000))
    duty = Duty(
        people={"officer": Person("officer", "值班员")},
        roles={"duty_officer": Role("duty_officer", people=("officer",))},
        channels={"receiver": {}},
        ladders={ladder.id: ladder},
    )
    return OnDuty(duty, {"receiver": PostChannel(port)})


def main() -> None:
    """Run until SIGTERM; prints the address of its API."""
    log_for_operators()
    asyncio.run(_run(json.loads(sys.argv[1])))


if __name__ == "__main__":
    main()
