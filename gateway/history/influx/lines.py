"""InfluxDB line protocol, from columns and in bulk: what a sample and an alarm event look like there.

``telemetry,site=..,unit=..,vessel=..,edge=..,tag=.. value=12.3,severity=0i,reason=0i,late=false,received_ms=..i <ms>``

A sample without a number has no ``value`` (line protocol knows no NaN). Points of one series and time are one point: of
two samples of a tag with the same time the later one stands.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from config.plant.model import Plant
from gateway.history.port import HistoryBatch

__all__ = ["ALARM", "TELEMETRY", "alarm_lines", "series_of", "telemetry_lines"]

TELEMETRY = "telemetry"
ALARM = "alarm"

_KEY = str.maketrans({",": "\\,", "=": "\\=", " ": "\\ ", "\n": "\\n", "\r": ""})
_TEXT = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": " ", "\r": ""})
_BOOL = ("false", "true")


def series_of(plant: Plant, name: str) -> str:
    """Return measurement and tag set of the samples of a tag.

    Args:
        plant: Where the tag is; one it no longer knows has only its name.
        name: Of the tag.
    """
    tag = plant.tags.get(name)
    places = {
        "site": plant.site.id,
        "unit": tag.hazard_unit if tag else "",
        "vessel": (tag.vessel or tag.vehicle) if tag else "",
        "edge": tag.edge if tag else "",
        "tag": name,
    }
    return _series(TELEMETRY, places)


def telemetry_lines(batch: HistoryBatch, series: Sequence[str]) -> list[str]:
    """Return a line for each sample.

    Args:
        batch: n samples.
        series: From `series_of`, for each sample.
    """
    columns = zip(
        series,
        batch.value.tolist(),
        (batch.quality & 0b11).tolist(),
        (batch.quality >> 2).tolist(),
        batch.late.tolist(),
        batch.received_ms.tolist(),
        batch.time_ms.tolist(),
        strict=True,
    )
    return [
        f"{where} {f'value={value!r},' if math.isfinite(value) else ''}severity={severity}i,reason={reason}i,"
        f"late={_BOOL[late]},received_ms={received}i {time}"
        for where, value, severity, reason, late, received, time in columns
    ]


def alarm_lines(site: str, events: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> list[str]:
    """Return a line for each alarm event.

    Args:
        site: Of the plant.
        events: (row of `alarm_event`, row of `alarm` as it is now).
    """
    return [_alarm_line(site, event, alarm) for event, alarm in events]


def _alarm_line(site: str, event: Mapping[str, Any], alarm: Mapping[str, Any]) -> str:
    series = _series(
        ALARM,
        {
            "site": site,
            "unit": alarm["hazard_unit"],
            "vessel": alarm["vessel"] or alarm["vehicle"],
            "edge": alarm["edge"],
            "tag": alarm["tag"],
            "condition": alarm["condition"],
            "tier": str(alarm["tier"]),
            "kind": event["kind"],
        },
    )
    fields = [
        f'alarm_id="{alarm["alarm_id"]}"',
        f"event_id={event['event_id']}i",
        f"version={event['version']}i",
        f"onset_ms={alarm['onset_ms']}i",
        f"decided_ms={event['decided_ms']}i",
        f"delayed={_BOOL[bool(alarm['delayed'])]}",
        f"retrospective={_BOOL[bool(alarm['retrospective'])]}",
        f'basis="{str(alarm["basis"]).translate(_TEXT)}"',
    ]
    fields += [
        f"{name}={number!r}"
        for name, number in (("value", event["value"]), ("limit", alarm["limit"]))
        if number is not None and math.isfinite(number)
    ]
    return f"{series} {','.join(fields)} {event['at_ms']}"


def _series(measurement: str, tags: Mapping[str, str]) -> str:
    """An empty tag value is no tag value: it is left out."""
    return ",".join([measurement, *(f"{key}={value.translate(_KEY)}" for key, value in tags.items() if value)])
