"""Messages and people for tests of channels."""

from __future__ import annotations

from typing import Any

from config.plant.model import Text
from gateway.notify.port import Kind, Message, Recipient

__all__ = ["WANG", "message", "row"]

WANG = Recipient("wang", "王工", "13800000001", "wang@example.com")


def row(number: int = 1, **fields: object) -> dict[str, Any]:
    """Return a row of an alarm, as far as channels look at it."""
    return {
        "alarm_id": f"alarm-{number}",
        "tag": f"T-{number}.GAS",
        "condition": "HH",
        "tier": 1,
        "hazard_unit": "tank-farm",
        "raised_ms": 1_763_769_990_000,
        "cleared_ms": None,
        **fields,
    }


def message(key: str = "key-1", kind: Kind = Kind.ALARM, **fields: object) -> Message:
    """Return a message about a red alarm, or as told otherwise."""
    given: dict[str, Any] = {
        "tier": 1,
        "title": Text("红色报警 T-1", "Red alarm T-1"),
        "body": Text("可燃气体 52 %LEL", "Combustible gas 52 %LEL"),
        "made_ms": 1_763_770_000_000,
        "alarms": (row(),),
        "link": "https://hazgate.example/alarms/alarm-1",
        **fields,
    }
    return Message(key=key, kind=kind, **given)
