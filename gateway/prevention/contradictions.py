"""Where a commitment and the live state contradict each other: one rule each, of one shape. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from config.plant.model import Text
from config.prevention import CommitmentRules, at, load_prevention
from gateway.prevention.live import Live

__all__ = ["RULES", "Clash", "Committed", "clashes"]


@dataclass(frozen=True, slots=True)
class Committed:
    """What an enterprise commits to for a day."""

    under_control: bool
    """Risks are controlled and units run safely (风险受控、安全运行)."""
    units_running: int
    units_stopped: int
    units_in_repair: int
    permits: Mapping[str, int]
    """Kind of special work -> how many for the day."""
    major_dangers: int
    text: str = ""


@dataclass(frozen=True, slots=True)
class Clash:
    """Something that contradicts."""

    kind: str
    """Name of the rule."""
    subject: str
    """An alarm, a kind of work; empty: the whole."""
    text: Text


Rule = Callable[[Committed, Live, CommitmentRules], Iterator[tuple[str, Text]]]


def _alarms(said: Committed, live: Live, rules: CommitmentRules) -> Iterator[tuple[str, Text]]:
    for name, tier in zip(live.worst_alarms, live.worst_tiers, strict=True):
        if said.under_control and tier <= rules.worst_tier:
            told = (
                f"承诺风险受控，但{tier}级报警 {name} 未关闭",
                f"risks under control, yet alarm {name} of tier {tier} is open",
            )
            yield name, Text(*told)


def _permits(said: Committed, live: Live, rules: CommitmentRules) -> Iterator[tuple[str, Text]]:  # noqa: ARG001 - one shape
    kinds = at(load_prevention().permits, live.at_ms).kinds
    for kind in sorted({*live.permits_planned, *live.permits_open}):
        now = max(live.permits_planned.get(kind, 0), live.permits_open.get(kind, 0))
        if now > (committed := said.permits.get(kind, 0)):
            name = kinds[kind].name if kind in kinds else Text(kind, kind)
            told = f"承诺{name.zh} {committed} 项，实有 {now} 项", f"{name.en}: {committed} committed, {now} permitted"
            yield kind, Text(*told)


def _majors(said: Committed, live: Live, rules: CommitmentRules) -> Iterator[tuple[str, Text]]:  # noqa: ARG001 - one shape
    if live.major_dangers is not None and live.major_dangers > said.major_dangers:
        yield (
            "",
            Text(
                f"承诺重大隐患 {said.major_dangers} 项，实有 {live.major_dangers} 项",
                f"major hidden dangers: {said.major_dangers} committed, {live.major_dangers} open",
            ),
        )


def _checks(said: Committed, live: Live, rules: CommitmentRules) -> Iterator[tuple[str, Text]]:  # noqa: ARG001 - one shape
    if said.under_control and live.overdue_checks:
        count = live.overdue_checks
        yield "", Text(f"承诺风险受控，但有 {count} 项检查逾期", f"risks under control, yet {count} checks are overdue")


def _units(said: Committed, live: Live, rules: CommitmentRules) -> Iterator[tuple[str, Text]]:  # noqa: ARG001 - one shape
    told = said.units_running + said.units_stopped + said.units_in_repair
    if told != live.units:
        yield "", Text(f"承诺单元 {told} 个，登记 {live.units} 个", f"units: {told} committed, {live.units} registered")


RULES: Mapping[str, Rule] = MappingProxyType(
    {"alarm": _alarms, "permits": _permits, "major_dangers": _majors, "overdue_checks": _checks, "units": _units}
)


def clashes(said: Committed, live: Live, rules: CommitmentRules) -> list[Clash]:
    """Return everything that contradicts."""
    return [Clash(kind, subject, text) for kind, rule in RULES.items() for subject, text in rule(said, live, rules)]
