"""Who answers for the hazard unit (包保责任人), with phones; who is on duty."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from pydantic import Field

from gateway.api.models import Model, Name
from gateway.notify.roster import on_duty
from gateway.registry.kinds import ResponsibleFor
from gateway.registry.store import Version
from gateway.story.case import Case
from gateway.story.moments import day_text
from gateway.story.telling import Said, empty, said

__all__ = ["PeopleContent", "tell_people"]

_MOST = 30


class ResponsibleView(Model):
    """Somebody who answers for the unit."""

    role: ResponsibleFor
    person: str
    name: Name
    phone: str
    post: str
    duty: str
    done_on: str
    overdue: bool = Field(description="The duty was to be done again before today")
    on_duty: bool | None = Field(description="null: the duty roster does not know this person")


class DutyPerson(Model):
    """Somebody who is on duty now."""

    role: str
    person: str
    name: str
    phone: str


class PeopleContent(Model):
    """Whom to call."""

    responsible: tuple[ResponsibleView, ...]
    on_duty: tuple[DutyPerson, ...] = Field(description="Only for who may see everything here, as in `/api/v1/duty`")


def tell_people(case: Case) -> Said[PeopleContent]:
    """Tell whom to call."""
    working = _working(case)
    registry, scope = case.sources.registry, case.scope
    duties = registry.find("responsibility", scope, parent=case.unit, limit=_MOST) if case.unit else []
    people = registry.many("person", (one.body["person"] for one in duties), scope)
    posts = registry.many("post", (one.body.get("post", "") for one in people.values()), scope)
    responsible = sorted(
        (_responsible(one.body, people, posts, case, working) for one in duties),
        key=lambda one: (list(ResponsibleFor).index(one.role), one.person),
    )
    # The roster is the whole site's: who may see a part of it only does not see it.
    everybody = tuple(DutyPerson(**one) for one in working) if scope.whole else ()
    if not responsible and not everybody:
        return empty("未登记责任人，无人在岗", "nobody is registered as responsible, nobody is on duty")
    return said(PeopleContent(responsible=tuple(responsible), on_duty=everybody))


def _working(case: Case) -> list[dict[str, str]]:
    duty = case.sources.duty.duty
    if not duty.roles:
        return []
    swaps = case.sources.duty.swaps(case.at_ms)
    return [
        {"role": role, "person": person, "name": known.name, "phone": known.phone}
        for role in duty.roles
        for person in on_duty(duty, role, swaps, case.at_ms)
        if (known := duty.people.get(person)) is not None
    ]


def _responsible(
    body: Mapping[str, Any],
    people: Mapping[str, Version],
    posts: Mapping[str, Version],
    case: Case,
    working: list[dict[str, str]],
) -> ResponsibleView:
    name = body["person"]
    person = people[name].body if name in people else {}
    post = posts.get(person.get("post", ""))
    return ResponsibleView(
        role=ResponsibleFor(body["role"]),
        person=name,
        name=Name(zh=person.get("name_zh", name), en=person.get("name_en") or person.get("name_zh", name)),
        phone=person.get("phone", ""),
        post="" if post is None else post.name,
        duty=body.get("duty", ""),
        done_on=body.get("done_on", ""),
        overdue=_overdue(body, case.at_ms),
        on_duty=_is_working(name, person, case, {one["person"] for one in working}),
    )


def _overdue(body: Mapping[str, Any], now_ms: int) -> bool:
    every_days, done_on = body.get("every_days"), body.get("done_on", "")
    if every_days is None:
        return False
    today = date.fromisoformat(day_text(now_ms))
    try:
        return not done_on or date.fromisoformat(done_on) + timedelta(days=every_days) < today
    except ValueError:  # the 30th of February passes the registry's pattern
        return True


def _is_working(name: str, person: Mapping[str, Any], case: Case, working: set[str]) -> bool | None:
    """Say whether a person of the registry is on duty: the same id, or the same account."""
    known = [
        one.id
        for one in case.sources.duty.duty.people.values()
        if one.id == name or (one.account and one.account == person.get("account"))
    ]
    return any(one in working for one in known) if known else None
