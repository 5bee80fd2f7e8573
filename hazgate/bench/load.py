"""The load: edges that send frames at a rate, keep them until they are confirmed, and time the alarms they cause."""

from __future__ import annotations

import gc
import secrets
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np

from config.clock import Clock
from config.contract.messages import AlarmState, Kept
from config.contract.topics import Kind, alarm_topic, edge_topic, parse_edge_topic
from hazgate.bench.plant import HIGH, SITE, edge_name, tag_name
from hazgate.bench.wire import LoadConnection

__all__ = ["ALARM_EVERY_S", "Case", "Load", "Outcome"]

_POOL = 64
"""Value columns made beforehand; a frame takes one of them."""
ALARM_EVERY_S = 4.0
"""Each alarming tag alarms so often."""
_ALARM_FOR_S = 2.0
_RESEND_AFTER_S = 5.0
_KEEPALIVE_S = 10.0
_BACKLOG_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Case:
    """What is sent."""

    name: str
    edges: int
    tags_per_edge: int
    frame_samples: int
    samples_per_s: int
    alarming_tags: int
    """Tags that are above their H limit for 2 s every 4 s, each at its own moment."""


@dataclass(slots=True)
class Outcome:
    """What the load generator saw."""

    samples_sent: int = 0
    frames_sent: int = 0
    frames_resent: int = 0
    frames_unconfirmed: int = 0
    alarms_expected: int = 0
    late_s: float = 0.0
    """How far the generator itself fell behind its schedule, at worst."""
    delays_ms: list[float] = field(default_factory=list)
    """Source time of the sample to the alarm's arrival on MQTT, at this process."""
    seconds: float = 0.0


class _SendingEdge:
    """One edge: its epoch, its next frame, what is not confirmed."""

    def __init__(self, number: int, case: Case, alarming: Sequence[int], chance: np.random.Generator) -> None:
        self.topic = edge_topic(SITE, edge_name(number), Kind.TELEMETRY)
        self.epoch = secrets.token_hex(8)
        self.seq = 0
        self.unconfirmed: deque[tuple[int, bytes]] = deque()
        self._alarming = [(tag, chance.uniform(0, ALARM_EVERY_S)) for tag in alarming]
        tags = [tag_name(number, tag) for tag in range(case.tags_per_edge)]
        size = case.frame_samples
        self._groups = [list(range(start, start + size)) for start in range(0, case.tags_per_edge, size)]
        self._tags = ["[" + ",".join(f'"{tags[tag]}"' for tag in group) + "]" for group in self._groups]
        self._values = [[f"{value:.2f}" for value in row] for row in chance.uniform(30, 70, (_POOL, size))]
        self._joined = ["[" + ",".join(row) + "]" for row in self._values]
        self._quality = "[" + ",".join("0" * size) + "]"
        self._size = size

    def frame(self, now_ms: int, at_s: float) -> bytes:
        """Return the next frame, ``at_s`` seconds after the beginning."""
        self.seq += 1
        group = self.seq % len(self._groups)
        pick = self.seq % _POOL
        values = self._joined[pick]
        first = self._groups[group][0]
        high = [
            tag - first
            for tag, phase_s in self._alarming
            if first <= tag < first + self._size and (at_s + phase_s) % ALARM_EVERY_S < _ALARM_FOR_S
        ]
        if high:
            row = list(self._values[pick])
            for place in high:
                row[place] = f"{HIGH + 5:.2f}"
            values = "[" + ",".join(row) + "]"
        times = "[" + ",".join([str(now_ms)] * self._size) + "]"
        return (
            f'{{"schema":1,"epoch":"{self.epoch}","seq":{self.seq},"sent_ms":{now_ms},"tags":{self._tags[group]},'
            f'"times_ms":{times},"values":{values},"quality":{self._quality}}}'
        ).encode()


def _alarming(case: Case, chance: np.random.Generator) -> list[list[int]]:
    """Return the alarming tags of each edge, dealt evenly to the edges and at random within each.

    Tags are sent in turn, so the first tags of all edges would all be sent in the same few milliseconds of each round:
    one burst of alarms that always meets the gateway in the same phase of its second.
    """
    share, rest = divmod(case.alarming_tags, case.edges)
    counts = [share + (edge < rest) for edge in range(case.edges)]
    return [chance.choice(case.tags_per_edge, count, replace=False).tolist() for count in counts]


class Load:
    """Sends one case to a broker at a steady rate.

    Args:
        case: What to send.
        host: Of the broker.
        port: Of the broker.
        clock: Wall for source times, monotonic for the schedule.
    """

    def __init__(self, case: Case, host: str, port: int, clock: Clock) -> None:
        self._case = case
        self._clock = clock
        self._connection = LoadConnection(host, port, f"bench-{secrets.token_hex(4)}")
        self._connection.subscribe(edge_topic(SITE, "+", Kind.KEPT))
        self._connection.subscribe(alarm_topic(SITE, "+"))
        chance = np.random.default_rng(1)
        alarming = _alarming(case, chance)
        self._edges = [_SendingEdge(edge, case, tags, chance) for edge, tags in enumerate(alarming)]
        self._by_name = {edge_name(number): edge for number, edge in enumerate(self._edges)}
        self._kept = msgspec.json.Decoder(Kept)
        self._alarm = msgspec.json.Decoder(AlarmState)
        self._seen: set[str] = set()
        self._confirmed = 0
        self._began_ms = clock.wall_ms()
        self.outcome = Outcome()

    def run(self, seconds: float) -> Outcome:
        """Send for ``seconds``, then wait (bounded) until everything is confirmed."""
        case, clock = self._case, self._clock
        gc.collect()
        gc.freeze()  # a pause of the generator is not to be measured
        interval_s = case.frame_samples / case.samples_per_s
        began_s = clock.monotonic_s()
        sent = 0
        ping_s = began_s + _KEEPALIVE_S
        resend_s = began_s + _RESEND_AFTER_S
        confirmed = 0
        while (elapsed_s := clock.monotonic_s() - began_s) < seconds:
            due = int(elapsed_s / interval_s)
            self.outcome.late_s = max(self.outcome.late_s, elapsed_s - sent * interval_s)
            while sent < due and self._connection.backlog_bytes < _BACKLOG_BYTES:
                self._send(self._edges[sent % case.edges], sent * interval_s)
                sent += 1
            self._receive(0.001)
            now_s = clock.monotonic_s()
            if now_s > ping_s:
                self._connection.ping()
                ping_s = now_s + _KEEPALIVE_S
            if self._confirmed > confirmed:
                confirmed, resend_s = self._confirmed, now_s + _RESEND_AFTER_S
            elif now_s > resend_s:
                self._resend()
                resend_s = now_s + _RESEND_AFTER_S
        self.outcome.seconds = clock.monotonic_s() - began_s
        self._drain()
        self._connection.close()
        gc.unfreeze()
        return self.outcome

    def _send(self, edge: _SendingEdge, at_s: float) -> None:
        payload = edge.frame(self._clock.wall_ms(), at_s)
        edge.unconfirmed.append((edge.seq, payload))
        self._connection.publish(edge.topic, payload)
        self.outcome.frames_sent += 1
        self.outcome.samples_sent += self._case.frame_samples

    def _receive(self, timeout_s: float) -> None:
        for topic, payload in self._connection.exchange(timeout_s):
            if topic.endswith("/kept"):
                kept = self._kept.decode(payload)
                edge = self._by_name[parse_edge_topic(topic).edge]
                if kept.epoch == edge.epoch:
                    while edge.unconfirmed and edge.unconfirmed[0][0] <= kept.upto:
                        edge.unconfirmed.popleft()
                        self._confirmed += 1
            elif payload:
                self._time(self._alarm.decode(payload))

    def _time(self, alarm: AlarmState) -> None:
        if alarm.raised_ms < self._began_ms:
            return  # retained since before
        if alarm.state == "active" and alarm.alarm_id not in self._seen:
            self._seen.add(alarm.alarm_id)
            self.outcome.delays_ms.append(self._clock.wall_ms() - alarm.raised_ms)

    def _resend(self) -> None:
        for edge in self._edges:
            for _, payload in edge.unconfirmed:
                self._connection.publish(edge.topic, payload)
                self.outcome.frames_resent += 1

    def _drain(self) -> None:
        deadline_s = self._clock.monotonic_s() + 2 * _RESEND_AFTER_S + 5
        resend_s = self._clock.monotonic_s() + _RESEND_AFTER_S
        while any(edge.unconfirmed for edge in self._edges) and self._clock.monotonic_s() < deadline_s:
            self._receive(0.01)
            if self._clock.monotonic_s() > resend_s:
                self._resend()
                resend_s = self._clock.monotonic_s() + _RESEND_AFTER_S
        self.outcome.frames_unconfirmed = sum(len(edge.unconfirmed) for edge in self._edges)
