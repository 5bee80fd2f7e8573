"""What is wrong here and not put right: open hidden dangers (隐患), the worst first."""

from __future__ import annotations

from pydantic import Field

from gateway.api.models import Model, Name
from gateway.api.views import name_of
from gateway.dangers.model import Danger
from gateway.dangers.states import GRADE_NAMES, STATE_NAMES, Grade, State
from gateway.story.case import Case
from gateway.story.telling import Said, empty, said

__all__ = ["DangersContent", "tell_dangers"]

_MOST = 20


class DangerView(Model):
    """A hidden danger."""

    danger_id: str
    title: str
    grade: Grade
    grade_name: Name
    state: State
    state_name: Name
    vessel: str
    tag: str
    found_ms: int
    deadline_ms: int | None = Field(description="To be rectified by then, extensions included")
    late: bool = Field(description="One of its clocks has run out")
    listed: bool = Field(description="Under listed supervision (挂牌督办)")


class DangersContent(Model):
    """The open hidden dangers of the unit (without one: of the vessel or the tag)."""

    items: tuple[DangerView, ...]


def tell_dangers(case: Case) -> Said[DangersContent]:
    """Tell what is wrong."""
    desk = case.sources.others.dangers
    if desk is None:
        return empty("本网关不管理隐患", "this gateway keeps no hidden dangers")
    if case.of_system:
        return empty("系统自身的报警，不涉及具体场所", "an alarm of the system itself: it is about no place")
    places = {"hazard_unit": case.unit, "vessel": case.vessel, "tag": case.alarm["tag"]}
    place = next((kind, name) for kind, name in places.items() if name)
    found = desk.open_at(case.scope, **dict([place]), limit=_MOST)
    if not found:
        return empty("无未销号的隐患", "there is no open hidden danger")
    return said(DangersContent(items=tuple(_view(one) for one in found)))


def _view(one: Danger) -> DangerView:
    return DangerView(
        danger_id=one.id,
        title=one.title,
        grade=one.grade,
        grade_name=name_of(GRADE_NAMES[one.grade]),
        state=one.state,
        state_name=name_of(STATE_NAMES[one.state]),
        vessel=one.vessel,
        tag=one.tag,
        found_ms=one.found_ms,
        deadline_ms=one.deadline_ms,
        late=one.level > 0,
        listed=one.listed,
    )
