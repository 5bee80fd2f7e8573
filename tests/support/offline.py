"""A scenario played without a broker or a clock: physics -> payloads -> edge's reading -> alarm core -> alarms."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

import numpy as np

from alerting.batch import Batch, Change, Transitions
from alerting.engine import Engine
from alerting.quality import assess
from alerting.rules import compile_rules
from config.chemicals import load_chemicals
from config.contract.quality import pack
from config.plant.model import CONDITIONS, Condition, Plant, Tier
from edge.drivers.mqtt_payload import PayloadReader
from edge.normalize import Normalizer
from edge.reading import Sample
from simulators.payloads import Message
from simulators.verdict import Alarm

__all__ = ["alarms_of", "read_messages"]


def read_messages(plant: Plant, messages: Iterable[Message], start_ms: int) -> Iterator[tuple[Message, list[Sample]]]:
    """Yield every message with the samples an edge makes of it, received the moment it was due."""
    substances = {
        cas: chemical.substance(plant.lel_table, plant.reference_air) for cas, chemical in load_chemicals().items()
    }
    normalizer = Normalizer(plant.tags.values(), substances)
    by_topic: dict[str, list[str]] = {}
    for tag in plant.tags.values():
        if tag.source is not None:
            by_topic.setdefault(tag.source.topic, []).append(tag.name)
    readers = {topic: PayloadReader([plant.tags[name] for name in names]) for topic, names in by_topic.items()}
    for message in messages:
        taken = readers[message.topic].read(message.payload, again=False)
        assert not taken.problems, (message, taken.problems)
        yield message, [normalizer.sample(reading, start_ms + message.due_ms) for reading in taken.readings]


def alarms_of(
    plant: Plant, messages: Iterable[Message], start_ms: int, seconds: float, *, slice_ms: int = 100
) -> list[Alarm]:
    """Return the alarms the core raises over the messages of a run, batch by batch, with a tick after every tenth."""
    names = list(plant.tags)
    row = {name: at for at, name in enumerate(names)}
    rules = compile_rules(plant, names)
    engine = Engine(rules)
    engine.start(start_ms)
    slices = {
        at: [sample for _, samples in part for sample in samples]
        for at, part in groupby(read_messages(plant, messages, start_ms), lambda one: one[0].due_ms // slice_ms)
    }
    parts: list[Transitions] = []
    for at in range(int(seconds * 1000) // slice_ms):
        now_ms = start_ms + (at + 1) * slice_ms
        if samples := slices.get(at):
            batch = Batch(
                np.array([row[sample.tag] for sample in samples], np.int32),
                np.array([sample.time_ms for sample in samples], np.int64),
                np.array([np.nan if sample.value is None else sample.value for sample in samples]),
                np.array([pack(sample.severity, sample.reason) for sample in samples], np.uint8),
            )
            quality = assess(rules, batch, now_ms)
            batch = Batch(batch.tag, batch.time_ms, batch.value, quality)
            parts.append(engine.evaluate(batch, now_ms).transitions)
        if at % 10 == 0:
            parts.append(engine.tick(now_ms))
    return _alarms(plant, names, parts)


def _alarms(plant: Plant, names: list[str], parts: list[Transitions]) -> list[Alarm]:
    """Join raised and cleared transitions."""
    alarms: dict[tuple[str, Condition, int], Alarm] = {}
    for part in parts:
        for at in range(len(part)):
            name, condition = names[part.tag[at]], CONDITIONS[part.condition[at]]
            key = (name, condition, int(part.onset_ms[at]))
            tiers: dict[Condition, Tier] = {rule.condition: rule.tier for rule in plant.tags[name].conditions}
            if part.change[at] == Change.RAISED:
                alarms[key] = Alarm(name, condition, int(tiers[condition]), int(part.time_ms[at]))
            else:
                raised = alarms[key]
                alarms[key] = Alarm(name, condition, raised.tier, raised.raised_ms, int(part.time_ms[at]))
    return list(alarms.values())
