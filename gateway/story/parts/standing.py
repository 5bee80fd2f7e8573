"""Whether the substance is restricted here (禁限控), and how the enterprise stands (信用)."""

from __future__ import annotations

from pydantic import Field

from gateway.api.models import Model
from gateway.prevention.credit import Appeal, CreditStatus, Standing
from gateway.prevention.restricted import Level
from gateway.story.case import Case
from gateway.story.telling import Said, empty, said

__all__ = ["StandingContent", "tell_standing"]


class RestrictionView(Model):
    """How the substance is restricted here today."""

    cas: str
    level: Level
    limit_t: float | None
    approval: bool = Field(description="A transfer needs an approval")
    sources: tuple[str, ...]


class CreditView(Model):
    """How the enterprise stands."""

    standing: Standing
    from_day: str
    until_day: str
    source: str
    appeal: Appeal


class StandingContent(Model):
    """Catalogue and credit."""

    restriction: RestrictionView | None = Field(description="null: it is free, or there is no substance")
    credit: CreditView | None = Field(description="null: nothing is entered")


def tell_standing(case: Case) -> Said[StandingContent]:
    """Tell how both stand."""
    prevention = case.sources.others.prevention
    if prevention is None or case.of_system:
        return empty("系统自身的报警，不涉及具体企业", "an alarm of the system itself: it is about no enterprise")
    # Of somebody else's enterprise nothing is said; the catalogue is everybody's.
    known = case.scope.covers(case.enterprise, case.district)
    content = StandingContent(
        restriction=_restriction(case) if case.cas else None,
        credit=_credit(prevention.credit.of(case.enterprise, case.at_ms)) if known else None,
    )
    if content.restriction is None and content.credit is None:
        return empty("物质未受限，企业无信用记录", "the substance is free, and nothing is entered about the enterprise")
    return said(content)


def _restriction(case: Case) -> RestrictionView | None:
    prevention = case.sources.others.prevention
    found = None if prevention is None else prevention.restricted.status(case.cas, case.at_ms, case.district)
    if found is None or found.level is Level.FREE:
        return None
    return RestrictionView(
        cas=found.cas,
        level=found.level,
        limit_t=found.limit_t,
        approval=found.approval,
        sources=tuple(one.source for one in found.entries),
    )


def _credit(found: CreditStatus | None) -> CreditView | None:
    if found is None:
        return None
    names = ("standing", "from_day", "until_day", "source", "appeal")
    return CreditView(**{name: getattr(found, name) for name in names})
