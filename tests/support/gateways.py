"""A gateway as a process of its own: started, asked over HTTP, killed, started again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from tests.support.nursery import Nursery, Program
from tests.support.servers import Broker
from tests.support.waiting import eventually

__all__ = ["GatewayProcess"]

_ADDRESS = re.compile(r"^(http://[\d.]+:\d+)/ ", re.MULTILINE)
_READY_WITHIN_S = 30.0


class GatewayProcess:
    """``hazgate gateway`` on a free port. Use it as a context manager; leaving kills it.

    Args:
        nursery: Forks it.
        folder: For its data directory and its log.
        plant_file: What it watches.
        broker: Where it listens.
        accounts: Whether one has to sign in.
    """

    def __init__(
        self, nursery: Nursery, folder: Path, plant_file: Path, broker: Broker, *, accounts: bool = False
    ) -> None:
        self.data = folder / "gateway"
        words = (
            "gateway",
            "--data",
            str(self.data),
            "--plant",
            str(plant_file),
            *(() if accounts else ("--no-accounts",)),
        )
        where = ("--broker", broker.address, "--http", "127.0.0.1:0")
        self._program = Program(nursery, folder / "gateway.log", (*words, *where))
        self._starts = 0
        self.address = ""
        """Of the HTTP interface; another one after every start."""

    @property
    def log(self) -> str:
        """All it said, over all its starts."""
        return self._program.log

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._program.running

    def start(self) -> None:
        """Start it and return when it is ready: log replayed, records writable, broker connected."""
        self._program.start()
        self._starts += 1
        eventually(self._has_said_its_address, _READY_WITHIN_S)
        self.address = _ADDRESS.findall(self.log)[-1]
        eventually(lambda: self._status("/readyz") == httpx.codes.OK, _READY_WITHIN_S)

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._program.pid

    def started_again(self) -> None:
        """Return when the process has begun again by itself and is ready; it has another address then."""
        self._starts += 1
        eventually(self._has_said_its_address, _READY_WITHIN_S)
        self.address = _ADDRESS.findall(self.log)[-1]
        eventually(lambda: self._status("/readyz") == httpx.codes.OK, _READY_WITHIN_S)

    def kill(self) -> None:
        """End it with SIGKILL."""
        self._program.kill()

    def stop(self) -> int:
        """Ask it to end and wait; returns its exit code."""
        return self._program.stop()

    def get(self, path: str, **query: str | int) -> Any:  # noqa: ANN401 - JSON
        """Return an answer of the API.

        Raises:
            httpx.HTTPError: There is none, or it is an error.
        """
        return httpx.get(f"{self.address}{path}", params=query, timeout=10.0).raise_for_status().json()

    def items(self, path: str, **query: str | int) -> Iterator[dict[str, Any]]:
        """Yield the items of all pages of a list."""
        cursor: str | None = None
        while True:
            page = self.get(path, **query, **({"cursor": cursor} if cursor else {}))
            yield from page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return

    def ledger(self, edge: str) -> dict[str, Any]:
        """Return the loss ledger of one edge."""
        edges: list[dict[str, Any]] = self.get("/api/v1/ledger")["edges"]
        return next(one for one in edges if one["edge"] == edge)

    def _has_said_its_address(self) -> bool:
        assert self.running, f"the gateway ended; it said:\n{self.log[-3000:]}"
        return len(_ADDRESS.findall(self.log)) >= self._starts

    def _status(self, path: str) -> int:
        try:
            return httpx.get(f"{self.address}{path}", timeout=5.0).status_code
        except httpx.HTTPError:
            return 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
