"""The API of the context benchmark, as a process of its own: ``python -m hazgate.bench.context_api ASKED``.

Everything is as in a gateway but the pipeline: nothing arrives, and the board shows one value of every tag.
"""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sys
from pathlib import Path

import numpy as np
from fastapi import FastAPI, Request

from config.clock import Clock, SystemClock
from config.duty.model import Duty, Person, Role
from config.plant.model import Plant
from config.settings import RecordsAddress
from gateway.access.oidc import Provider
from gateway.access.roles import EVERYTHING, Caller, Scope
from gateway.access.sessions import Sessions
from gateway.api.app import create_api
from gateway.api.context import Desk
from gateway.api.feed import Source
from gateway.api.server import ApiServer
from gateway.commands import Inbox
from gateway.history.duckdb_store import HistoryStore
from gateway.kpi.compute import Kpis
from gateway.kpi.desks import Desks
from gateway.live import Board, Hub, Values
from gateway.notify.desk import DutyDesk
from gateway.place.app import Ground, make_place
from gateway.records.database import open_desk, open_reader
from gateway.records.queries import Queries
from gateway.shift.attachments import Attachments
from gateway.shift.handover import Handovers
from gateway.shift.links import Links
from hazgate.bench.town import END_MS, Town, town_plant
from hazgate.logs import log_for_operators

__all__ = ["HISTORY_FILE", "SCOPE_HEADER", "main"]

HISTORY_FILE = "history.duckdb"
SCOPE_HEADER = "X-Bench-Enterprise"


class _TownClock:
    """Begins in the present of the province, and goes on."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._behind_ms = clock.wall_ms() - END_MS

    def wall_ms(self) -> int:
        return self._clock.wall_ms() - self._behind_ms

    def monotonic_s(self) -> float:
        return self._clock.monotonic_s()


class _AskedGate:
    """Lets everybody in: with the scope of the enterprise a header names, else with all."""

    sessions: Sessions | None = None
    provider: Provider | None = None

    def caller(self, request: Request) -> Caller:
        named = request.headers.get(SCOPE_HEADER, "")
        scope = Scope(enterprises=frozenset({named})) if named else Scope()
        return Caller("bench", "bench", None, EVERYTHING, scope, "bench")

    def still(self, request: Request, caller: Caller) -> bool:  # noqa: ARG002 - see `gateway.api.guard.Gate`
        return True


def _values(plant: Plant) -> Values:
    count = len(plant.tags)
    return Values(
        at_ms=END_MS,
        names=tuple(plant.tags),
        time_ms=np.full(count, END_MS - 500, np.int64),
        received_ms=np.full(count, END_MS - 400, np.int64),
        value=np.full(count, 55.0),
        quality=np.zeros(count, np.uint8),
        stale=np.zeros(count, np.bool_),
    )


def _duty() -> Duty:
    people = {f"p{number}": Person(f"p{number}", f"值班员{number}", "13800000000") for number in range(4)}
    return Duty(people=people, roles={"duty": Role("duty", people=tuple(people))}, channels={}, ladders={})


def _api(folder: Path, address: RecordsAddress | None, town: Town) -> FastAPI:
    clock, plant = _TownClock(SystemClock()), town_plant(town)
    reader, writing = open_reader(folder, address), open_desk(folder, address)
    queries, board = Queries(reader), Board(values=_values(plant))
    history = HistoryStore(folder / HISTORY_FILE)
    desk = Desk(
        Handovers(writing, queries, clock),
        Links(writing, reader, clock),
        Attachments(writing, reader, clock),
        DutyDesk(_duty(), writing, reader, clock),
    )
    place = make_place(Ground(writing, reader, queries, history, plant, board, clock))
    source = Source(plant, board, Hub(), queries, clock, "bench")
    return create_api(source, history, Inbox(lambda: None), _AskedGate(), desk, Kpis(reader, plant, Desks()), place)


async def _serve(app: FastAPI) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = ApiServer(app)

        def stop() -> None:
            server.should_exit = True

        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop)
        print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)  # noqa: T201 - read by the parent
        await server.serve([listener])


def main() -> None:
    """Run until SIGTERM; prints the address."""
    log_for_operators()
    asked = json.loads(sys.argv[1])
    address = RecordsAddress.parse(asked["records"]) if asked["records"] else None
    asyncio.run(_serve(_api(Path(asked["folder"]), address, Town(**asked["town"]))))


if __name__ == "__main__":
    main()
