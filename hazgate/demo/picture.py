"""What the demo knows at a moment: folded from the API's stream, its ledger and the simulator's word."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from config.plant.model import Text
from hazgate.demo.answers import AlarmEvent, AlarmItem, EdgeItem, Health, Ledger, Snapshot, Tick, Values
from hazgate.demo.client import Event
from hazgate.demo.player import Progress
from hazgate.demo.story import Scene

__all__ = ["Moment", "Picture"]

_TREND = 24
"""Seconds of values remembered per tag."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A line of the story: something the scenario did, or an alarm."""

    at_ms: int
    """UTC."""
    text: Text
    tier: int = 0
    """Of an alarm; 0 for the scenario."""
    kind: str = "scene"
    """scene | trouble, or what happened to an alarm: raised | tier_raised | cleared | ..."""


@dataclass(slots=True)
class Picture:
    """Everything that is shown."""

    story: Sequence[Scene] = ()
    alarms: dict[str, AlarmItem] = field(default_factory=dict)
    """Those that are open and told, by id."""
    run: dict[str, AlarmItem] = field(default_factory=dict)
    """All raised since the scenario began, also those cleared since, by id."""
    edges: Sequence[EdgeItem] = ()
    health: Health | None = None
    progress: Progress | None = None
    kept: int = 0
    """Samples kept by the gateway since the demo began."""
    in_flight: int = 0
    """Sent and not kept, when the ledger was last read."""
    given_up: int = 0
    """Samples that will never be kept: shed by an edge, or refused by the gateway, since the demo began."""
    doubled: int = 0
    """Samples that arrived again and were dropped, since the demo began."""
    base: Ledger | None = None
    """The ledger when the demo began: a data directory may hold earlier runs."""
    trends: dict[str, deque[float | None]] = field(default_factory=dict)
    """The last values of every tag; None where there was no number, or an old one."""
    moments: list[Moment] = field(default_factory=list)
    _told: int = 0

    def hear(self, event: Event) -> None:
        """Take an event of the stream."""
        match event.name:
            case "snapshot":
                snapshot = msgspec.json.decode(event.data, type=Snapshot)
                self.alarms = {alarm.alarm_id: alarm for alarm in snapshot.alarms}
                self.edges, self.health = snapshot.edges, snapshot.health
                self._remember(snapshot.values)
            case "alarm":
                self._take(msgspec.json.decode(event.data, type=AlarmEvent))
            case "values":
                self._remember(msgspec.json.decode(event.data, type=Values))
            case "tick":
                tick = msgspec.json.decode(event.data, type=Tick)
                self.health = tick.health
                self.edges = self.edges if tick.edges is None else tick.edges
            case _:
                pass  # a reset: its snapshot follows

    def count(self, ledger: Ledger) -> None:
        """Take the ledger."""
        if self.base is None:
            self.base = ledger
        self.kept = self._since("samples_stored", ledger)
        self.doubled = self._since("samples_duplicate", ledger)
        self.given_up = self._since("samples_shed", ledger) + self._since("samples_rejected", ledger)
        sent = self.progress.samples if self.progress else 0
        self.in_flight = max(0, sent - self.kept - self.doubled - self.given_up)

    def play(self, progress: Progress) -> None:
        """Take the simulator's word; what the scenario has done meanwhile becomes part of the story."""
        self.progress = progress
        while self._told < len(self.story) and self.story[self._told].at_s * 1000 <= progress.at_ms:
            scene = self.story[self._told]
            kind = "trouble" if scene.trouble else "scene"
            self.moments.append(Moment(progress.started_ms + round(scene.at_s * 1000), scene.text, kind=kind))
            self._told += 1

    def _since(self, count: str, ledger: Ledger) -> int:
        return ledger.total(count) - (self.base or ledger).total(count)

    def _take(self, event: AlarmEvent) -> None:
        alarm = event.alarm
        known = self.alarms.get(alarm.alarm_id)
        if known and known.version > alarm.version:
            return
        if self.progress and alarm.raised_ms >= self.progress.started_ms:
            self.run[alarm.alarm_id] = alarm
        if alarm.state == "cleared" or alarm.inhibited is not None:
            self.alarms.pop(alarm.alarm_id, None)
        else:
            self.alarms[alarm.alarm_id] = alarm
        at_ms = alarm.raised_ms if alarm.cleared_ms is None else alarm.cleared_ms
        if event.kind == "tier_raised" and alarm.rise is not None:
            at_ms = alarm.rise.at_ms
        text = Text(alarm.message.zh, alarm.message.en)
        self.moments.append(Moment(at_ms, text, alarm.tier, event.kind))

    def _remember(self, values: Values) -> None:
        for tag, value, stale in zip(values.tags, values.value, values.stale, strict=True):
            self.trends.setdefault(tag, deque(maxlen=_TREND)).append(None if stale else value)
