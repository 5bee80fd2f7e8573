"""What this edge notices by itself, with the same alarm core as the gateway: nobody waits for the uplink.

The limits, delays and conditions of its own tags are evaluated on the samples it takes, before they go anywhere.
Conditions that need tags of other edges are the gateway's alone. The gateway decides anew from the same samples, and
compares (`LocalAlarm`); after a restart of the edge delays begin again here, there they do not.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np
import structlog
from numpy.typing import NDArray

from alerting.batch import Batch, Change, Transitions
from alerting.engine import Engine
from alerting.quality import assess
from alerting.rules import Rules, compile_rules
from config.clock import Clock
from config.contract.alarms import LocalAlarm, alarm_id
from config.contract.quality import pack
from config.plant.model import CONDITIONS, Plant, Tag
from config.units import CANONICAL_UNITS
from edge.reading import Sample

__all__ = ["REMEMBERED_ALARMS", "LocalAlarms"]

REMEMBERED_ALARMS = 1000
"""Told again on every new connection to the gateway, at most: the latest."""

log = structlog.get_logger(__name__)


class LocalAlarms:
    """The alarms of one edge.

    Args:
        plant: Where limits come from.
        tags: Those of this edge.
        clock: Of this machine.
        connected: Whether the gateway can be reached.
    """

    def __init__(self, plant: Plant, tags: Iterable[Tag], clock: Clock, connected: Callable[[], bool]) -> None:
        self._tags = {tag.name: tag for tag in tags}
        self._rules = _own_rules(plant, self._tags)
        self._rows = {name: row for row, name in enumerate(self._rules.names)}
        self._clock = clock
        self._connected = connected
        self._engine = Engine(self._rules)
        self._engine.start(clock.wall_ms())
        self._listeners: list[Callable[[LocalAlarm], None]] = []
        self.active: dict[str, LocalAlarm] = {}
        """By alarm id."""
        self.latest: deque[LocalAlarm] = deque(maxlen=REMEMBERED_ALARMS)
        """What happened, the newest last."""

    def listen(self, listener: Callable[[LocalAlarm], None]) -> None:
        """Call ``listener`` for everything that happens from now on."""
        self._listeners.append(listener)

    def take(self, samples: Sequence[Sample]) -> NDArray[np.bool_]:
        """Evaluate samples; returns which of them are of tags in alarm (or just not any more)."""
        row = np.array([self._rows[sample.tag] for sample in samples], np.int32)
        now_ms = self._clock.wall_ms()
        batch = Batch(
            tag=row,
            time_ms=np.array([sample.time_ms for sample in samples], np.int64),
            value=np.array([np.nan if sample.value is None else sample.value for sample in samples], np.float64),
            quality=np.array([pack(sample.severity, sample.reason) for sample in samples], np.uint8),
        )
        batch = replace(batch, quality=assess(self._rules, batch, now_ms))
        told: NDArray[np.bool_] = np.any(self._engine.active, axis=0)
        transitions = self._engine.evaluate(batch, now_ms).transitions
        told |= np.any(self._engine.active, axis=0)
        told[transitions.tag] = True
        self._note(transitions)
        return told.take(row)

    def tick(self) -> None:
        """Let time pass, about once a second."""
        self._note(self._engine.tick(self._clock.wall_ms()))

    def _note(self, transitions: Transitions) -> None:
        for at in range(len(transitions)):
            alarm = self._alarm(transitions, at)
            if alarm.state == "active":
                self.active[alarm.alarm_id] = alarm
            else:
                self.active.pop(alarm.alarm_id, None)
            self.latest.append(alarm)
            log.warning("local_alarm", tag=alarm.tag, condition=alarm.condition, state=alarm.state, tier=alarm.tier)
            for listener in self._listeners:
                listener(alarm)

    def _alarm(self, transitions: Transitions, at: int) -> LocalAlarm:
        row, number = int(transitions.tag[at]), int(transitions.condition[at])
        tag, condition = self._tags[self._rules.names[row]], CONDITIONS[number]
        name = alarm_id(tag.name, condition, int(transitions.onset_ms[at]))
        value, limit, time_ms = transitions.value[at], transitions.limit[at], int(transitions.time_ms[at])
        raised = transitions.change[at] == Change.RAISED
        known = self.active.get(name)
        unit = CANONICAL_UNITS[tag.quantity]
        words = f"{condition.value} {value:.6g} {unit}" if np.isfinite(value) else condition.value
        return LocalAlarm(
            alarm_id=name,
            tag=tag.name,
            condition=condition.value,
            tier=int(self._rules.tier[number, row]),
            state="active" if raised else "cleared",
            onset_ms=max(0, int(transitions.onset_ms[at])),
            raised_ms=max(0, time_ms if raised or known is None else known.raised_ms),
            cleared_ms=None if raised else max(0, time_ms),
            value=float(value) if np.isfinite(value) else None,
            limit=float(limit) if np.isfinite(limit) else None,
            unit=unit,
            cut=not self._connected() if known is None else known.cut,
            text_zh=f"{tag.description.zh} {words}（边缘本地）",
            text_en=f"{tag.description.en} {words} (local)",
        )


def _own_rules(plant: Plant, own: dict[str, Tag]) -> Rules:
    """Return the rules of this edge's tags, without the conditions that need somebody else's."""
    tags = {}
    for name, tag in own.items():
        mine = tuple(rule for rule in tag.conditions if all(partner in own for partner in rule.partners))
        left_out = [rule.condition.value for rule in tag.conditions if rule not in mine]
        if left_out:
            log.info("not evaluated here: it is compared with tags of other edges", tag=name, conditions=left_out)
        tags[name] = replace(tag, conditions=mine)
    return compile_rules(replace(plant, tags=tags), tuple(tags))
