"""Rows of the records database for tests."""

from __future__ import annotations

from typing import Any

__all__ = ["HANDLING_COLUMNS", "alarm_row", "event_row"]

HANDLING_COLUMNS = (
    "inhibited", "material_version", "stage", "assigned_to", "verdict", "hands", "measured_ms", "acknowledge_due_ms",
    "measure_due_ms", "overdue", "closed_ms", "closed_by",
)  # fmt: skip
"""What the handling adds to an alarm."""


def alarm_row(alarm_id: str = "a" * 16, **changes: object) -> dict[str, Any]:
    """Return a row of the table `alarm`: an active H alarm of ``T-1.TEMP``, unless changed."""
    return {
        "alarm_id": alarm_id,
        "tag": "T-1.TEMP",
        "condition": "H",
        "tier": 2,
        "state": "active",
        "hazard_unit": "meoh",
        "vessel": "T-1",
        "vehicle": "",
        "edge": "edge-a",
        "onset_ms": 1_000,
        "raised_ms": 1_000,
        "cleared_ms": None,
        "received_ms": 1_100,
        "decided_ms": 1_101,
        "value": 45.0,
        "limit": 40.0,
        "deadband": 0.0,
        "on_delay_ms": 0,
        "quality": 0,
        "basis": "",
        "delayed": False,
        "retrospective": False,
        "version": 1,
        "sequence": 1,
        "base_tier": 2,
        "latch": False,
        "alarmed_ms": 1_100,
        "acknowledged_ms": None,
        "acknowledged_by": None,
        "rise": None,
        "measure": None,
        "measure_low": None,
        "measure_high": None,
        "inhibited": None,
        "material_version": 1,
        "stage": "raised",
        "assigned_to": None,
        "verdict": None,
        "hands": None,
        "measured_ms": None,
        "acknowledge_due_ms": None,
        "measure_due_ms": None,
        "overdue": "",
        "closed_ms": None,
        "closed_by": None,
        **changes,
    }


def event_row(event_id: int = 1, alarm_id: str = "a" * 16, **changes: object) -> dict[str, Any]:
    """Return a row of the table `alarm_event`."""
    return {
        "event_id": event_id,
        "alarm_id": alarm_id,
        "kind": "raised",
        "version": 1,
        "at_ms": 1_000,
        "received_ms": 1_100,
        "decided_ms": 1_101,
        "value": 45.0,
        "quality": 0,
        "position": 1,
        "detail": None,
        "key": None,
        "measure": None,
        "measure_low": None,
        "measure_high": None,
        **changes,
    }
