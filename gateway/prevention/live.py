"""How an enterprise is right now: what a commitment is drafted from, and held against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import func, select

from config.days import day_start_ms
from gateway.access.roles import Scope
from gateway.prevention.means import Means
from gateway.prevention.permits import Permits
from gateway.prevention.ports import Dangers, OverdueChecks
from gateway.records.schema import OPEN_STATES, alarm
from gateway.records.transaction import using

__all__ = ["Live", "Surroundings"]

_DAY_MS = 86_400_000
_AT_ONCE = 500
_MOST_DANGERS = 200
"""The worst come first, so that no major one is left out before there are so many."""


@dataclass(frozen=True, slots=True)
class Live:
    """An enterprise, right now. What is None cannot be told, and `unknown` says why."""

    at_ms: int
    units: int
    """Hazard units of the registry."""
    units_live: int
    """Of these: with at least one fresh value."""
    alarms_by_tier: Mapping[str, int]
    """Open ones, whether told or not."""
    worst_alarms: tuple[str, ...]
    """Ids of open alarms, the worst first, at most 20."""
    worst_tiers: tuple[int, ...]
    """Theirs."""
    permits_planned: Mapping[str, int]
    """Kind -> approved or open for a part of the day."""
    permits_open: Mapping[str, int]
    """Kind -> people are at work right now."""
    major_dangers: int | None
    overdue_checks: int | None
    unknown: tuple[str, ...]


class Surroundings:
    """Looks at an enterprise from all sides.

    Args:
        means: Records, registry, live values.
        permits: Of special work.
        dangers: None: nobody knows hidden dangers here.
        checks: None: nobody knows check tasks here.
    """

    def __init__(
        self, means: Means, permits: Permits, dangers: Dangers | None = None, checks: OverdueChecks | None = None
    ) -> None:
        self._means = means
        self._permits = permits
        self._dangers = dangers
        self._checks = checks

    def of(self, enterprise: str, day: str, now_ms: int) -> Live:
        """Return how an enterprise is right now; permits: on that day."""
        units = self._units(enterprise)
        by_tier, worst = self._alarms(units)
        begin_ms = day_start_ms(day)
        whole, unknown = Scope(), []
        majors = checks = None
        if self._dangers is None:
            unknown.append("major_dangers: hidden dangers are not kept here（未接入隐患）")
        else:
            found = self._dangers.open_at(whole, enterprise=enterprise, limit=_MOST_DANGERS)
            majors = sum(one.grade == "major" for one in found)
        if self._checks is None:
            unknown.append("overdue_checks: check tasks are not kept here（未接入检查任务）")
        else:
            checks = self._checks.overdue(enterprise)
        return Live(
            at_ms=now_ms,
            units=len(units),
            units_live=self._live(units),
            alarms_by_tier=by_tier,
            worst_alarms=tuple(one for one, _ in worst),
            worst_tiers=tuple(tier for _, tier in worst),
            permits_planned=self._permits.planned(enterprise, begin_ms, begin_ms + _DAY_MS),
            permits_open=self._permits.running(enterprise, now_ms),
            major_dangers=majors,
            overdue_checks=checks,
            unknown=tuple(unknown),
        )

    def _units(self, enterprise: str) -> list[str]:
        plant = self._means.plant
        found: dict[str, None] = {}
        last = ""
        while True:
            page = self._means.registry.find("hazard-unit", Scope(), enterprise=enterprise, after=last, limit=_AT_ONCE)
            found |= dict.fromkeys(one.id for one in page)
            if len(page) < _AT_ONCE:
                break
            last = page[-1].id
        mine = [one.id for one in plant.hazard_units.values() if (one.enterprise or plant.enterprise.id) == enterprise]
        elsewhere = self._means.registry.many("hazard-unit", mine, Scope())
        return [*found, *(one for one in mine if one not in found and one not in elsewhere)]

    def _alarms(self, units: list[str]) -> tuple[dict[str, int], list[tuple[str, int]]]:
        """Return (tier -> open alarms, the worst 20 with their tiers)."""
        by_tier, worst = {str(tier): 0 for tier in (1, 2, 3, 4)}, list[tuple[str, int]]()
        with using(self._means.reader, "counting alarms") as connection:
            for start in range(0, len(units), _AT_ONCE):
                mine = (alarm.c.state.in_(OPEN_STATES), alarm.c.hazard_unit.in_(units[start : start + _AT_ONCE]))
                counted = select(alarm.c.tier, func.count()).where(*mine).group_by(alarm.c.tier)
                for tier, count in connection.execute(counted):
                    by_tier[str(tier)] = by_tier.get(str(tier), 0) + count
                rows = select(alarm.c.alarm_id, alarm.c.tier).where(*mine).order_by(alarm.c.tier, alarm.c.raised_ms)
                worst += [(row[0], row[1]) for row in connection.execute(rows.limit(20))]
        return by_tier, sorted(worst, key=lambda one: one[1])[:20]

    def _live(self, units: list[str]) -> int:
        values, wanted = self._means.board.values, set(units)
        if values is None:
            return 0
        tags = self._means.plant.tags
        return len(
            {
                tags[name].hazard_unit
                for row, name in enumerate(values.names)
                if not values.stale[row] and name in tags and tags[name].hazard_unit in wanted
            }
        )
