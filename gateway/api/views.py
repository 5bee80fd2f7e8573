"""From rows, arrays and the plant description to what the API answers: tags, alarms, plant. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from config.contract.quality import reason_of, severity_of
from config.plant.model import Condition, ConditionRule, Plant, Position, Tag, Text
from gateway.api.models import (
    AlarmDetail,
    AlarmItem,
    AlarmMoment,
    ConditionView,
    EdgeView,
    HazardUnitView,
    HistoryMinMax,
    HistoryRaw,
    Name,
    OtherAlarm,
    PlaceView,
    PlantView,
    QualityName,
    Reading,
    RiseView,
    SiteView,
    TagDetail,
    TagItem,
    VehicleView,
    VesselView,
)
from gateway.display import DisplayUnit, chemical_name, unit_of
from gateway.history.port import HistoryRows, MinMaxRows
from gateway.lifecycle import life_of
from gateway.live import Values
from gateway.messages import message, rise_message
from gateway.system import description_of

__all__ = [
    "QUALITY_NAMES",
    "alarm_detail",
    "alarm_item",
    "alarm_moment",
    "history_min_max",
    "history_raw",
    "name_of",
    "plant_view",
    "reading",
    "reason_text",
    "rise_view",
    "tag_detail",
    "tag_item",
]

_OWN_FIELDS = ("by", "comment")
QUALITY_NAMES: tuple[QualityName, QualityName, QualityName] = ("good", "uncertain", "bad")


def name_of(text: Text) -> Name:
    """Return both languages of a text."""
    return Name(zh=text.zh, en=text.en)


def reason_text(packed: int) -> str:
    """Return the reason held in a packed quality as it is spelled on the wire."""
    return reason_of(packed).name.lower()


def reading(values: Values, row: int, tag: Tag, plant: Plant, now_ms: int) -> Reading | None:
    """Return the last sample of a tag, or None when there never was one."""
    time_ms = int(values.time_ms[row])
    if time_ms < 0:
        return None
    value, quality = float(values.value[row]), int(values.quality[row])
    return Reading(
        time_ms=time_ms,
        received_ms=int(values.received_ms[row]),
        age_ms=now_ms - time_ms,
        value=unit_of(tag, plant).show(value),
        canonical_value=value if np.isfinite(value) else None,
        quality=_quality(quality),
        reason=reason_text(quality),
        stale=bool(values.stale[row]),
    )


def tag_item(tag: Tag, plant: Plant, latest: Reading | None) -> TagItem:
    """Return a tag with its latest value."""
    return TagItem(**_tag_fields(tag, plant, latest))


def tag_detail(tag: Tag, plant: Plant, latest: Reading | None) -> TagDetail:
    """Return a tag with its instrument and conditions."""
    unit = unit_of(tag, plant)
    return TagDetail(
        **_tag_fields(tag, plant, latest),
        range_low=unit.show_finite(tag.range_low),
        range_high=unit.show_finite(tag.range_high),
        position=_place(tag.position),
        chemical=_chemical(tag.cas),
        period_ms=tag.period_ms,
        hold_ms=tag.hold_ms,
        stale_after_ms=tag.stale_after_ms,
        conditions=tuple(_condition(rule, unit) for rule in tag.conditions),
    )


def history_raw(rows: HistoryRows, tag: Tag, unit: DisplayUnit, span_ms: tuple[int, int]) -> HistoryRaw:
    """Return samples as they were stored."""
    return HistoryRaw(
        tag=tag.name,
        unit=unit.name,
        from_ms=span_ms[0],
        to_ms=span_ms[1],
        time_ms=tuple(rows.time_ms.tolist()),
        received_ms=tuple(rows.received_ms.tolist()),
        value=tuple(unit.show_array(rows.value)),
        quality=tuple(_quality(packed) for packed in rows.quality.tolist()),
        late=tuple(rows.late.tolist()),
    )


def history_min_max(
    rows: MinMaxRows, tag: Tag, unit: DisplayUnit, span_ms: tuple[int, int], bucket_ms: int
) -> HistoryMinMax:
    """Return folded samples. A conversion with a negative scale does not exist, so minimum stays minimum."""
    return HistoryMinMax(
        tag=tag.name,
        unit=unit.name,
        from_ms=span_ms[0],
        to_ms=span_ms[1],
        bucket_ms=bucket_ms,
        start_ms=tuple(rows.start_ms.tolist()),
        minimum=tuple(unit.show_array(rows.minimum)),
        maximum=tuple(unit.show_array(rows.maximum)),
        first=tuple(unit.show_array(rows.first)),
        last=tuple(unit.show_array(rows.last)),
        count=tuple(rows.count.tolist()),
        quality=tuple(_quality(packed) for packed in rows.quality.tolist()),
    )


def alarm_item(row: Mapping[str, Any], plant: Plant) -> AlarmItem:
    """Return an alarm from its row."""
    return AlarmItem(**_alarm_fields(row, plant))


def alarm_detail(row: Mapping[str, Any], plant: Plant) -> AlarmDetail:
    """Return an alarm with the story behind it."""
    tag = plant.tags.get(row["tag"])
    unit = plant.hazard_units.get(row["hazard_unit"])
    vessel = plant.vessels.get(row["vessel"])
    vehicle = plant.vehicles.get(row["vehicle"])
    cas = next((one.cas for one in (tag, vessel, vehicle, unit) if one is not None and one.cas), "")
    position = (tag and tag.position) or (vessel and vessel.position) or None
    return AlarmDetail(
        **_alarm_fields(row, plant),
        deadband=row["deadband"] if tag is None else unit_of(tag, plant).show_span(row["deadband"]),
        on_delay_ms=row["on_delay_ms"],
        tag_known=tag is not None,
        hazard_unit_name=None if unit is None else name_of(unit.name),
        vessel_name=None if vessel is None else name_of(vessel.name),
        vehicle_plate=None if vehicle is None else vehicle.plate,
        position=_place(position),
        cas=cas,
        chemical=_chemical(cas),
    )


def rise_view(rise: Mapping[str, Any]) -> RiseView:
    """Return why a tier rose, from what the records keep of it."""
    return RiseView(
        rule=rise["rule"],
        when=rise["when"],
        from_tier=rise["from"],
        to_tier=rise["to"],
        at_ms=rise["at_ms"],
        others=tuple(OtherAlarm(tag=tag, condition=Condition(condition)) for tag, condition in rise["others"]),
        alarms=rise["count"],
        message=Name(zh=rise_message(rise, "zh"), en=rise_message(rise, "en")),
    )


def alarm_moment(event: Mapping[str, Any], unit: DisplayUnit | None) -> AlarmMoment:
    """Return one event of an alarm from its row."""
    detail = event["detail"] or {}
    return AlarmMoment(
        event_id=event["event_id"],
        kind=event["kind"],
        version=event["version"],
        at_ms=event["at_ms"],
        received_ms=event["received_ms"],
        decided_ms=event["decided_ms"],
        value=event["value"] if unit is None else unit.show(event["value"]),
        canonical_value=event["value"],
        quality=_quality(event["quality"]),
        reason=reason_text(event["quality"]),
        log_position=event["position"],
        measure=event["measure"],
        measure_low=event["measure_low"],
        measure_high=event["measure_high"],
        rise=rise_view(detail) if event["kind"] == "tier_raised" else None,
        by=detail.get("by"),
        comment=detail.get("comment"),
        detail={} if event["kind"] == "tier_raised" else {k: v for k, v in detail.items() if k not in _OWN_FIELDS},
    )


def plant_view(plant: Plant) -> PlantView:
    """Return the whole plant without its tags."""
    per_unit: dict[str, int] = {}
    for tag in plant.tags.values():
        per_unit[tag.hazard_unit] = per_unit.get(tag.hazard_unit, 0) + 1
    return PlantView(
        digest=plant.digest,
        site=SiteView(
            site=plant.site.id,
            name=name_of(plant.site.name),
            enterprise=plant.enterprise.id,
            enterprise_name=name_of(plant.enterprise.name),
            latitude_deg=plant.site.latitude_deg,
            longitude_deg=plant.site.longitude_deg,
        ),
        hazard_units=tuple(
            HazardUnitView(
                hazard_unit=unit.id,
                name=name_of(unit.name),
                cas=unit.cas,
                chemical=_chemical(unit.cas),
                tags=per_unit.get(unit.id, 0),
            )
            for unit in plant.hazard_units.values()
        ),
        vessels=tuple(
            VesselView(
                vessel=vessel.id,
                name=name_of(vessel.name),
                kind=vessel.kind,
                hazard_unit=vessel.hazard_unit,
                cas=vessel.cas,
                chemical=_chemical(vessel.cas),
                capacity_m3=vessel.capacity_m3,
                height_m=vessel.height_m,
                position=_place(vessel.position),
            )
            for vessel in plant.vessels.values()
        ),
        vehicles=tuple(
            VehicleView(
                vehicle=vehicle.id,
                plate=vehicle.plate,
                name=name_of(vehicle.name),
                cas=vehicle.cas,
                chemical=_chemical(vehicle.cas),
                edge=vehicle.edge,
            )
            for vehicle in plant.vehicles.values()
        ),
        edges=tuple(EdgeView(edge=edge.id, name=name_of(edge.name), kind=edge.kind) for edge in plant.edges.values()),
        tags=len(plant.tags),
    )


def _tag_fields(tag: Tag, plant: Plant, latest: Reading | None) -> dict[str, Any]:
    unit = unit_of(tag, plant)
    return {
        "tag": tag.name,
        "description": name_of(tag.description),
        "quantity": tag.quantity,
        "unit": unit.name,
        "canonical_unit": unit.canonical_name,
        "kind": tag.kind,
        "edge": tag.edge,
        "hazard_unit": tag.hazard_unit,
        "vessel": tag.vessel,
        "vehicle": tag.vehicle,
        "cas": tag.cas,
        "latest": latest,
    }


def _condition(rule: ConditionRule, unit: DisplayUnit) -> ConditionView:
    return ConditionView(
        condition=rule.condition,
        tier=rule.tier,
        limit=unit.show_limit(rule.condition, rule.limit),
        deadband=unit.show_deadband(rule.condition, rule.deadband),
        limit_unit=unit.limit_unit(rule.condition),
        on_delay_ms=rule.on_delay_ms,
        off_delay_ms=rule.off_delay_ms,
        enabled=rule.enabled,
        latch=rule.latch,
        partners=rule.partners,
        basis=rule.basis,
    )


def _description(name: str, tag: Tag | None, plant: Plant) -> Name:
    if tag is not None:
        return name_of(tag.description)
    about = description_of(name, plant)
    return Name(zh=name, en=name) if about is None else name_of(about)


def _alarm_fields(row: Mapping[str, Any], plant: Plant) -> dict[str, Any]:
    tag = plant.tags.get(row["tag"])
    unit = None if tag is None else unit_of(tag, plant)
    condition = Condition(row["condition"])
    same = (
        "alarm_id",
        "tag",
        "tier",
        "base_tier",
        "state",
        "acknowledged_ms",
        "acknowledged_by",
        "latch",
        "hazard_unit",
        "vessel",
        "vehicle",
        "edge",
        "basis",
        "delayed",
        "retrospective",
        "version",
        "inhibited",
        "stage",
        "assigned_to",
        "verdict",
        "measured_ms",
        "acknowledge_due_ms",
        "measure_due_ms",
        "closed_ms",
        "closed_by",
        "alarmed_ms",
    )
    times = ("onset_ms", "raised_ms", "cleared_ms", "received_ms", "decided_ms")
    return {
        **{key: row[key] for key in (*same, *times)},
        "description": _description(row["tag"], tag, plant),
        "condition": condition,
        "acknowledged": row["acknowledged_ms"] is not None,
        "life": life_of(row),
        "hands": tuple(row["hands"] or ()),
        "overdue": tuple(filter(None, row["overdue"].split(","))),
        "rise": None if row["rise"] is None else rise_view(row["rise"]),
        "message": Name(zh=message(row, plant, "zh"), en=message(row, plant, "en")),
        "value": row["value"] if unit is None else unit.show(row["value"]),
        "limit": row["limit"] if unit is None else unit.show_limit(condition, row["limit"]),
        "limit_unit": "" if unit is None else unit.limit_unit(condition),
        **_measured(row, condition, unit),
        "unit": "" if unit is None else unit.name,
        "canonical_value": row["value"],
        "canonical_limit": row["limit"],
        "canonical_unit": "" if unit is None else unit.canonical_name,
        "quality": _quality(row["quality"]),
        "reason": reason_text(row["quality"]),
        "last_event_id": row["sequence"],
    }


def _measured(row: Mapping[str, Any], condition: Condition, unit: DisplayUnit | None) -> dict[str, float | None]:
    """Return what was measured and what belongs to it, as people write it."""
    names = ("measure", "measure_low", "measure_high")
    if unit is None:
        return {name: row[name] for name in names}
    ends = unit.show if condition is Condition.DEV else partial(unit.show_limit, condition)
    return {
        "measure": unit.show_limit(condition, row["measure"]),
        "measure_low": ends(row["measure_low"]),
        "measure_high": ends(row["measure_high"]),
    }


def _quality(packed: int) -> QualityName:
    return QUALITY_NAMES[severity_of(packed)]


def _place(position: Position | None) -> PlaceView | None:
    return None if position is None else PlaceView(x_m=position.x_m, y_m=position.y_m, z_m=position.z_m)


def _chemical(cas: str) -> Name | None:
    name = chemical_name(cas)
    return None if name is None else name_of(name)
