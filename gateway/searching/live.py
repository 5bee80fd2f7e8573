"""What is found without the index: vehicles, which the plant file has, and alarms, which have indexes of their own."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Select, select

from config.plant.model import Condition, Plant, Text, Vehicle
from gateway.access.roles import Scope
from gateway.messages import CONDITION_NAMES
from gateway.records.schema import alarm
from gateway.searching.folding import composed
from gateway.searching.hits import Hit, hit_of
from gateway.searching.matching import Asked, Entry, How, Match, Shown, Texts, match, texts_of

__all__ = ["LIVE", "Finding", "Live"]

_ALARM_ID = re.compile("[0-9a-f]{4,32}")
_TAGS = 3
"""Of the tags that fit, so many are looked at for alarms."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What is asked of a source."""

    asked: Asked
    scope: Scope
    tags: Sequence[Hit]
    """That fit."""
    limit: int


@dataclass(frozen=True, slots=True)
class Live:
    """A kind of things that are not in the index.

    Args:
        title: What such things are called.
        find: Finds some of them.
    """

    title: Text
    find: Callable[[Connection, Plant, Finding], list[Hit]]


def _vehicles(_: Connection, plant: Plant, finding: Finding) -> list[Hit]:
    units = finding.scope.hazard_units(plant)
    if units is not None and "" not in units:
        return []
    found = []
    for vehicle in plant.vehicles.values():
        entry, texts = _entry(vehicle, plant.enterprise.id)
        fits = match(texts, finding.asked)
        if fits is not None:
            found.append(hit_of(entry, texts, finding.asked, fits, "/api/v1/plant"))
    return found


@lru_cache(maxsize=10_000)
def _entry(vehicle: Vehicle, enterprise: str) -> tuple[Entry, Texts]:
    named = (("plate", vehicle.plate), ("id", vehicle.id), ("name_zh", vehicle.name.zh), ("name_en", vehicle.name.en))
    fields = tuple((field, composed(text)) for field, text in (*named, ("cas", vehicle.cas)) if text)
    title = f"{vehicle.plate} {vehicle.name.zh}"
    entry = Entry("vehicle", vehicle.id, enterprise, "", False, title, vehicle.name.en, fields)  # noqa: FBT003 - public
    return entry, texts_of(entry)


def _alarms(connection: Connection, plant: Plant, finding: Finding) -> list[Hit]:
    rows: dict[str, Hit] = {}
    if _ALARM_ID.fullmatch(finding.asked.text):
        begin = finding.asked.text
        asked = _seen(plant, finding).where(alarm.c.alarm_id >= begin, alarm.c.alarm_id < f"{begin}g")
        for row in connection.execute(asked.order_by(alarm.c.alarm_id)).mappings():
            how = How.EXACT if row["alarm_id"] == begin else How.PREFIX
            why = Shown("id", row["alarm_id"], 0, len(begin))
            rows[row["alarm_id"]] = _alarm(dict(row), plant, Match(how, len(row["alarm_id"]), 0), why)
    for tag in [one for one in finding.tags if one.found.how <= How.PREFIX][:_TAGS]:
        newest = _seen(plant, finding).where(alarm.c.tag == tag.id).order_by(alarm.c.raised_ms.desc())
        for row in connection.execute(newest).mappings():
            rows.setdefault(row["alarm_id"], _alarm(dict(row), plant, tag.found, tag.why))
    return list(rows.values())


def _seen(plant: Plant, finding: Finding) -> Select[Any]:
    units = finding.scope.hazard_units(plant)
    asked = select(alarm.c.alarm_id, alarm.c.tag, alarm.c.condition, alarm.c.hazard_unit, alarm.c.raised_ms).limit(
        finding.limit
    )
    return asked if units is None else asked.where(alarm.c.hazard_unit.in_(sorted(units)))


def _alarm(row: Mapping[str, Any], plant: Plant, found: Match, why: Shown) -> Hit:
    unit, tag = plant.hazard_units.get(row["hazard_unit"]), plant.tags.get(row["tag"])
    what = CONDITION_NAMES.get(Condition(row["condition"]), Text(row["condition"], row["condition"]))
    where = Text(row["tag"], row["tag"]) if tag is None else tag.description
    return Hit(
        kind="alarm",
        id=row["alarm_id"],
        title_zh=f"{where.zh} {what.zh}",
        title_en=f"{where.en} {what.en}",
        enterprise=(unit.enterprise if unit else "") or plant.enterprise.id,
        path=f"/api/v1/alarms/{row['alarm_id']}",
        found=found,
        why=why,
        at_ms=row["raised_ms"],
    )


LIVE: Mapping[str, Live] = {
    "vehicle": Live(Text("车辆", "vehicle"), _vehicles),
    "alarm": Live(Text("报警", "alarm"), _alarms),
}
"""By kind, as `gateway.searching.sources.SOURCES`."""
