"""The ledger (台账) and the public view as tables of text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from config.days import CHINA
from config.plant.model import Text
from gateway.access.roles import Scope
from gateway.dangers.model import Danger
from gateway.dangers.states import GRADE_NAMES, SOURCE_NAMES, STATE_NAMES
from gateway.registry.where import Where

__all__ = ["Cell", "PublicRow", "ledger_rows", "public_rows"]

Cell = str | int | float | None


@dataclass(frozen=True, slots=True)
class PublicRow:
    """A major danger as the public may see it. No column of it is written by who found or reported it."""

    number: str
    enterprise: str
    enterprise_name: Text
    hazard_unit_name: Text | None
    district: str
    grade_name: Text
    state_name: Text
    listed: bool
    listed_ms: int | None
    deadline_ms: int | None
    notice: str

    def cells(self) -> list[Cell]:
        """Return it as a row of a table."""
        unit = "" if self.hazard_unit_name is None else self.hazard_unit_name.zh
        named = (self.number, self.enterprise_name.zh, unit, self.district, self.grade_name.zh, self.state_name.zh)
        return [*named, _day(self.listed_ms), _day(self.deadline_ms), self.notice]


def public_rows(dangers: Sequence[Danger], where: Where, scope: Scope) -> list[PublicRow]:
    """Return dangers as they may be published, the listed ones first."""
    enterprises = where.names("enterprise", (one.enterprise for one in dangers), scope)
    units = where.names("hazard-unit", (one.hazard_unit for one in dangers), scope)
    rows = [
        PublicRow(
            number=one.id,
            enterprise=one.enterprise,
            enterprise_name=enterprises.get(one.enterprise) or Text(one.enterprise, one.enterprise),
            hazard_unit_name=units.get(one.hazard_unit),
            district=one.district,
            grade_name=GRADE_NAMES[one.grade],
            state_name=STATE_NAMES[one.state],
            listed=one.listed,
            listed_ms=one.listed_ms,
            deadline_ms=one.listed_until_ms if one.listed else one.deadline_ms,
            notice=one.notice if one.listed else "",
        )
        for one in dangers
    ]
    return sorted(rows, key=lambda row: not row.listed)


def ledger_rows(dangers: Iterable[Danger], now_ms: int) -> Iterator[Sequence[Cell]]:
    """Yield the head of the ledger, then a row for each danger."""
    yield [title for title, _ in _COLUMNS]
    for one in dangers:
        yield [cell(one, now_ms) for _, cell in _COLUMNS]


def _plan(name: str) -> Callable[[Danger, int], Cell]:
    return lambda one, _: (one.plan or {}).get(name)


def _late(one: Danger, now_ms: int) -> Cell:
    return "是" if one.due_ms is not None and one.due_ms < now_ms else "否"


_COLUMNS: Sequence[tuple[str, Callable[[Danger, int], Cell]]] = (
    ("编号 id", lambda one, _: one.id),
    ("企业 enterprise", lambda one, _: one.enterprise),
    ("区域 district", lambda one, _: one.district),
    ("危险源 hazard unit", lambda one, _: one.hazard_unit),
    ("设备 vessel", lambda one, _: one.vessel),
    ("位号 tag", lambda one, _: one.tag),
    ("部位 place", lambda one, _: one.place),
    ("来源 source", lambda one, _: SOURCE_NAMES[one.source].zh),
    ("等级 grade", lambda one, _: GRADE_NAMES[one.grade].zh),
    ("状态 state", lambda one, _: STATE_NAMES[one.state].zh),
    ("标题 title", lambda one, _: one.title),
    ("内容 text", lambda one, _: one.text),
    ("发现时间 found", lambda one, _: _minute(one.found_ms)),
    ("登记人 found by", lambda one, _: one.found_by),
    ("责任 responsible", _plan("responsible")),
    ("措施 measures", _plan("measures")),
    ("资金（元） funds", _plan("funds_yuan")),
    ("时限 deadline", lambda one, _: _minute(one.deadline_ms)),
    ("预案 precautions", _plan("precautions")),
    ("延期次数 extended", lambda one, _: one.extended),
    ("挂牌督办 listed", lambda one, _: _minute(one.listed_ms) if one.listed else ""),
    ("监管部门回执 regulator", lambda one, _: one.regulator_receipt),
    ("职代会回执 congress", lambda one, _: one.congress_receipt),
    ("整改完成 rectified", lambda one, _: _minute(one.rectified_ms)),
    ("验收时间 verified", lambda one, _: _minute(one.verified_ms)),
    ("验收人 verified by", lambda one, _: one.verified_by),
    ("销号时间 over", lambda one, _: _minute(one.over_ms)),
    ("销号人 over by", lambda one, _: one.over_by),
    ("重新开启次数 reopened", lambda one, _: one.reopened),
    ("逾期 overdue", _late),
)


def _minute(at_ms: int | None) -> str:
    return "" if at_ms is None else _local(at_ms).strftime("%Y-%m-%d %H:%M")


def _day(at_ms: int | None) -> str:
    return "" if at_ms is None else _local(at_ms).strftime("%Y-%m-%d")


def _local(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(CHINA)
