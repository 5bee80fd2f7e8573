"""A short story told to an alarm engine, one sample or tick at a time."""

from __future__ import annotations

from alerting.batch import Batch, Change, Disposition
from alerting.engine import Engine
from alerting.quality import assess
from alerting.rules import Rules
from config.plant.model import Condition
from tests.support.naive import Sample, Transition
from tests.support.streams import batch_of, listed

__all__ = ["Story"]


class Story:
    """Feeds an engine and keeps what it said. Samples arrive the moment they are made unless told otherwise."""

    def __init__(self, rules: Rules, start_ms: int = 0) -> None:
        self.rules = rules
        self.engine = Engine(rules)
        self.engine.start(start_ms)
        self.transitions: list[Transition] = []

    def sample(
        self, time_ms: int, value: float, *, quality: int = 0, row: int = 0, received_ms: int | None = None
    ) -> Disposition:
        """Evaluate one sample."""
        received = time_ms if received_ms is None else received_ms
        raw = batch_of([Sample(row, time_ms, value, quality, received)])
        batch = Batch(raw.tag, raw.time_ms, raw.value, assess(self.rules, raw, received))
        evaluation = self.engine.evaluate(batch, received)
        self.transitions += listed(evaluation.transitions)
        return Disposition(evaluation.disposition[0])

    def samples(self, *pairs: tuple[int, float]) -> None:
        """Evaluate samples of the first tag: (time_ms, value)."""
        for time_ms, value in pairs:
            self.sample(time_ms, value)

    def tick(self, now_ms: int) -> None:
        """Let the gateway clock reach a time."""
        self.transitions += listed(self.engine.tick(now_ms))

    def restart(self, now_ms: int, rules: Rules | None = None) -> None:
        """Snapshot, restore and start again."""
        self.rules = rules or self.rules
        self.engine = Engine.restore(self.rules, self.engine.snapshot())
        self.engine.start(now_ms)

    def told(self, condition: Condition, row: int = 0) -> list[tuple[str, int, int]]:
        """Return what was said about one condition: (RAISED or CLEARED, onset_ms, time_ms)."""
        return [
            (Change(one.change).name, one.onset_ms, one.time_ms)
            for one in self.transitions
            if one.condition is condition and one.tag == row
        ]
