"""Who belongs together, and who may therefore not judge whose work.

A team is a post of an enterprise where the registry names the account in a person's record; else the enterprises an
account may see; an account that may see everything and is nobody's person is in no team.
"""

from __future__ import annotations

from gateway.access.roles import Scope
from gateway.dangers.acts import Case
from gateway.dangers.states import Event, Grade
from gateway.errors import ForbiddenError
from gateway.registry.store import Registry

__all__ = ["check_judge", "same_team", "team_of"]

_JUDGES = (Event.VERIFY, Event.CLOSE, Event.DISMISS, Event.GRADE)
"""A lower grade and a dismissal are ways around the other two."""
_AT_ONCE = 1_000


def team_of(registry: Registry, account: str, enterprise: str, scope: Scope) -> str:
    """Return the team of an account, as seen from an enterprise.

    Args:
        registry: Knows persons and posts.
        account: Whose.
        enterprise: Whose danger it is.
        scope: What the account may see.
    """
    after = ""
    while enterprise:
        page = registry.find("person", Scope(), enterprise=enterprise, after=after, limit=_AT_ONCE)
        for person in page:
            if person.body.get("account") == account and person.body.get("post"):
                return f"{enterprise}/{person.body['post']}"
        if len(page) < _AT_ONCE:
            break
        after = page[-1].id
    return ",".join(sorted(scope.enterprises))[:256]


def same_team(one: str, other: str) -> bool:
    """Say whether two teams are the same: the same post where both have one, else an enterprise in common."""
    if "/" in one and "/" in other:
        return one == other
    return bool(_enterprises(one) & _enterprises(other))


def check_judge(case: Case) -> None:
    """Check that somebody may judge a danger; general ones may be judged by whoever has the permission.

    Raises:
        ForbiddenError: It is a major one and theirs; says who may.
    """
    danger, who = case.danger, case.who.by.account
    if case.act.event not in _JUDGES or danger.grade is not Grade.MAJOR:
        return
    if who == danger.found_by:
        why, why_zh = "who found it", "发现人本人"
    elif who in danger.hands:
        why, why_zh = "who had a hand in rectifying it", "参与整改的人员"
    elif same_team(case.team, danger.found_team):
        why, why_zh = "the team that found it", "发现人所在班组（单位）"  # not which: it may see more than who asks
    else:
        return
    raise ForbiddenError(
        f"hidden danger {danger.id}: a major one is not verified, closed, dismissed or given a lower grade by {why};"
        f" it may be by an account with danger.verify of another post or another team, such as the regulator's"
        f"（重大隐患不得由{why_zh}验收、销号、降级，须由其他岗位、其他单位或监管部门具有验收权限的人员办理）"
    )


def _enterprises(team: str) -> set[str]:
    return {one.partition("/")[0] for one in team.split(",") if one}
