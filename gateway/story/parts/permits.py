"""Who is at work here under a permit of special work (特殊作业票)."""

from __future__ import annotations

from pydantic import Field

from gateway.api.models import Model
from gateway.prevention.permits import Permit
from gateway.story.case import Case
from gateway.story.telling import Said, empty, said

__all__ = ["PermitsContent", "tell_permits"]

_MOST = 10


class AtWork(Model):
    """Somebody named on a permit."""

    name: str
    role: str
    phone: str


class PermitAtWork(Model):
    """A permit under which people are at work."""

    permit_id: str
    kind: str = Field(description="As in config/prevention.yaml, such as `hot_work`")
    level: str
    title: str
    vessel: str
    place: str
    opened_ms: int | None
    end_ms: int
    people: tuple[AtWork, ...]
    gas_overdue: bool = Field(description="A reading of gas is overdue")


class PermitsContent(Model):
    """The permits, the oldest first."""

    items: tuple[PermitAtWork, ...]


def tell_permits(case: Case) -> Said[PermitsContent]:
    """Tell who is at work."""
    prevention = case.sources.others.prevention
    if prevention is None or not case.unit:
        return empty("不属于任何危险源单元", "it belongs to no hazard unit")
    found = prevention.permits.active(case.scope, case.unit, case.at_ms)
    if not found:
        return empty("无进行中的特殊作业", "no special work is under way")
    return said(PermitsContent(items=tuple(_view(one) for one in found[:_MOST])))


def _view(one: Permit) -> PermitAtWork:
    return PermitAtWork(
        permit_id=one.id,
        kind=one.kind,
        level=one.level,
        title=one.work.title,
        vessel=one.vessel,
        place=one.work.place,
        opened_ms=one.opened_ms,
        end_ms=one.end_ms,
        people=tuple(AtWork(name=who.name, role=who.role, phone=who.phone) for who in one.work.people),
        gas_overdue=one.gas is not None and one.gas.overdue,
    )
