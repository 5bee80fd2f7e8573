"""`hazgate bench core`: the alarm core beside the same specification compiled, and beside its scalar twin."""

from __future__ import annotations

import gc
import importlib
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from itertools import islice
from time import perf_counter
from types import ModuleType
from typing import Any, Final, Protocol

import numpy as np

from alerting.batch import Batch, Evaluation
from alerting.engine import Engine
from alerting.quality import assess
from alerting.rules import Rules
from alerting.state import State
from hazgate.bench.pipeline import BenchError
from hazgate.bench.streams import FEW, START_MS, Conditions, Shape, Stream, bench_rules

__all__ = ["ACTIVE", "SIZES", "Effort", "checks", "has_numba", "numba_version", "run_core"]

SIZES: Final = (1_000, 10_000, 100_000, 1_000_000)
ACTIVE: Final = (0.01, 0.1, 1.0)
_SHAPES: Final[tuple[Shape, ...]] = ("each tag once", "backlog")
_WARM: Final = 3
"""Calls before the measured ones: the first finds every tag unheard, and brings memory in."""
_SCALAR_TAGS: Final = 1_000
_PIECE: Final = 500
"""Samples the scalar twin takes at a time: of so many pieces the median is taken. A part of `_SCALAR_TAGS`."""
_SMALL: Final = 50
_LARGE: Final = 100_000
_FEWER: Final = 8
_TICK_TAGS: Final = 100_000
_TICKS: Final = 1_000
_COMPARED: Final = ("tag", "condition", "change", "onset_ms", "time_ms", "value", "quality", "limit")

_FIGURES: Final = (
    *("case", "conditions", "tags", "active", "samples", "batches", "samples_per_s", "ns_per_sample", "vs_compiled"),
    *("vs_scalar", "p50_ms", "p99_ms", "transitions", "same", "compiled_samples_per_s", "scalar_samples_per_s"),
    "bytes_per_tag",
)

Row = dict[str, Any]
"""What is printed of one case."""
Say = Callable[[str], None]


class _Evaluates(Protocol):
    def evaluate(self, batch: Batch, received_ms: int) -> Evaluation: ...


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured."""

    sizes: tuple[int, ...] = SIZES
    all_sizes: tuple[int, ...] = SIZES
    """Sizes for the rows with every condition in force."""
    samples: int = 4_000_000
    """About how many samples a row is made of."""
    calls: tuple[int, int] = (10, 4_000)
    """At least and at most so many calls a row."""
    scalar_samples: int = 20_000

    @classmethod
    def quick(cls) -> Effort:
        """Return what fits into 50 s."""
        return cls(all_sizes=SIZES[0:3:2], samples=900_000, calls=(5, 2_000), scalar_samples=4_000)

    def calls_of(self, stream: Stream, conditions: Conditions) -> int:
        """Return how many calls a row of this stream is measured with."""
        least, most = self.calls
        if conditions == "all":  # ten times as long
            most = max(least, most // _FEWER)
        wanted = most if stream.batch_samples <= _SCALAR_TAGS else self.samples // stream.batch_samples
        return min(most, max(least, wanted))


class _Ours:
    """The engine under test, with what the gateway does before it: assess, then evaluate."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self.state = State.fresh(rules.count, len(rules.ringed))
        self._engine = Engine(rules, self.state)
        self._engine.start(START_MS)

    def evaluate(self, batch: Batch, received_ms: int) -> Evaluation:
        quality = assess(self._rules, batch, received_ms)
        return self._engine.evaluate(Batch(batch.tag, batch.time_ms, batch.value, quality), received_ms)


class _Course:
    """One engine's way through a stream: how long each call took, and what it said."""

    def __init__(self, engine: _Evaluates) -> None:
        self._engine = engine
        self._taken_s: list[float] = []
        self.transitions = 0
        self._checksum = 0

    def take(self, batch: Batch, received_ms: int) -> None:
        begin = perf_counter()
        evaluation = self._engine.evaluate(batch, received_ms)
        self._taken_s.append(perf_counter() - begin)
        told = evaluation.transitions
        self.transitions += len(told)
        self._checksum = zlib.crc32(evaluation.disposition.tobytes(), self._checksum)
        for name in _COMPARED:
            self._checksum = zlib.crc32(getattr(told, name).tobytes(), self._checksum)

    @property
    def said(self) -> tuple[int, int]:
        """Return how many transitions there were, and what they add up to with the dispositions."""
        return self.transitions, self._checksum

    def seconds(self, quantile: float) -> float:
        return float(np.percentile(self._taken_s[_WARM:], quantile))


def has_numba() -> bool:
    """Say whether there is a compiler to be measured against."""
    return find_spec("numba") is not None


def numba_version() -> str | None:
    """Return the version of what the compiled twin is compiled with."""
    return version("numba") if has_numba() else None


def run_core(effort: Effort, say: Say) -> list[Row]:
    """Measure every case.

    Args:
        effort: How much.
        say: Told which case is next.

    Returns:
        A row per case, ready for JSON.

    Raises:
        BenchError: There is no checkout with the scalar twin around.
    """
    _scalar_twin()
    rows: list[Row] = []
    say("compiling")
    _row(bench_rules(FEW, "limits"), Stream(FEW, 1.0, "each tag once"), "limits", Effort((), (), 1, (1, 1), FEW))
    with _no_garbage_hunts():
        for conditions, sizes in _plan(effort):
            for tags in sizes:
                rules = bench_rules(tags, conditions)
                for shape in _SHAPES:
                    for active in ACTIVE:
                        say(f"{shape}, {tags} tags, {active:.0%} active, {conditions}")
                        rows.append(_row(rules, Stream(tags, active, shape), conditions, effort))
            rules = bench_rules(_SCALAR_TAGS, conditions)
            rows.append(_row(rules, Stream(_SCALAR_TAGS, 0.0, "each tag once", _SMALL), conditions, effort))
            rows.append(_tick_row(conditions, effort))
    return rows


def _plan(effort: Effort) -> tuple[tuple[Conditions, tuple[int, ...]], ...]:
    return ("limits", effort.sizes), ("all", effort.all_sizes)


def _row(rules: Rules, stream: Stream, conditions: Conditions, effort: Effort) -> Row:
    """Measure one case: both engines on the same batches, call by call in turn."""
    ours = _Ours(rules)
    course = _Course(ours)
    compiled = _compiled_course(rules) if conditions == "limits" else None
    calls = effort.calls_of(stream, conditions)
    for batch, now_ms in islice(stream.batches(), _WARM + calls):
        course.take(batch, now_ms)
        if compiled:
            compiled.take(batch, now_ms)
    median_s, samples = course.seconds(50), stream.batch_samples
    scalar_per_s = _scalar_samples_per_s(conditions, stream.shape, stream.active, effort.scalar_samples)
    compiled_s = compiled.seconds(50) if compiled else None
    return {
        "case": stream.shape if not stream.samples else "small batch",
        "conditions": conditions,
        "tags": stream.tags,
        "active": stream.active,
        "samples": samples,
        "batches": calls,
        "samples_per_s": round(samples / median_s),
        "ns_per_sample": round(median_s / samples * 1e9, 1),
        "vs_compiled": round(compiled_s / median_s, 3) if compiled_s else None,
        "vs_scalar": round(samples / median_s / scalar_per_s, 1),
        "p50_ms": round(median_s * 1e3, 4),
        "p99_ms": round(course.seconds(99) * 1e3, 4),
        "transitions": course.transitions,
        "same": course.said == compiled.said if compiled else None,
        "compiled_samples_per_s": round(samples / compiled_s) if compiled_s else None,
        "scalar_samples_per_s": round(scalar_per_s),
        "bytes_per_tag": round(_nbytes(ours.state) / rules.count, 1),
    }


def _tick_row(conditions: Conditions, effort: Effort) -> Row:
    """Measure ticks at which nothing happens."""
    rules = bench_rules(_TICK_TAGS, conditions)
    ours = Engine(rules)
    ours.start(START_MS)
    taken_s: list[float] = []
    for call in range(min(effort.calls[1], _TICKS)):
        begin = perf_counter()
        ours.tick(START_MS + call)
        taken_s.append(perf_counter() - begin)
    p50_s, p99_s = np.percentile(taken_s, (50, 99))
    return dict.fromkeys(_FIGURES) | {
        "case": "tick",
        "conditions": conditions,
        "tags": _TICK_TAGS,
        "active": 0.0,
        "samples": 0,
        "batches": len(taken_s),
        "p50_ms": round(p50_s * 1e3, 4),
        "p99_ms": round(p99_s * 1e3, 4),
        "transitions": 0,
    }


def checks(rows: Sequence[Row]) -> list[Row]:
    """Hold the figures against what is asked of the alarm core.

    Returns:
        Of each: ``name``, ``wanted``, ``got`` (the worst row's; None when nothing measured it) and ``met``.
    """

    def of(column: str, **wanted: object) -> list[float]:
        chosen = [row for row in rows if all(row[name] == value for name, value in wanted.items())]
        return [float(row[column]) for row in chosen if row[column] is not None]

    found = []
    for shape in _SHAPES:
        for active, wanted in ((0.01, 0.5), (1.0, 0.15)):
            at: dict[str, object] = {"case": shape, "samples": _LARGE, "active": active}
            where = f"{shape}, {_LARGE} samples, {active:.0%} active"
            found.append(_at_least(f"vs_compiled, {where}", wanted, of("vs_compiled", conditions="limits", **at)))
        few: dict[str, object] = {"case": shape, "samples": _LARGE, "active": 0.01}
        found.append(_at_least(f"vs_scalar, {shape}, {_LARGE} samples, 1% active", 100, of("vs_scalar", **few)))
        every = of("samples_per_s", conditions="all", **few)
        found.append(_at_least(f"samples/s, all conditions, {shape}, 1% active", 5_000_000, every))
    once: dict[str, object] = {"case": "each tag once"}
    for conditions in ("limits", "all"):
        for active in ACTIVE:
            which: dict[str, object] = {**once, "conditions": conditions, "active": active}
            large, small = (of("ns_per_sample", tags=tags, **which) for tags in (1_000_000, 10_000))
            cost = [one / other for one, other in zip(large, small, strict=False)]
            found.append(_at_most(f"cost at 1 M tags over 10 k, {conditions}, {active:.0%} active", 2.0, cost))
    p99 = of("p99_ms", tags=1_000, conditions="limits", **once)
    found.append(_at_most("p99 ms, 1 000 tags, one sample each, limits", 1.0, p99))
    same = [float(row["same"]) for row in rows if row["same"] is not None]
    return [*found, _at_least("same transitions as compiled", 1, same)]


def _at_least(name: str, wanted: float, got: Sequence[float]) -> Row:
    worst = min(got, default=None)
    return {"name": name, "wanted": f">= {wanted:g}", "got": worst, "met": None if worst is None else worst >= wanted}


def _at_most(name: str, wanted: float, got: Sequence[float]) -> Row:
    worst = max(got, default=None)
    return {"name": name, "wanted": f"<= {wanted:g}", "got": worst, "met": None if worst is None else worst <= wanted}


def _compiled_course(rules: Rules) -> _Course | None:
    """Return the compiled engine at its start; None without numba."""
    if not has_numba():
        return None
    # Only those who work on the project have numba, and importing it takes half a second.
    compiled = importlib.import_module("hazgate.bench.compiled")
    return _Course(compiled.CompiledEngine(rules))


@cache
def _scalar_samples_per_s(conditions: Conditions, shape: Shape, active: float, samples: int) -> float:
    """Measure the scalar twin on the first samples of such a stream; how many tags there are is all one to it."""
    twin = _scalar_twin().NaiveEngine(bench_rules(_SCALAR_TAGS, conditions))
    twin.start(START_MS)
    pieces_s: list[float] = []
    for batch, now_ms in Stream(_SCALAR_TAGS, active, shape).batches():
        for begin in range(0, len(batch), _PIECE):
            part = Batch(*(getattr(batch, name)[begin : begin + _PIECE] for name in Batch.__slots__))
            begun_s = perf_counter()
            twin.evaluate(part, now_ms)
            pieces_s.append(perf_counter() - begun_s)
            if len(pieces_s) * _PIECE >= samples:
                return _PIECE / float(np.median(pieces_s))
    raise AssertionError("streams have no end")


def _scalar_twin() -> ModuleType:
    try:
        return importlib.import_module("tests.support.naive")
    except ImportError as error:
        raise BenchError(
            "the scalar twin of the alarm core is not here (tests/support/naive.py): run this in a checkout, "
            "in its top directory, as `.venv/bin/python -m hazgate bench core`"
        ) from error


def _nbytes(state: object) -> int:
    """Return the size of all arrays in a state."""
    if isinstance(state, np.ndarray):
        return state.nbytes
    if is_dataclass(state):
        return sum(_nbytes(getattr(state, one.name)) for one in fields(state))
    return 0


@contextmanager
def _no_garbage_hunts() -> Iterator[None]:
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
