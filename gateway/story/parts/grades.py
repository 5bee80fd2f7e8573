"""How bad it can get: the legal grade of the hazard unit, and beside it the operational one. Never to be mixed."""

from __future__ import annotations

from pydantic import Field

from gateway.api.models import Model, Name
from gateway.api.views import name_of
from gateway.story.case import Case
from gateway.story.telling import Said, empty, partial, said

__all__ = ["GradesContent", "tell_grades"]


class LegalGrade(Model):
    """法定: from design maxima, as filed."""

    grade: int | None = Field(description="1 (一级) to 4 (四级); null: no major hazard source, or not filed")
    s: float | None
    r: float | None
    filed_ms: int | None = Field(description="null: not filed")


class OperationalGrade(Model):
    """实时: from what is in the vessels."""

    grade: int | None
    s: float | None
    r: float | None
    as_of_ms: int | None
    complete: bool = Field(description="The level of every vessel was used")


class GradesContent(Model):
    """Both grades by GB 18218."""

    legal: LegalGrade
    operational: OperationalGrade
    reasons: tuple[Name, ...] = Field(description="What is missing, and what no longer fits the filing")


def tell_grades(case: Case) -> Said[GradesContent]:
    """Tell of both grades."""
    if not case.unit:
        return empty("不属于任何危险源单元", "it belongs to no hazard unit")
    book = case.sources.others.grades
    found = None if book is None else book.of_unit(case.unit, case.scope)
    if found is None:
        return empty("该单元未分级", "this unit is not graded")
    content = GradesContent(
        legal=LegalGrade(grade=found.legal_grade, s=found.legal_s, r=found.legal_r, filed_ms=found.filed_ms),
        operational=OperationalGrade(
            grade=found.operational_grade,
            s=found.operational_s,
            r=found.operational_r,
            as_of_ms=found.as_of_ms,
            complete=found.complete,
        ),
        reasons=tuple(name_of(reason) for reason in found.reasons),
    )
    if found.filed_ms is None:
        return partial(content, "法定分级未备案", "the legal grade is not filed")
    return said(content)
