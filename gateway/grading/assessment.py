"""S, R and the grade of a unit by GB 18218, exactly, and line by line why. Arithmetic on what is declared; no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from config.chemicals import Catalogue
from config.gb18218 import Edition
from config.plant.model import Text
from gateway.errors import DeclarationError
from gateway.grading.factors import Factors, Item, factors_of

__all__ = ["GRADE_NAMES", "Assessment", "Line", "assess"]

GRADE_NAMES = {
    None: Text("未构成重大危险源", "no major hazard source"),
    1: Text("一级", "grade 1"),
    2: Text("二级", "grade 2"),
    3: Text("三级", "grade 3"),
    4: Text("四级", "grade 4"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One substance, weighed."""

    item: Item
    factors: Factors

    @property
    def share(self) -> Fraction:
        """Return q/Q."""
        return self.item.quantity_t / self.factors.quantity_t

    @property
    def weighed(self) -> Fraction:
        """Return beta times q/Q."""
        return self.factors.beta * self.share


@dataclass(frozen=True, slots=True)
class Assessment:
    """What GB 18218 says of a unit."""

    standard: str
    lines: tuple[Line, ...]
    people: int
    """Possibly exposed outside the fence within 500 m."""
    alpha: Fraction
    s: Fraction
    r: Fraction
    """Means something only where S >= 1."""
    grade: int | None
    """1 (一级) to 4 (四级); None: S < 1, no major hazard source."""
    why: tuple[Text, ...]


def assess(items: Sequence[Item], people: int, edition: Edition, catalogue: Catalogue) -> Assessment:
    """Identify and grade a unit.

    Args:
        items: Its substances at design maximum.
        people: Possibly exposed outside the fence within 500 m.
        edition: Of the standard.
        catalogue: Holds table 1.

    Raises:
        DeclarationError: Naming every item to which the standard cannot be applied.
    """
    lines, faults = [], []
    for number, item in enumerate(items, 1):
        try:
            lines.append(Line(item, factors_of(item, edition, catalogue)))
        except DeclarationError as error:
            faults += [f"item {number} ({item.name or item.cas}): {fault}" for fault in error.faults]
    if faults:
        raise DeclarationError(faults)
    alpha = edition.alpha_of(people)
    s = sum((line.share for line in lines), Fraction(0))
    r = alpha * sum((line.weighed for line in lines), Fraction(0))
    grade = edition.grade_of(r) if s >= 1 else None
    found = Assessment(edition.standard, tuple(lines), people, alpha, s, r, grade, ())
    return Assessment(edition.standard, tuple(lines), people, alpha, s, r, grade, _why(found, edition))


def _why(found: Assessment, edition: Edition) -> tuple[Text, ...]:
    alpha, bands, rules = (edition.sources[name] for name in ("alpha", "bands", "rules"))
    texts = [_why_line(number, line) for number, line in enumerate(found.lines, 1)]
    sign = "≥" if found.s >= 1 else "<"
    verdict = Text("构成重大危险源", "a major hazard source") if found.s >= 1 else GRADE_NAMES[None]
    texts.append(
        Text(
            f"S = Σ q/Q {_is(found.s)} {sign} 1：{verdict.zh}（{rules.origin}，可信度 {rules.confidence}）",
            f"S = sum of q/Q {_is(found.s)} {sign} 1: {verdict.en} ({rules.origin}, confidence {rules.confidence})",
        )
    )
    if found.grade is None:
        return tuple(texts)
    step = max(one.from_people for one in edition.alpha if one.from_people <= found.people)
    texts.append(
        Text(
            f"α {_is(found.alpha)}：厂界外500米内可能暴露 {found.people} 人，取 {step} 人及以上一档"
            f"（{alpha.origin}，可信度 {alpha.confidence}）",
            f"alpha {_is(found.alpha)}: {found.people} people possibly exposed within 500 m, step of {step} and more "
            f"({alpha.origin}, confidence {alpha.confidence})",
        )
    )
    name, edge = GRADE_NAMES[found.grade], next(one.from_r for one in edition.bands if one.grade == found.grade)
    above = min((one.from_r for one in edition.bands if one.from_r > edge), default=None)
    upper = "" if above is None else f" < {_say(above)}"
    texts.append(
        Text(
            f"R = α·Σ β·q/Q {_is(found.r)}；{_say(edge)} ≤ R{upper}：{name.zh}"
            f"（{bands.origin}，可信度 {bands.confidence}）",
            f"R = alpha x sum of beta x q/Q {_is(found.r)}; {_say(edge)} <= R{upper}: {name.en} "
            f"({bands.origin}, confidence {bands.confidence})",
        )
    )
    return tuple(texts)


def _why_line(number: int, line: Line) -> Text:
    item, by = line.item, line.factors
    what = f"{item.name}" + (f" {item.cas}" if item.cas else "") + (f" @{item.vessel}" if item.vessel else "")
    figures = f"q/Q {_is(line.share)}, β·q/Q {_is(line.weighed)}"
    return Text(
        f"{number}. {what}：q {_is(item.quantity_t)} t；Q {_is(by.quantity_t)} t，{by.quantity_basis.zh}；"
        f"β {_is(by.beta)}，{by.beta_basis.zh}；{figures}",
        f"{number}. {what}: q {_is(item.quantity_t)} t; Q {_is(by.quantity_t)} t, {by.quantity_basis.en}; "
        f"beta {_is(by.beta)}, {by.beta_basis.en}; {figures}",
    )


def _is(figure: Fraction) -> str:
    said = _say(figure)
    return f"= {said}" if Fraction(said) == figure else f"≈ {said}"


def _say(figure: Fraction) -> str:
    return f"{float(figure):.12g}"
