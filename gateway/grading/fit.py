"""Whether a filing still says what the registry says: no change of a plant quietly outgrows its grade."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from config.gb18218 import Edition
from config.plant.model import Text
from gateway.grading.factors import exact
from gateway.grading.filings import FiledLine, Filing
from gateway.grading.ground import Tank, Unit

__all__ = ["misfits"]


def misfits(filing: Filing, unit: Unit, tanks: Sequence[Tank], edition: Edition) -> tuple[Text, ...]:
    """Return what no longer fits, in words; empty: all of it does.

    Args:
        filing: In force.
        unit: As it is.
        tanks: Of the unit, as they are.
        edition: Of the standard, in force.
    """
    found = [*_people(filing, unit, edition), *_vessels(filing, tanks), *_totals(filing, tanks)]
    if filing.standard != edition.standard:
        found.append(
            Text(
                f"按 {filing.standard} 备案，现行 {edition.standard}",
                f"filed by {filing.standard}, now {edition.standard}",
            )
        )
    return tuple(found)


def _people(filing: Filing, unit: Unit, edition: Edition) -> list[Text]:
    if unit.people is None or unit.people == filing.people:
        return []
    alpha = edition.alpha_of(unit.people)
    same = alpha == exact(filing.alpha)
    return [
        Text(
            f"暴露人员：备案 {filing.people} 人，现登记 {unit.people} 人"
            + ("（α 不变）" if same else f"（α 由 {filing.alpha:g} 变为 {float(alpha):g}）"),
            f"exposed people: {filing.people} filed, {unit.people} registered"
            + (" (alpha as before)" if same else f" (alpha {filing.alpha:g} becomes {float(alpha):g})"),
        )
    ]


def _vessels(filing: Filing, tanks: Sequence[Tank]) -> list[Text]:
    """Compare vessel by vessel where vessels were filed."""
    filed: dict[str, list[FiledLine]] = {}
    for line in filing.lines:
        if line.vessel:
            filed.setdefault(line.vessel, []).append(line)
    known = {tank.id: tank for tank in tanks}
    found = [
        Text(f"设备 {name}：已备案，现不属于本单元", f"vessel {name}: filed, and no longer in the unit")
        for name in filed
        if name not in known
    ]
    for name, lines in filed.items():
        tank = known.get(name)
        if tank is None:
            continue
        total = sum((Fraction(line.quantity_t) for line in lines), Fraction(0))
        if tank.design_max_t is not None and exact(tank.design_max_t) != total:
            found.append(_differs(f"设备 {name}", f"vessel {name}", total, exact(tank.design_max_t)))
        numbers = {line.cas for line in lines} - {""}
        if tank.cas and numbers and tank.cas not in numbers:
            filed_as = ", ".join(sorted(numbers))
            found.append(
                Text(
                    f"设备 {name}：备案物质 {filed_as}，现登记 {tank.cas}",
                    f"vessel {name}: filed with {filed_as}, registered with {tank.cas}",
                )
            )
    return found


def _totals(filing: Filing, tanks: Sequence[Tank]) -> list[Text]:
    """Compare substance by substance what was filed without naming vessels, and find vessels not filed at all."""
    named = {line.vessel for line in filing.lines}
    loose: dict[str, Fraction] = {}
    for line in filing.lines:
        if not line.vessel:
            loose[line.cas] = loose.get(line.cas, Fraction(0)) + Fraction(line.quantity_t)
    found, registered = [], dict.fromkeys(loose, Fraction(0))
    for tank in tanks:
        if tank.id in named or not tank.design_max_t:
            continue
        if tank.cas in registered:
            registered[tank.cas] += exact(tank.design_max_t)
        else:
            found.append(
                Text(
                    f"设备 {tank.id}（{tank.cas or '物质未登记'}）：设计最大量 {tank.design_max_t:g} t 未备案",
                    f"vessel {tank.id} ({tank.cas or 'no substance'}): {tank.design_max_t:g} t at most, not filed",
                )
            )
    return found + [
        _differs(f"物质 {cas}", f"substance {cas}", loose[cas], total)
        for cas, total in registered.items()
        if total and total != loose[cas]
    ]


def _differs(zh: str, en: str, filed: Fraction, registered: Fraction) -> Text:
    return Text(
        f"{zh}：备案 {float(filed):g} t，现登记设计最大量 {float(registered):g} t",
        f"{en}: {float(filed):g} t filed, design maximum {float(registered):g} t registered",
    )
