"""Alarms near the place and the time of a hidden danger: what somebody smelt beside what a detector saw."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Engine, select

from config.dangers import DangerRules, Edition
from gateway.access.roles import Scope
from gateway.dangers.model import Danger
from gateway.records.schema import alarm
from gateway.records.transaction import using
from gateway.registry.where import Stand, Where

__all__ = ["Matching", "Near", "NearAlarm", "distance_m"]

_MOST = 2_000
"""Alarms of the window that are looked at, the newest first."""
_EARTH_M = 6_371_008.8


class Near(StrEnum):
    """In which way an alarm is near, the nearest first."""

    UNIT = "unit"
    DISTANCE = "distance"
    ENTERPRISE = "enterprise"
    DISTRICT = "district"


@dataclass(frozen=True, slots=True)
class NearAlarm:
    """An alarm near a danger."""

    alarm_id: str
    tag: str
    condition: str
    tier: int
    state: str
    hazard_unit: str
    raised_ms: int
    after_ms: int
    """Raised so long after the danger was noticed; below 0: before."""
    near: Near
    distance_m: float | None


class Matching:
    """Looks for alarms near dangers.

    Args:
        reader: Of the alarms.
        where: Of all places.
        rules: Say how near is near.
    """

    def __init__(self, reader: Engine, where: Where, rules: DangerRules) -> None:
        self._reader = reader
        self._where = where
        self._rules = rules

    def near(self, one: Danger, scope: Scope, limit: int = 100) -> list[NearAlarm]:
        """Return the alarms near a danger that may be seen, the nearest place first, then the nearest time.

        Args:
            one: The danger.
            scope: Whose alarms may be seen.
            limit: At most so many.
        """
        at_ms = one.found_ms if one.seen_ms is None else one.seen_ms
        edition = self._rules.at(at_ms)
        asked = (
            select(alarm)
            .where(alarm.c.raised_ms >= at_ms - edition.match_before_ms)
            .where(alarm.c.raised_ms <= at_ms + edition.match_after_ms)
            .order_by(alarm.c.raised_ms.desc())
            .limit(_MOST)
        )
        with using(self._reader, "looking for alarms near a hidden danger") as connection:
            rows = connection.execute(asked).mappings().all()
        stands = {name: self._where.stand(name, scope) for name in {row["hazard_unit"] for row in rows} - {""}}
        here = self._position(one, scope)
        found = [
            match
            for row in rows
            if (stand := stands.get(row["hazard_unit"])) is not None
            and (match := _match(one, row, stand, here, at_ms, edition)) is not None
        ]
        return sorted(found, key=_nearness)[:limit]

    def _position(self, one: Danger, scope: Scope) -> tuple[float, float] | None:
        if one.latitude_deg is not None and one.longitude_deg is not None:
            return one.latitude_deg, one.longitude_deg
        stand = self._where.stand(one.hazard_unit, scope) if one.hazard_unit else None
        return None if stand is None else stand.position


def _match(
    one: Danger,
    row: Mapping[Any, Any],
    stand: Stand,
    here: tuple[float, float] | None,
    at_ms: int,
    edition: Edition,
) -> NearAlarm | None:
    apart_m = None if here is None or stand.position is None else distance_m(here, stand.position)
    if one.hazard_unit and row["hazard_unit"] == one.hazard_unit:
        near = Near.UNIT
    elif apart_m is not None:
        if apart_m > edition.match_radius_m:
            return None
        near = Near.DISTANCE
    elif one.enterprise and stand.enterprise == one.enterprise:
        near = Near.ENTERPRISE
    elif not one.enterprise and one.district and stand.district == one.district:
        near = Near.DISTRICT
    else:
        return None
    same = {name: row[name] for name in ("alarm_id", "tag", "condition", "tier", "state", "hazard_unit", "raised_ms")}
    return NearAlarm(**same, after_ms=row["raised_ms"] - at_ms, near=near, distance_m=apart_m)


def _nearness(found: NearAlarm) -> tuple[int, float, int, str]:
    return list(Near).index(found.near), found.distance_m or 0.0, abs(found.after_ms), found.alarm_id


def distance_m(here: tuple[float, float], there: tuple[float, float]) -> float:
    """Return the distance of two positions (latitude, longitude; degrees) on the sphere."""
    (south, west), (north, east) = ((math.radians(one[0]), math.radians(one[1])) for one in (here, there))
    half = math.sin((north - south) / 2) ** 2 + math.cos(south) * math.cos(north) * math.sin((east - west) / 2) ** 2
    return 2 * _EARTH_M * math.asin(math.sqrt(min(1.0, half)))
