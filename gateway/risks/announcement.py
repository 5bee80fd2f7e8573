"""The announcement of risks (风险公告) of a site: what can happen, how bad, what is done about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Engine, case, select

from config.days import day_of
from config.risks import COLOUR_NAMES, Colour
from gateway.access.roles import Scope
from gateway.errors import NotFoundError
from gateway.records.risk_tables import risk, risk_measure
from gateway.records.transaction import using
from gateway.registry.store import Registry, Version, seen_by
from gateway.risks.book import risk_from
from gateway.risks.model import MEASURE_NAMES, SORT_NAMES, MeasureSort, Risk

__all__ = ["HEAD", "Announced", "Announcement", "cells"]

HEAD = (
    "编号 id", "风险等级 static grade", "名称 name", "类别 sort", "危险源单元 hazard unit", "设备 vessel",
    "可能的后果 what can happen", "管控措施 control measures", "评定日期 graded on",
)  # fmt: skip
_MOST = 5_000


@dataclass(frozen=True, slots=True)
class Announced:
    """A risk as it is put up for everybody to read; the grade of the moment is not on paper."""

    risk: Risk
    unit_name: str
    measures: tuple[tuple[MeasureSort, str], ...]


class Announcement:
    """Makes announcements. Any thread may use it.

    Args:
        registry: Names of places.
        reader: Cannot write.
    """

    def __init__(self, registry: Registry, reader: Engine) -> None:
        self._registry = registry
        self._reader = reader

    def of_site(self, site: str, scope: Scope) -> tuple[Version, list[Announced]]:
        """Return a site and its risks, the worst first.

        Raises:
            NotFoundError: There is no such site that may be seen.
        """
        place = self._registry.get("site", site, scope)
        if place is None:
            raise NotFoundError(f"there is no site {site!r}（厂区不存在）")
        worst = case({colour.value: colour.rank for colour in Colour}, value=risk.c.static_colour, else_=9)
        c, m = risk.c, risk_measure.c
        mine = (c.site == site, c.ended_ms.is_(None), seen_by(scope, c.enterprise, c.district))
        asked = select(risk).where(*mine).order_by(worst, c.score.desc(), c.id).limit(_MOST)
        of = select(m.risk_id, m.sort, m.text).join(risk, c.id == m.risk_id).where(*mine, m.ended_ms.is_(None))
        with using(self._reader, "reading the risks of a site") as connection:
            risks = [risk_from(row) for row in connection.execute(asked).mappings()]
            measures: dict[str, list[tuple[MeasureSort, str]]] = {}
            for row in connection.execute(of.order_by(m.id)):
                measures.setdefault(row.risk_id, []).append((MeasureSort(row.sort), row.text))
        units = self._registry.many("hazard-unit", {one.hazard_unit for one in risks}, scope)
        names = {name: unit.name for name, unit in units.items()}
        made = [
            Announced(one, names.get(one.hazard_unit, one.hazard_unit), tuple(measures.get(one.id, ())))
            for one in risks
        ]
        return place, made


def cells(rows: Sequence[Announced]) -> Iterator[list[str]]:
    """Yield the rows of the table."""
    for row in rows:
        one = row.risk
        grade, sort = COLOUR_NAMES[one.static_colour], SORT_NAMES[one.sort]
        done = "\n".join(f"[{MEASURE_NAMES[kind].zh} {MEASURE_NAMES[kind].en}] {text}" for kind, text in row.measures)
        yield [
            one.id, f"{grade.zh} {grade.en}", one.name, f"{sort.zh} {sort.en}", row.unit_name, one.vessel, one.text,
            done, day_of(one.graded_ms),
        ]  # fmt: skip
