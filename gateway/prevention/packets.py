"""What a direct report says: filled in from the data; casualties are for people to fill in."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import select

from config.plant.model import Text
from gateway.access.roles import Scope
from gateway.errors import BadRequestError
from gateway.prevention.means import Means
from gateway.prevention.spots import spot_of
from gateway.records.schema import alarm, alarm_event
from gateway.records.transaction import using

__all__ = ["Filled", "Packet", "Said", "fill"]

_BEFORE_MS = 3_600_000
"""Alarms of this long before the clock began belong to it."""
_MOST = 200


@dataclass(frozen=True, slots=True)
class Said:
    """What people say; what is None they have not said yet."""

    deaths: int | None = None
    missing: int | None = None
    injured: int | None = None
    """Seriously, poisoning included."""
    loss_10k_cny: float | None = None
    course: str = ""
    measures: str = ""
    quantity_t: float | None = None
    """Involved; None: the design maximum stands in the data."""
    other: str = ""


@dataclass(frozen=True, slots=True)
class FiredAlarm:
    """An alarm of the unit."""

    alarm_id: str
    tag: str
    condition: str
    tier: int
    state: str
    raised_ms: int
    verdict: str | None


@dataclass(frozen=True, slots=True)
class Measure:
    """Something that was done about an alarm."""

    alarm_id: str
    at_ms: int
    by: str
    text: str


@dataclass(frozen=True, slots=True)
class Substance:
    """What is there."""

    vessel: str
    cas: str
    design_max_t: float | None


@dataclass(frozen=True, slots=True)
class Filled:
    """What the data say."""

    at_ms: int
    began_ms: int
    enterprise: str
    enterprise_zh: str
    enterprise_en: str
    uscc: str
    address: str
    phone: str
    hazard_unit: str
    unit_zh: str
    unit_en: str
    latitude_deg: float | None
    longitude_deg: float | None
    substances: tuple[Substance, ...]
    alarms: tuple[FiredAlarm, ...]
    measures: tuple[Measure, ...]


@dataclass(frozen=True, slots=True)
class Packet:
    """One version of a report."""

    level: str
    level_by_figures: str
    """What the figures of Order 493 make of what people said."""
    said: Said
    filled: Filled


def fill(means: Means, report: Mapping[str, Any], now_ms: int) -> Filled:
    """Return what the data say of an accident.

    Args:
        means: Records, registry, plant.
        report: A row of `accident_report`.
        now_ms: Gateway clock.
    """
    whole, unit = Scope(), str(report["hazard_unit"])
    owner = means.registry.get("enterprise", report["enterprise"], whole)
    body: Mapping[str, Any] = {} if owner is None else owner.body
    plant = means.plant.enterprise
    fallback = plant.name if plant.id == report["enterprise"] else Text(report["enterprise"], report["enterprise"])
    spot = None
    if unit:
        with suppress(BadRequestError):  # it is gone by now; what is known of it is in the report
            spot = spot_of(means, whole, hazard_unit=unit)
    vessels = means.registry.find("vessel", whole, parent=unit, limit=_MOST) if unit else []
    substances = tuple(Substance(one.id, str(one.body.get("cas", "")), one.body.get("design_max_t")) for one in vessels)
    if not substances and spot is not None and spot.cas:
        substances = (Substance("", spot.cas, None),)
    alarms, measures = _alarms(means, unit, report["began_ms"], now_ms)
    return Filled(
        at_ms=now_ms,
        began_ms=report["began_ms"],
        enterprise=report["enterprise"],
        enterprise_zh=fallback.zh if owner is None else owner.name,
        enterprise_en=str(body.get("name_en") or fallback.en),
        uscc=str(body.get("uscc", "")),
        address=str(body.get("address", "")),
        phone=str(body.get("phone", "")),
        hazard_unit=unit,
        unit_zh="" if spot is None else spot.name.zh,
        unit_en="" if spot is None else spot.name.en,
        latitude_deg=None if spot is None else spot.latitude_deg,
        longitude_deg=None if spot is None else spot.longitude_deg,
        substances=substances,
        alarms=alarms,
        measures=measures,
    )


def _alarms(means: Means, unit: str, began_ms: int, now_ms: int) -> tuple[tuple[FiredAlarm, ...], tuple[Measure, ...]]:
    if not unit:
        return (), ()
    columns = [alarm.c[name] for name in FiredAlarm.__slots__]
    span = (alarm.c.raised_ms >= began_ms - _BEFORE_MS, alarm.c.raised_ms <= now_ms, alarm.c.hazard_unit == unit)
    with using(means.reader, "reading the alarms of a report") as connection:
        rows = connection.execute(select(*columns).where(*span).order_by(alarm.c.raised_ms).limit(_MOST)).mappings()
        alarms = tuple(FiredAlarm(**row) for row in rows)
        done = select(alarm_event.c.alarm_id, alarm_event.c.decided_ms, alarm_event.c.detail).where(
            alarm_event.c.alarm_id.in_([one.alarm_id for one in alarms]), alarm_event.c.kind == "measured"
        )
        measures = tuple(
            Measure(row[0], row[1], str((row[2] or {}).get("by", "")), str((row[2] or {}).get("comment", "")))
            for row in connection.execute(done.order_by(alarm_event.c.event_id).limit(_MOST))
        )
    return alarms, measures


def encoded(packet: Packet) -> str:
    """Return a packet as it is kept and sealed."""
    return msgspec.json.encode(packet, order="sorted").decode()
