"""What the enterprise has committed to for today (安全承诺), and what contradicts it."""

from __future__ import annotations

from pydantic import Field

from gateway.api.models import Model, Name
from gateway.story.case import Case
from gateway.story.moments import day_text
from gateway.story.telling import Said, empty, said

__all__ = ["CommitmentContent", "tell_commitment"]

_MOST = 10


class Contradicted(Model):
    """Something that contradicts it."""

    text: Name
    began_ms: int
    ended_ms: int | None


class CommitmentContent(Model):
    """The commitment of the day."""

    day: str
    signed_ms: int
    signed_by: str
    late: bool
    under_control: bool = Field(description="It says that risks are controlled (风险受控)")
    contradictions: tuple[Contradicted, ...]


def tell_commitment(case: Case) -> Said[CommitmentContent]:
    """Tell what was committed to."""
    prevention = case.sources.others.prevention
    if prevention is None or case.of_system:
        return empty("系统自身的报警，不涉及具体企业", "an alarm of the system itself: it is about no enterprise")
    day = day_text(case.at_ms)
    found = prevention.commitments.of(case.scope, case.enterprise, day)
    if found is None:
        return empty(f"{day} 未作安全承诺", f"no commitment is signed for {day}")
    return said(
        CommitmentContent(
            day=found.day,
            signed_ms=found.signed_ms,
            signed_by=found.signed_by,
            late=found.late,
            under_control=found.committed.under_control,
            contradictions=tuple(
                Contradicted(text=Name(zh=one.zh, en=one.en), began_ms=one.began_ms, ended_ms=one.ended_ms)
                for one in found.contradictions[:_MOST]
            ),
        )
    )
