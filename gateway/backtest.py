"""Runs the rules in force and proposed ones over the stored history, tag by tag."""

from __future__ import annotations

import fnmatch
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from alerting.backtest import Past
from alerting.batch import Batch
from alerting.quality import assess
from alerting.retrospect import Alarms
from alerting.rules import Rules
from config.plant.model import Plant
from gateway.alone import batches_of, rules_of
from gateway.errors import GatewayError
from gateway.history.port import HistoryReader

__all__ = ["BacktestStoppedError", "Crew", "Period", "TagPast", "UnknownTagsError", "run_backtest", "tags_like"]


class BacktestStoppedError(GatewayError):
    """Nobody waits for the answer any more."""


@dataclass(frozen=True, slots=True)
class Crew:
    """The threads that evaluate."""

    threads: int = 1
    """So many tags at once."""
    niceness: int = 0
    """How far they give way to others."""


@dataclass(frozen=True, slots=True)
class Period:
    """What is to be looked at: from, inclusive, to, exclusive, source time."""

    from_ms: int
    to_ms: int


@dataclass(frozen=True, slots=True, eq=False)
class TagPast:
    """One tag under both sets of rules."""

    name: str
    samples: int
    today: Alarms
    proposed: Alarms


class UnknownTagsError(GatewayError):
    """A pattern that no tag fits."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        super().__init__(f"no tag of either plant file fits {pattern!r}")


def tags_like(patterns: Sequence[str], plants: tuple[Plant, Plant]) -> list[str]:
    """Return the tags of either plant that a pattern fits (``*`` stands for anything), each once, in their order.

    Raises:
        UnknownTagsError: A pattern that no tag fits, or no pattern at all.
    """
    known = dict.fromkeys(name for plant in plants for name in plant.tags)
    for pattern in patterns or ("",):
        if not any(fnmatch.fnmatchcase(name, pattern) for name in known):
            raise UnknownTagsError(pattern)
    return [name for name in known if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)]


def run_backtest(
    history: HistoryReader,
    tag_ids: Callable[[str], int | None],
    plants: tuple[Plant, Plant],
    names: Sequence[str],
    period: Period,
    *,
    stop: threading.Event,
    crew: Crew,
) -> Iterator[TagPast]:
    """Evaluate the past of some tags twice; a tag whose rules are the same only once.

    Both sets of rules begin with nothing active. What is stored as bad stays bad; a narrower range makes more so.

    Args:
        history: The samples.
        tag_ids: Their numbers by name.
        plants: Today's and the proposed one; a tag that one of them has not has no alarms there.
        names: Which tags.
        period: Which time.
        stop: Ends it early.
        crew: Who does it.

    Yields:
        The tags, in the order of ``names``.

    Raises:
        HistoryError: The history cannot be read.
        BacktestStoppedError: ``stop`` was set.
    """
    with ThreadPoolExecutor(crew.threads, "backtest", _give_way, (crew.niceness,)) as pool:
        waiting = [pool.submit(_one, history, tag_ids, plants, name, period, stop) for name in names]
        try:
            for one in waiting:
                yield one.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _give_way(niceness: int) -> None:
    if niceness:  # on Linux each thread has its own
        os.setpriority(os.PRIO_PROCESS, 0, os.getpriority(os.PRIO_PROCESS, 0) + niceness)


def _one(
    history: HistoryReader,
    tag_ids: Callable[[str], int | None],
    plants: tuple[Plant, Plant],
    name: str,
    period: Period,
    stop: threading.Event,
) -> TagPast:
    today, proposed = (rules_of(plant, name) if name in plant.tags else None for plant in plants)
    same = today is not None and proposed is not None and today.digest == proposed.digest
    pasts = _pasts(today, None if same else proposed)
    samples = 0
    rows = tuple(dict.fromkeys(one for rules in (today, proposed) if rules is not None for one in rules.names))
    numbers = tuple(tag_ids(one) for one in rows)
    period_ms = next(plant.tags[name].period_ms for plant in plants if name in plant.tags)
    for batch in batches_of(history, numbers, period_ms, (period.from_ms, period.to_ms)):
        if stop.is_set():
            raise BacktestStoppedError("the backtest was stopped")
        samples += int((batch.tag == 0).sum()) if len(rows) > 1 else len(batch)
        for rules, past in pasts:
            seen = _seen_by(rules, rows, batch)
            if len(seen):
                past.evaluate(seen)
    found = [past.end(period.to_ms) for _, past in pasts]
    if same:
        found *= 2
    elif today is None:
        found.insert(0, _nothing(proposed))
    elif proposed is None:
        found.append(_nothing(today))
    return TagPast(name, samples, *found)


def _pasts(*sets: Rules | None) -> list[tuple[Rules, Past]]:
    return [(rules, Past(rules)) for rules in sets if rules is not None]


def _seen_by(rules: Rules, rows: tuple[str, ...], batch: Batch) -> Batch:
    """Return a batch as one set of rules sees it: its own rows, its own ranges."""
    if rules.names != rows:
        number = np.array([rules.names.index(row) if row in rules.names else -1 for row in rows], np.int32)
        tag = number.take(batch.tag)
        kept = tag >= 0
        batch = Batch(tag[kept], batch.time_ms[kept], batch.value[kept], batch.quality[kept])
    if not len(batch):
        return batch
    return Batch(batch.tag, batch.time_ms, batch.value, assess(rules, batch, int(batch.time_ms[-1])))


def _nothing(rules: Rules | None) -> Alarms:
    if rules is None:
        raise BacktestStoppedError("a tag that neither plant has")
    return Past(rules).end(0)
