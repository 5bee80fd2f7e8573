"""Who is near and downwind (周边): enterprises, schools, people, with phones."""

from __future__ import annotations

from pydantic import Field

from gateway.api.models import Model, Name
from gateway.api.views import name_of
from gateway.prevention.around import NeighbourAt
from gateway.story.case import Case
from gateway.story.parts.weather import wind_of
from gateway.story.telling import Said, empty, partial, said

__all__ = ["NeighboursContent", "tell_neighbours"]

_LEAST_M, _MOST_M = 3_000.0, 20_000.0
_MOST = 12


class NeighbourView(Model):
    """Somebody near."""

    id: str
    name: Name
    sort: str
    distance_m: float
    bearing_deg: float
    downwind: bool
    people: int | None
    contact: str
    phone: str


class NeighboursContent(Model):
    """Those downwind first, then the nearest."""

    radius_m: float
    wind_from_deg: float | None = Field(description="null: not known, all around are taken to be downwind")
    wind_m_s: float | None
    within: int = Field(description="How many are within the radius")
    items: tuple[NeighbourView, ...]


def tell_neighbours(case: Case) -> Said[NeighboursContent]:
    """Tell who is near."""
    prevention = case.sources.others.prevention
    if prevention is None or case.of_system:
        return empty("系统自身的报警，不涉及具体场所", "an alarm of the system itself: it is about no place")
    if case.coordinates is None:
        return partial(None, "位置未知，无法按距离查找", "the position is not known: nothing can be found by distance")
    wind_from_deg, wind_m_s = wind_of(case)
    reach_m = case.ground.body("hazard-unit").get("consequence_radius_m") or 0.0
    radius_m = min(max(_LEAST_M, reach_m), _MOST_M)
    around = prevention.joint.downwind(case.scope, *case.coordinates, wind_from_deg, wind_m_s, radius_m)
    found = [one for one in around if one.id != case.enterprise]
    if not found:
        return empty("周边无登记单位", "nobody is registered near")
    content = NeighboursContent(
        radius_m=radius_m,
        wind_from_deg=wind_from_deg,
        wind_m_s=wind_m_s,
        within=len(found),
        items=tuple(_view(one) for one in found[:_MOST]),
    )
    if wind_from_deg is None:
        return partial(content, "风向未知，未按下风向排序", "the wind is not known: all around are listed")
    return said(content)


def _view(one: NeighbourAt) -> NeighbourView:
    names = ("id", "sort", "distance_m", "bearing_deg", "downwind", "people", "contact", "phone")
    return NeighbourView(name=name_of(one.name), **{name: getattr(one, name) for name in names})
