"""What is not told around here: shelved, suppressed by design, out of service."""

from __future__ import annotations

from gateway.api.models import Inhibited, Model
from gateway.story.case import Case
from gateway.story.telling import Said, empty, said

__all__ = ["InhibitedContent", "tell_inhibited"]

_TAGS = 400
_MOST = 20


class InhibitedPoint(Model):
    """A point that is recorded and not told."""

    inhibition_id: str
    tag: str
    condition: str
    kind: Inhibited
    since_ms: int
    until_ms: int | None
    reason: str
    permit: str
    by: str


class InhibitedContent(Model):
    """The points, the newest first."""

    items: tuple[InhibitedPoint, ...]


def tell_inhibited(case: Case) -> Said[InhibitedContent]:
    """Tell what is not told."""
    around = case.sources.surroundings.around(case.tag, case.vessel, case.unit, case.vehicle, _TAGS)
    tags = [one.name for one in around] or [case.alarm["tag"]]
    rows = case.sources.queries.inhibitions(in_force=True, kind=None, tags=tags, before=None, limit=_MOST)
    if not rows:
        return empty("附近无搁置、抑制或停用的报警", "nothing is shelved, suppressed or out of service here")
    same = ("tag", "condition", "kind", "since_ms", "until_ms", "reason", "permit", "by")
    return said(
        InhibitedContent(
            items=tuple(InhibitedPoint(inhibition_id=row["id"], **{name: row[name] for name in same}) for row in rows)
        )
    )
