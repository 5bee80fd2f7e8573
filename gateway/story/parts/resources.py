"""Teams, vehicles and materials of rescue, the nearest first."""

from __future__ import annotations

from pydantic import Field

from gateway.api.models import Model, Name
from gateway.story.case import Case
from gateway.story.telling import Said, empty, partial, said

__all__ = ["ResourcesContent", "tell_resources"]

_WITHIN_M = 50_000.0
_MOST = 10


class ResourceView(Model):
    """A resource of rescue."""

    id: str
    name: Name
    sort: str
    amount: float | None
    unit: str
    distance_m: float = Field(description="As the crow flies")
    contact: str
    phone: str
    checked_on: str


class ResourcesContent(Model):
    """The nearest resources within 50 km."""

    items: tuple[ResourceView, ...]


def tell_resources(case: Case) -> Said[ResourcesContent]:
    """Tell who and what is near."""
    if case.coordinates is None:
        if case.of_system:
            return empty("系统自身的报警，不涉及具体场所", "an alarm of the system itself: it is about no place")
        return partial(None, "位置未知，无法按距离查找", "the position is not known: nothing can be found by distance")
    near = case.sources.nearby.nearest(case.scope, case.coordinates, _WITHIN_M, _MOST)
    found = case.sources.registry.many("resource", near, case.scope)
    if not found:
        return empty("50 公里内无登记的救援资源", "no resource of rescue is registered within 50 km")
    bodies = [(found[name].body, away_m) for name, away_m in near.items() if name in found]
    same = ("contact", "phone", "checked_on", "unit")
    return said(
        ResourcesContent(
            items=tuple(
                ResourceView(
                    id=body["id"],
                    name=Name(zh=body["name_zh"], en=body.get("name_en") or body["name_zh"]),
                    sort=body["sort"],
                    amount=body.get("amount"),
                    distance_m=round(away_m),
                    **{name: body.get(name, "") for name in same},
                )
                for body, away_m in bodies
            )
        )
    )
