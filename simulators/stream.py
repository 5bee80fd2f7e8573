"""A scenario as the stream of messages its transmitters publish."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import replace
from fnmatch import fnmatchcase

from config.plant.model import Plant, Tag
from simulators.faults import Channel, Reading
from simulators.instruments import instrument_of
from simulators.payloads import Message, TagEncoder, encode_payload, encoders
from simulators.physics.rng import branch
from simulators.scenario import Scenario
from simulators.world import World

__all__ = ["Transmitter", "messages"]


class Transmitter:
    """One tag's instrument, with its noise and its faults."""

    def __init__(self, tag: Tag, scenario: Scenario, seed: int, topic: str) -> None:
        self.tag = tag
        self._instrument = instrument_of(tag)
        faults = [part.fault() for part in scenario.faults if fnmatchcase(tag.name, part.tag)]
        self._channel = Channel(tag, self._instrument, faults)
        self._rng = branch(seed, f"tag/{tag.name}")
        self.phase_ms = int(branch(seed, f"phase/{topic}").integers(tag.period_ms))
        """Transmitters do not sample all at once; those that share a topic do."""

    def send(self, at_ms: int, truth: float) -> list[Reading]:
        """Return what goes out at a moment, given the truth."""
        noise = self._instrument.noise * float(self._rng.standard_normal())
        return self._channel.send(at_ms, truth + noise)

    def flush(self) -> list[Reading]:
        """Return what a fault still held back."""
        return self._channel.flush()


def messages(
    plant: Plant, scenario: Scenario, start_ms: int, *, seed: int | None = None, seconds: float | None = None
) -> Iterator[Message]:
    """Play a scenario and yield what is published, in the order of sending. Made while it is asked for.

    Args:
        plant: The plant it plays on.
        scenario: What happens.
        start_ms: UTC of its start; source times count from there.
        seed: Instead of the scenario's own.
        seconds: Instead of its duration.
    """
    chosen = scenario.seed if seed is None else seed
    end_ms = round(1000 * (scenario.duration_s if seconds is None else seconds))
    encoder = encoders(plant)
    world = World(plant, scenario, chosen)
    names = list(plant.tags)
    transmitters = [Transmitter(plant.tags[name], scenario, chosen, encoder[name].topic) for name in names]
    due = [(one.phase_ms, row) for row, one in enumerate(transmitters)]
    heapq.heapify(due)
    for step_ms in range(0, end_ms, scenario.step_ms):
        batch: list[tuple[TagEncoder, Reading]] = []
        until_ms = min(step_ms + scenario.step_ms, end_ms)
        while due and due[0][0] < until_ms:
            at_ms, row = due[0]
            one = transmitters[row]
            heapq.heapreplace(due, (at_ms + one.tag.period_ms, row))
            batch += [(encoder[one.tag.name], sent) for sent in one.send(at_ms, world.value(one.tag.name))]
        yield from _assemble(batch, start_ms)
        world.advance()
    late = [(encoder[one.tag.name], replace(sent, due_ms=end_ms)) for one in transmitters for sent in one.flush()]
    yield from _assemble(late, start_ms)


def _assemble(batch: list[tuple[TagEncoder, Reading]], start_ms: int) -> Iterator[Message]:
    """Join what different tags say on one topic at one moment, keeping the order."""
    groups: dict[tuple[str, int, int, int], list[tuple[TagEncoder, Reading]]] = {}
    said: dict[tuple[str, int, int], int] = {}
    for encoder, reading in batch:
        turn_key = (encoder.tag.name, reading.due_ms, reading.time_ms)
        turn = said.get(turn_key, 0)
        said[turn_key] = turn + 1
        groups.setdefault((encoder.topic, reading.due_ms, reading.time_ms, turn), []).append((encoder, reading))
    for (topic, due_ms, _, _), parts in groups.items():
        samples = tuple(encoder.sample(reading, start_ms) for encoder, reading in parts)
        yield Message(due_ms, topic, encode_payload(parts, start_ms), parts[0][0].qos, samples)
