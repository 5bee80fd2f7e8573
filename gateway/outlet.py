"""Tells the broker: `kept` to the edges, and the state of every alarm, retained while it is open (design 5.1).

Both follow what has been committed. A receipt that gets lost is asked for again by its edge; an alarm topic is told
again from the follower's position after a crash, and all open alarms after every new connection, because a broker may
have lost what it retained.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from config.contract.messages import AlarmState, Kept, Refusal, encode
from config.contract.topics import Kind, alarm_topic, edge_topic
from config.plant.model import Plant
from config.units import CANONICAL_UNITS
from gateway.ingest.transport import Transport
from gateway.messages import message
from gateway.records.schema import OPEN_STATES

__all__ = ["FOLLOWER", "Outlet"]

FOLLOWER = "alarm_topics"
"""Name under which the position is kept: the last alarm event that the broker has confirmed."""

_KEPT_EVERY_S = 0.2
"""An edge has a window of many frames: five receipts a second are enough, whatever the rate of frames."""
_REFUSALS_TOLD = 20


@dataclass(slots=True)
class _Told:
    """An alarm event on its way to the broker."""

    alarm: Mapping[str, Any]
    pending: int
    """Publications not yet confirmed."""


class Outlet:
    """Publishes receipts and alarm states on a transport.

    Args:
        transport: Where to publish.
        plant: For the site's name and the words of an alarm.
        position: The last alarm event known to be confirmed.
    """

    def __init__(self, transport: Transport, plant: Plant, position: int) -> None:
        self._transport = transport
        self._plant = plant
        self._position = position
        self._generation = -1
        self._kept: dict[tuple[str, str], tuple[int, tuple[Refusal, ...]]] = {}
        self._next_kept_s = 0.0
        self._waiting: deque[Mapping[str, Any]] = deque()
        self._under_way: deque[_Told] = deque()
        self._by_token: dict[int, _Told] = {}

    @property
    def position(self) -> int:
        """Every alarm event up to here is on the broker."""
        return self._position

    def keep(self, edge: str, epoch: str, upto: int, refused: Sequence[Refusal]) -> None:
        """Note that everything of an epoch up to ``upto`` is durable; `flush` says so."""
        earlier = self._kept.get((edge, epoch), (0, ()))[1]
        self._kept[edge, epoch] = (upto, (*earlier, *refused)[-_REFUSALS_TOLD:])

    def due_s(self, now_s: float) -> float:
        """Return how long until a receipt is to be published; infinity when none waits."""
        return max(0.0, self._next_kept_s - now_s) if self._kept and self._transport.connected else math.inf

    def tell(self, alarms: Iterable[Mapping[str, Any]]) -> None:
        """Queue alarm rows, in the order of their events; `flush` publishes them, but for retrospective ones."""
        self._waiting.extend(alarms)

    def flush(self, now_s: float, open_alarms: Sequence[Mapping[str, Any]]) -> None:
        """Publish what waits; after a new connection also every open alarm.

        Args:
            now_s: Monotonic clock.
            open_alarms: Rows of all alarms that are active, or over and wait for somebody.
        """
        if not self._transport.connected:
            return
        if self._transport.generation != self._generation:
            self._start_over(open_alarms)
        self._confirm()
        while self._waiting and (self._waiting[0]["retrospective"] or self._publish(self._waiting[0])):
            self._waiting.popleft()
        if self._kept and now_s >= self._next_kept_s:
            self._next_kept_s = now_s + _KEPT_EVERY_S
            self._publish_kept()

    def _start_over(self, open_alarms: Sequence[Mapping[str, Any]]) -> None:
        self._generation = self._transport.generation
        unconfirmed = [told.alarm for told in self._under_way]
        # In the order of their events: a position that passed over an event still to be told would lose it in a crash.
        by_event = {alarm["sequence"]: alarm for alarm in (*open_alarms, *unconfirmed, *self._waiting)}
        self._waiting = deque(by_event[sequence] for sequence in sorted(by_event))
        self._under_way.clear()
        self._by_token.clear()

    def _confirm(self) -> None:
        """Advance the position over every event whose publications are all confirmed, in order."""
        for token in self._transport.confirmed():
            told = self._by_token.pop(token, None)
            if told is not None:
                told.pending -= 1
        while self._under_way and self._under_way[0].pending == 0:
            self._position = max(self._position, int(self._under_way.popleft().alarm["sequence"]))

    def _publish(self, alarm: Mapping[str, Any]) -> bool:
        """Publish the state of one alarm; False when the connection has gone."""
        topic = alarm_topic(self._plant.site.id, alarm["alarm_id"])
        is_open = alarm["state"] in OPEN_STATES and alarm["inhibited"] is None
        payloads = [(self._payload(alarm), is_open)]
        if not is_open:
            payloads.append((b"", True))  # closed: nothing is retained any more
        told = _Told(alarm, 0)
        for payload, retain in payloads:
            token = self._transport.publish(topic, payload, retain=retain)
            if token is None:
                return False
            told.pending += 1
            self._by_token[token] = told
        self._under_way.append(told)
        return True

    def _publish_kept(self) -> None:
        for (edge, epoch), (upto, refused) in self._kept.items():
            payload = encode(Kept(epoch, upto, refused))
            topic = edge_topic(self._plant.site.id, edge, Kind.KEPT)
            if self._transport.publish(topic, payload, retain=True) is None:
                return
        self._kept.clear()

    def _payload(self, alarm: Mapping[str, Any]) -> bytes:
        tag = self._plant.tags.get(alarm["tag"])
        return encode(
            AlarmState(
                alarm_id=alarm["alarm_id"],
                state="inhibited" if alarm["inhibited"] else alarm["state"],
                tier=alarm["tier"],
                base_tier=alarm["base_tier"],
                acknowledged=alarm["acknowledged_ms"] is not None,
                tag=alarm["tag"],
                condition=alarm["condition"],
                hazard_unit=alarm["hazard_unit"],
                onset_ms=alarm["onset_ms"],
                raised_ms=alarm["raised_ms"],
                cleared_ms=alarm["cleared_ms"],
                value=alarm["value"],
                limit=alarm["limit"],
                unit=CANONICAL_UNITS[tag.quantity] if tag else "",
                delayed=alarm["delayed"],
                version=alarm["version"],
                message_zh=message(alarm, self._plant, "zh"),
                message_en=message(alarm, self._plant, "en"),
            )
        )
