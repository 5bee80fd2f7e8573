"""Tells somebody outside that readings still come through: the one alarm that rings when all of us are down.

A `canary` tag is read like any other: outbox, broker, acceptance, engine, commit. When a new reading of it has come
all that way, the receiver (`scripts/canary_receiver.py`, on another machine) is told; it cries when nobody tells it.
"""

from __future__ import annotations

import json
import threading

import structlog
import urllib3

from config.plant.model import Plant
from gateway.live import Board

__all__ = ["Canary"]

_EVERY_S = 1.0
_WITHIN_S = 3.0

log = structlog.get_logger(__name__)


class Canary:
    """Watches the canary tags of a plant.

    Args:
        plant: Which tags those are.
        board: Where their last readings are shown.
        url: Of the receiver.
    """

    def __init__(self, plant: Plant, board: Board, url: str) -> None:
        self._tags = {tag.name for tag in plant.tags.values() if tag.source and tag.source.driver == "canary"}
        self._board = board
        self._url = url
        self._http = urllib3.PoolManager(retries=False, timeout=_WITHIN_S)
        self._told: dict[str, int] = {}
        self._trouble = ""

    def run(self, stop: threading.Event) -> None:
        """Tell until ``stop`` is set."""
        while not stop.wait(_EVERY_S):
            self.turn()

    def turn(self) -> None:
        """Tell of every canary tag that has a newer reading than was told."""
        values = self._board.values
        if values is None:
            return
        for row, name in enumerate(values.names):
            sung_ms = int(values.time_ms[row])
            if name in self._tags and sung_ms > self._told.get(name, 0) and not values.stale[row]:
                document = {"source": name, "sent_ms": sung_ms, "received_ms": int(values.received_ms[row])}
                if self._tell(document):
                    self._told[name] = sung_ms

    def _tell(self, document: dict[str, object]) -> bool:
        try:
            body = json.dumps(document).encode()
            answer = self._http.request("POST", self._url, body=body, headers={"Content-Type": "application/json"})
            trouble = "" if answer.status < 300 else f"answers {answer.status}"  # noqa: PLR2004 - HTTP
        except urllib3.exceptions.HTTPError as error:
            trouble = f"{type(error).__name__}: {error}"
        if trouble and not self._trouble:
            log.error("canary_receiver_unreachable", url=self._url, error=trouble[:300])
        self._trouble = trouble
        return not trouble
