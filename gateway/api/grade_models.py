"""What is asked of and answered about grades of hazard units."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from config.plant.model import Text
from gateway.api.models import Model, Name
from gateway.grading.assessment import GRADE_NAMES, Assessment
from gateway.grading.book import NOT_WEIGHED, Account
from gateway.grading.factors import Item, Mixture, exact
from gateway.grading.filings import Declaration, FiledLine, Filing
from gateway.grading.state import Contents, Crossing, Standing
from gateway.registry.fields import Cas, Day, Ref

__all__ = [
    "AssessmentView",
    "CrossingPage",
    "CrossingView",
    "Declaring",
    "FilingPage",
    "FilingRequest",
    "FilingView",
    "GradeView",
    "assessment_view",
    "crossing_view",
    "filing_item",
    "filing_view",
    "grade_view",
]

_MOST_T = 1e9
Grade = Annotated[int | None, Field(ge=1, le=4, description="1 (一级) to 4 (四级); null: S < 1, or not known")]
_Line = Annotated[str, StringConstraints(strip_whitespace=True, max_length=128)]
_Note = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000)]


class _Asked(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DeclaredItem(_Asked):
    """A substance of the unit, at design maximum."""

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=128)]
    cas: Annotated[Cas, Field(max_length=16)] = ""
    quantity_t: Annotated[float, Field(gt=0, le=_MOST_T, allow_inf_nan=False, description="q, design maximum")]
    table1_row: Annotated[int, Field(ge=0, le=1000, description="Where its form decides between rows; 0: not said")] = 0
    categories: Annotated[
        tuple[Annotated[str, Field(max_length=8)], ...],
        Field(max_length=30, description="Symbols of table 2, such as W5.3; needed where table 1 does not name it"),
    ] = ()
    mixture: Annotated[
        Mixture,
        Field(description="`same_class`: counts as the pure substance; `own_class`: goes by its categories alone"),
    ] = Mixture.PURE
    vessel: Annotated[Ref, Field(description="Where it is; empty: not said")] = ""


class Declaring(_Asked):
    """What a unit is graded by."""

    items: Annotated[tuple[DeclaredItem, ...], Field(min_length=1, max_length=500)]
    people: Annotated[int, Field(ge=0, le=100_000_000, description="Possibly exposed outside the fence within 500 m")]

    def declared(self) -> Declaration:
        """Return it in the words of the gateway."""
        return Declaration(tuple(map(_item, self.items)), self.people)


class FilingRequest(Declaring):
    """A filing (备案)."""

    number: Annotated[_Line, Field(description="备案编号")] = ""
    filed_on: Annotated[Day, Field(max_length=10, description="Day on the filing; empty: today")] = ""
    note: _Note = ""
    by: Annotated[str | None, Field(max_length=128, description="Only where there are no accounts: who says so")] = None
    expected_version: Annotated[
        int | None, Field(ge=0, le=2**31 - 1, description="The newest version that was seen; 0: none")
    ] = None

    def declared(self) -> Declaration:
        """Return it in the words of the gateway."""
        return replace(super().declared(), number=self.number, filed_on=self.filed_on, note=self.note)


class AssessmentView(Model):
    """What GB 18218 says of a declaration."""

    standard: str
    s: float
    alpha: float
    r: float = Field(description="Grades only where S >= 1")
    grade: Grade
    grade_name: Name
    why: tuple[Name, ...] = Field(description="Line by line: each q, Q and beta with its source, S, alpha, R, the band")


class FilingLine(Model):
    """A substance as it was filed, and what it was weighed by."""

    name: str
    cas: str
    vessel: str
    table1_row: int
    categories: tuple[str, ...]
    mixture: Mixture
    quantity_t: float
    critical_t: float = Field(description="Q")
    beta: float


class FilingItem(Model):
    """A filing, in short."""

    unit: str
    version: int
    filed_on: str = Field(description="In force from then on, until a later one is")
    filed_ms: int
    number: str
    standard: str
    people: int
    alpha: float
    s: float
    r: float
    grade: Grade
    grade_name: Name
    by: str
    note: str


class FilingView(FilingItem):
    """A filing, in full."""

    items: tuple[FilingLine, ...]
    why: tuple[Name, ...]


class FilingPage(Model):
    """Filings, the newest version first."""

    items: tuple[FilingItem, ...]
    next_cursor: str | None = Field(description="null on the last page")


class LegalView(Model):
    """The legal grade (法定等级): from design maxima, as filed; what is in the vessels never changes it."""

    label: Name
    filing: FilingItem | None = Field(description="In force; null: none")
    fits: bool = Field(description="What was filed is what the registry says")
    misfits: tuple[Name, ...]
    why: tuple[Name, ...]


class ContentsView(Model):
    """What is in a vessel."""

    vessel: str
    cas: str
    level_fraction: float | None = Field(description="Of the inner height, 0 to 1")
    volume_m3: float | None
    mass_t: float | None
    temperature_c: float | None
    at_ms: int | None = Field(description="When the level was measured")
    basis: Literal["level", "uncertain", "last_known", "design_max", "unknown"]


class OperationalView(Model):
    """The operational figures (实时): from what is in the vessels; they are no legal grade."""

    label: Name
    at_ms: int | None = Field(description="null: not weighed yet")
    s: float | None
    r: float | None
    grade: Grade
    grade_name: Name
    complete: bool = Field(description="Every vessel counts by a fresh level, and its substance is known")
    reasons: tuple[Name, ...] = Field(description="Why it is not complete, vessel by vessel")
    contents: tuple[ContentsView, ...]
    why: tuple[Name, ...]


class GradeView(Model):
    """Both grades of a hazard unit: two numbers that are never to be mixed."""

    unit: str
    name: Name
    legal: LegalView
    operational: OperationalView


class CrossingView(Model):
    """The operational R crossed the edge of a band, or S crossed 1."""

    event_id: str
    unit: str
    at_ms: int
    before: Grade
    after: Grade
    s: float
    r: float
    complete: bool
    reasons: tuple[Name, ...]
    why: tuple[Name, ...]


class CrossingPage(Model):
    """Crossings, the newest first."""

    items: tuple[CrossingView, ...]
    next_cursor: str | None = Field(description="null on the last page")


def assessment_view(found: Assessment) -> AssessmentView:
    """Return an assessment as it is answered."""
    return AssessmentView(
        standard=found.standard,
        s=float(found.s),
        alpha=float(found.alpha),
        r=float(found.r),
        grade=found.grade,
        grade_name=_name(GRADE_NAMES[found.grade]),
        why=_names(found.why),
    )


def filing_item(filing: Filing) -> FilingItem:
    """Return a filing in short."""
    return FilingItem(**_columns(filing))


def filing_view(filing: Filing) -> FilingView:
    """Return a filing in full."""
    return FilingView(**_columns(filing), items=tuple(map(_line, filing.lines)), why=_names(filing.why))


def grade_view(found: Account) -> GradeView:
    """Return both grades of a unit."""
    filing, now = found.filing, found.now
    standing = now.standing if now else Standing(reasons=(NOT_WEIGHED,))
    return GradeView(
        unit=found.unit.id,
        name=Name(zh=found.unit.name_zh, en=found.unit.name_en or found.unit.name_zh),
        legal=LegalView(
            label=Name(zh="法定等级（按设计最大量备案）", en="legal grade (design maxima, as filed)"),
            filing=filing_item(filing) if filing else None,
            fits=not found.misfits,
            misfits=_names(found.misfits),
            why=_names(filing.why) if filing else (),
        ),
        operational=OperationalView(
            label=Name(zh="实时等级（按实际存量，非法定）", en="operational grade (live inventory, not the legal one)"),
            at_ms=now.at_ms if now else None,
            s=now.s if now else None,
            r=now.r if now else None,
            grade=now.grade if now else None,
            grade_name=_name(standing.name),
            complete=now is not None and now.complete,
            reasons=_names(standing.reasons),
            contents=tuple(map(_contents, standing.contents)),
            why=_names(standing.why),
        ),
    )


def crossing_view(one: Crossing) -> CrossingView:
    """Return a crossing as it is answered."""
    same = ("unit", "at_ms", "before", "after", "s", "r", "complete")
    return CrossingView(
        event_id=one.id,
        reasons=_names(one.standing.reasons),
        why=_names(one.standing.why),
        **{name: getattr(one, name) for name in same},
    )


def _item(asked: DeclaredItem) -> Item:
    return Item(
        name=asked.name,
        cas=asked.cas,
        quantity_t=exact(asked.quantity_t),
        row=asked.table1_row,
        categories=asked.categories,
        mixture=asked.mixture,
        vessel=asked.vessel,
    )


def _columns(filing: Filing) -> dict[str, Any]:
    names = FilingItem.model_fields.keys() - {"grade_name"}
    return {name: getattr(filing, name) for name in names} | {"grade_name": _name(GRADE_NAMES[filing.grade])}


def _line(line: FiledLine) -> FilingLine:
    return FilingLine(
        name=line.name,
        cas=line.cas,
        vessel=line.vessel,
        table1_row=line.row,
        categories=line.categories,
        mixture=line.mixture,
        quantity_t=float(Fraction(line.quantity_t)),
        critical_t=float(Fraction(line.critical_t)),
        beta=float(Fraction(line.beta)),
    )


def _contents(one: Contents) -> ContentsView:
    return ContentsView(**{name: getattr(one, name) for name in ContentsView.model_fields})


def _name(text: Text) -> Name:
    return Name(zh=text.zh, en=text.en)


def _names(texts: Iterable[Text]) -> tuple[Name, ...]:
    return tuple(map(_name, texts))
