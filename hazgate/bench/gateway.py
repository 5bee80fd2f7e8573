"""The gateway under test, as a process of its own: ``python -m hazgate.bench.gateway SETTINGS``."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path

from config.clock import SystemClock
from config.settings import BrokerAddress, GatewaySettings, HistoryAddress, RecordsAddress
from gateway.app import run_gateway
from hazgate.bench.plant import bench_plant
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
    await run_gateway(settings, plant, SystemClock(), stop, lambda address: print(address, flush=True))  # noqa: T201 - read by the parent


def main() -> None:
    """Run until SIGTERM; prints the address of its API."""
    log_for_operators()
    asyncio.run(_run(json.loads(sys.argv[1])))


if __name__ == "__main__":
    main()
