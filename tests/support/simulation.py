"""A world of edges, a bus and a gateway in one loop: acceptance, core, alarms, windows and outboxes as pure functions.

One seed is one world: what the sensors measure, what the bus loses, repeats and mixes up, when commits fail and who
crashes. Time passes a minute a step, so weeks pass in seconds. Nothing here waits, and no disk is involved: what is
durable is a copy, a crash is going back to it. The process tests prove the thin shell around the same functions.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field

from alerting.batch import Batch
from alerting.engine import Engine
from alerting.quality import assess
from alerting.rules import compile_rules
from config.contract.frame import Frame, encode_frame
from config.contract.topics import Kind, edge_topic
from config.plant.model import Plant
from edge.window import Window
from gateway.alarms import AlarmBook
from gateway.ingest.acceptance import Mark, take_in
from gateway.ingest.decode import Decoder
from gateway.ingest.transport import Message
from gateway.records.schema import OPEN_STATES
from gateway.tags import Rows
from tests.support.frames import frame

__all__ = ["Simulation"]

STEP_S = 60.0
LIVE_WINDOW_S = 600.0
T0 = 1_763_770_000_000

Sample = tuple[str, int, float | None]


@dataclass(slots=True)
class Epoch:
    """Frames of one epoch as an outbox holds them; durable."""

    name: str
    made: int = 0
    kept: int = 0
    held: dict[int, tuple[float, Frame]] = field(default_factory=dict)
    """seq -> (made at, frame)."""


class EdgeModel:
    """An edge agent: an outbox that is durable, windows that are not."""

    def __init__(self, name: str, tags: list[str], rng: random.Random) -> None:
        self.name = name
        self._tags = tags
        self._rng = rng
        self._level = dict.fromkeys(tags, 50.0)
        self.epochs = [self._fresh()]
        self.made: list[Sample] = []
        self.windows: dict[str, Window] = {}

    def measure(self, now_s: float) -> None:
        """Read every sensor and put the frame into the outbox."""
        now_ms = T0 + round(now_s * 1000)
        samples: list[Sample] = []
        for at, tag in enumerate(self._tags):
            self._level[tag] = min(100.0, max(0.0, self._level[tag] + self._rng.gauss(0, 12)))
            value = None if self._rng.random() < 0.01 else round(self._level[tag], 2)
            samples.append((tag, now_ms + at, value))
        live = self.epochs[-1]
        live.made += 1
        live.held[live.made] = now_s, frame(live.made, *samples, epoch=live.name)
        self.made += samples

    def send(self, now_s: float) -> list[tuple[str, bytes]]:
        """Return what goes to the bus: the live epoch first, then the oldest one."""
        live = self.epochs[-1]
        if live.kept and live.held and now_s - next(iter(live.held.values()))[0] > LIVE_WINDOW_S:
            self.epochs.append(self._fresh())
        out = self._send(self.epochs[-1], Kind.TELEMETRY, now_s)
        return out + (self._send(self.epochs[0], Kind.BACKLOG, now_s) if len(self.epochs) > 1 else [])

    def hear(self, epoch: str, upto: int, now_s: float) -> None:
        """Believe `kept`."""
        found = next((one for one in self.epochs if one.name == epoch), None)
        if found is None or upto > found.made:
            return
        self._window(found, now_s).confirmed(upto, now_s)
        if upto > found.kept:
            found.kept = upto
            found.held = {seq: one for seq, one in found.held.items() if seq > upto}
        self.epochs = [one for one in self.epochs if one.held or one is self.epochs[-1]]

    def crash(self) -> None:
        """Forget everything but the outbox."""
        self.windows.clear()

    def _fresh(self) -> Epoch:
        return Epoch(f"{self._rng.getrandbits(64):016x}")

    def _window(self, epoch: Epoch, now_s: float) -> Window:
        if epoch.name not in self.windows:
            self.windows[epoch.name] = Window(20, 3 * STEP_S)
            self.windows[epoch.name].begin(now_s, epoch.kept)
        return self.windows[epoch.name]

    def _send(self, epoch: Epoch, kind: Kind, now_s: float) -> list[tuple[str, bytes]]:
        window = self._window(epoch, now_s)
        overdue_s = window.overdue_s(now_s)
        if overdue_s is not None and overdue_s <= 0:
            window.probe(now_s)
        out = []
        while window.room and window.cursor < epoch.made:
            seq = window.cursor + 1
            if seq in epoch.held:
                one = epoch.held[seq][1]
                if window.first:
                    one = frame(
                        seq, *zip(one.tags, one.times_ms, one.values, strict=True), epoch=epoch.name, oldest=True
                    )
                out.append((edge_topic("mini", self.name, kind), encode_frame(one)))
            window.sent(seq, now_s)
        return out


@dataclass(slots=True)
class Durable:
    """What a commit has made last."""

    marks: dict[tuple[str, str], Mark] = field(default_factory=dict)
    log: list[tuple[str, int, Batch | None]] = field(default_factory=list)
    snapshot: tuple[int, bytes] | None = None
    alarms: dict[str, dict[str, object]] = field(default_factory=dict)
    events: list[tuple[str, str, int]] = field(default_factory=list)


class GatewayModel:
    """A gateway: what it works with, and what is durable."""

    def __init__(self, plant: Plant, rng: random.Random) -> None:
        self._plant = plant
        self._names = tuple(plant.tags)
        self._rules = compile_rules(plant, self._names)
        self._rng = rng
        self.durable = Durable()
        self.replays = 0
        self._start(0)

    def turn(self, messages: list[tuple[str, bytes]], now_s: float) -> list[tuple[str, str, int]]:
        """Take messages and a tick in; returns the `kept` it says: (edge, epoch, upto). May crash on the way."""
        now_ms = T0 + round(now_s * 1000)
        taken = [Message(topic, payload, 1, 1) for topic, payload in messages]
        intake = take_in(self._decoder.read(taken), self._marks, now_ms)
        rows: list[tuple[str, int, Batch | None]] = []
        events: list[tuple[str, str, int]] = []
        alarms: dict[str, dict[str, object]] = {}
        if len(intake.batch.tag):
            quality = assess(self._rules, intake.batch, now_ms)
            batch = Batch(intake.batch.tag, intake.batch.time_ms, intake.batch.value, quality)
            rows.append(("samples", now_ms, batch))
            self._decide(self._engine.evaluate(batch, now_ms).transitions, now_ms, events, alarms)
        if len(intake.backlog.tag):
            rows.append(("backlog", now_ms, intake.backlog))
        rows.append(("tick", now_ms, None))
        self._decide(self._engine.tick(now_ms), now_ms, events, alarms)

        fate = self._rng.random()
        if fate < 0.01:  # the commit fails, or the process dies before it
            self._start(now_ms)
            return []
        kept = self.durable
        kept.marks |= intake.marks
        kept.log += rows
        kept.alarms |= alarms
        kept.events += events
        if self._rng.random() < 0.05:
            kept.snapshot = len(kept.log), self._engine.snapshot()
        self._marks |= intake.marks
        if fate < 0.02:  # it dies after the commit, before anybody is told
            self._start(now_ms)
            return []
        return [
            (edge, epoch, self._marks[edge, epoch].upto)
            for edge, epoch in intake.announce
            if (edge, epoch) in self._marks
        ]

    def _decide(
        self, transitions: object, now_ms: int, events: list[tuple[str, str, int]], alarms: dict[str, dict[str, object]]
    ) -> None:
        decided = self._book.decide(transitions, now_ms, now_ms, 0)  # type: ignore[arg-type]
        for row, event in zip(decided.alarms, decided.events, strict=True):
            alarms[row["alarm_id"]] = row
            events.append((row["alarm_id"], event["kind"], event["at_ms"]))

    def _start(self, now_ms: int) -> None:
        """Begin as a new process: snapshot, then the tail of the log, gives the state that was."""
        kept = self.durable
        position, engine = 0, Engine(self._rules)
        if kept.snapshot is not None:
            position, engine = kept.snapshot[0], Engine.restore(self._rules, kept.snapshot[1])
        for kind, received_ms, batch in kept.log[position:]:
            if kind == "samples" and batch is not None:
                engine.evaluate(batch, received_ms)
            elif kind == "tick":
                engine.tick(received_ms)
            elif kind == "start":
                engine.start(received_ms)
        self.replays += 1
        self._engine = engine
        self._engine.start(now_ms)
        kept.log.append(("start", now_ms, None))
        open_alarms = [row for row in kept.alarms.values() if row["state"] in OPEN_STATES]
        self._book = AlarmBook(self._plant, self._names, open_alarms, len(kept.events), 10_000)
        self._marks = dict(kept.marks)
        self._decoder = Decoder("mini", Rows(self._names, self._plant))


class Simulation:
    """One world.

    Args:
        plant: Its agents are the edges.
        seed: Everything that happens follows from it.
    """

    def __init__(self, plant: Plant, seed: int) -> None:
        self.rng = random.Random(seed)
        tags: dict[str, list[str]] = {}
        for tag in plant.tags.values():
            if tag.source is not None:
                tags.setdefault(tag.edge, []).append(tag.name)
        self.edges = {name: EdgeModel(name, of, self.rng) for name, of in tags.items()}
        self.gateway = GatewayModel(plant, self.rng)
        self.bus: list[tuple[int, str, bytes]] = []
        self.step = 0
        self.claimed: list[tuple[tuple[str, str], int, int]] = []
        """Every `kept` that was said: whose, how far, and how far was durable then."""
        self._cut_until = 0

    @property
    def now_s(self) -> float:
        """Simulated time."""
        return self.step * STEP_S

    def run(self, steps: int) -> None:
        """Let time pass with every kind of trouble, then let it settle without."""
        for _ in range(steps):
            self._one(trouble=True)
            for edge in self.edges.values():
                edge.measure(self.now_s)
        for _ in range(100_000):
            if not self.bus and all(not epoch.held for edge in self.edges.values() for epoch in edge.epochs):
                return
            self._one(trouble=False)
        message = "it never settles"
        raise AssertionError(message)

    def _one(self, *, trouble: bool) -> None:
        self.step += 1
        rng = self.rng
        if trouble and rng.random() < 0.003:
            self._cut_until = self.step + rng.choice((3, 30, 300))
        cut = trouble and self.step < self._cut_until
        for edge in self.edges.values():
            if trouble and rng.random() < 0.005:
                edge.crash()
            for topic, payload in edge.send(self.now_s):
                self._carry(topic, payload, trouble=trouble, cut=cut)
        arrived = [] if cut else [one for one in self.bus if one[0] <= self.step]
        if not cut:
            self.bus = [one for one in self.bus if one[0] > self.step]
        if trouble:
            rng.shuffle(arrived)
        for name, epoch, upto in self.gateway.turn([(topic, payload) for _, topic, payload in arrived], self.now_s):
            durable = self.gateway.durable.marks.get((name, epoch))
            self.claimed.append(((name, epoch), upto, durable.upto if durable else 0))
            if not (trouble and rng.random() < 0.1):
                self.edges[name].hear(epoch, upto, self.now_s)

    def _carry(self, topic: str, payload: bytes, *, trouble: bool, cut: bool) -> None:
        """Put a message on the bus, or what becomes of it."""
        if not trouble:
            self.bus.append((self.step, topic, payload))
            return
        if cut or self.rng.random() < 0.05:
            return
        for _ in range(2 if self.rng.random() < 0.05 else 1):
            self.bus.append((self.step + self.rng.choice((0, 0, 0, 1, 5)), topic, payload))

    def stored(self) -> Counter[tuple[int, int]]:
        """Count every (row of tag, time) in the durable log."""
        found: Counter[tuple[int, int]] = Counter()
        for kind, _, batch in self.gateway.durable.log:
            if kind in {"samples", "backlog"} and batch is not None:
                found.update(zip(batch.tag.tolist(), batch.time_ms.tolist(), strict=True))
        return found
