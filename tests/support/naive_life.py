"""The life of an alarm told from its timeline alone: every state must have its cause there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["told_by"]

_INHIBITS = {"shelved": "shelved", "suppressed": "suppressed", "removed": "out_of_service"}
_BACK = {"unshelved", "unsuppressed", "in_service"}
_OVER = {"cleared", "reset", "superseded"}


def told_by(  # noqa: C901 - one branch a kind, in their order
    events: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """Return what the events of one alarm say about it: state, acknowledged, inhibited, verdict, assigned_to, closed.

    Args:
        events: Rows of `gateway.records.schema.alarm_event` of one alarm, in order.
    """
    state, acknowledged, inhibited = "", False, None
    verdict: str | None = None
    assigned_to: str | None = None
    closed = False
    for event in events:
        kind, detail = event["kind"], event["detail"] or {}
        if kind == "raised":
            state, acknowledged, inhibited = "active", False, detail.get("inhibited")
        elif kind in ("tier_raised", "re_alarmed"):
            acknowledged = False
        elif kind in ("returned", "latched"):
            state = kind
        elif kind in _OVER:
            state, inhibited = "cleared", None
        elif kind == "acknowledged":
            acknowledged = True
            state = "cleared" if state == "returned" else state
        elif kind == "unacknowledged":
            acknowledged = False
        elif kind in _INHIBITS:
            inhibited = _INHIBITS[kind]
        elif kind in _BACK:
            inhibited = None
            acknowledged = acknowledged and state != "active"
            state = state if state == "active" else "cleared"
        elif kind == "verified":
            verdict = detail["verdict"]
        elif kind == "assigned":
            assigned_to = detail["assignee"]
        closed = closed or kind == "closed"
    return {
        "state": state,
        "acknowledged": acknowledged,
        "inhibited": inhibited,
        "verdict": verdict,
        "assigned_to": assigned_to,
        "closed": closed,
    }
