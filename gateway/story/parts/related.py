"""Other alarms here: open ones, and those within an hour of this one; which came first."""

from __future__ import annotations

from pydantic import Field

from gateway.api.models import AlarmItem, Model
from gateway.api.views import alarm_item
from gateway.records.schema import OPEN_STATES
from gateway.story.case import Case
from gateway.story.telling import Said, empty, said

__all__ = ["RelatedContent", "tell_related"]

_HOUR_MS = 3_600_000
_MOST = 20


class RelatedAlarm(Model):
    """An alarm beside this one."""

    alarm: AlarmItem
    same_vessel: bool
    earlier_ms: int = Field(description="So long before this one its condition began to hold; negative: after it")


class RelatedContent(Model):
    """Alarms of the same unit or vehicle, worst and newest first."""

    items: tuple[RelatedAlarm, ...]
    open: int = Field(description="Open alarms here, this one included; counted up to 500")
    first_out: str = Field(description="Alarm that came first within the hour, perhaps this one")


def tell_related(case: Case) -> Said[RelatedContent]:
    """Tell of other alarms."""
    alarm, tags = case.alarm, [one.name for one in case.sources.surroundings.of("vehicle", case.vehicle)]
    if not case.unit and not tags:
        return empty("不属于任何单元或车辆", "it belongs to no hazard unit or vehicle")
    around = case.sources.neighbourhood.around(alarm, case.unit, tags, _HOUR_MS)
    rows = [row for row in around.rows if row["alarm_id"] != alarm["alarm_id"]]
    lately = [row for row in around.rows if abs(row["onset_ms"] - alarm["onset_ms"]) <= _HOUR_MS]
    first = min([alarm, *lately], key=lambda row: (row["onset_ms"], row["alarm_id"]))
    rows.sort(key=lambda row: (row["state"] not in OPEN_STATES, row["tier"], -row["raised_ms"]))
    plant = case.sources.plant
    return said(
        RelatedContent(
            items=tuple(
                RelatedAlarm(
                    alarm=alarm_item(row, plant),
                    same_vessel=bool(case.vessel) and row["vessel"] == case.vessel,
                    earlier_ms=alarm["onset_ms"] - row["onset_ms"],
                )
                for row in rows[:_MOST]
            ),
            open=around.open,
            first_out=first["alarm_id"],
        )
    )
