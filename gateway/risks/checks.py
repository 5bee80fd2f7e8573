"""What was checked, and what was found (排查记录): told once or many times, at once or days later, it is one record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from hashlib import sha256
from typing import Any, Protocol, TypeVar

import msgspec
from sqlalchemy import ColumnElement, Engine, and_, insert, or_, select
from sqlalchemy.exc import IntegrityError

from config.clock import Clock
from config.risks import RiskRules
from gateway.access.roles import Scope
from gateway.commands import By
from gateway.dangers.intake import Found
from gateway.dangers.model import Danger
from gateway.dangers.states import Source
from gateway.errors import BadRequestError, ConflictError, NotFoundError
from gateway.records import audit
from gateway.records.audit import Entry
from gateway.records.dialects import storable
from gateway.records.risk_tables import check_record
from gateway.records.transaction import using
from gateway.registry.store import seen_by
from gateway.registry.where import Spot, Where
from gateway.risks.book import Risks
from gateway.risks.model import CheckRecord, CheckTask, Outcome
from gateway.risks.tasks import CheckTasks, done

__all__ = ["CheckDraft", "CheckFilter", "Checks", "Reporting"]

T = TypeVar("T")
_r = check_record.c


class Reporting(Protocol):
    """Who takes hidden dangers in; `gateway.dangers.desk.Dangers` does."""

    def report(self, found: Found, scope: Scope, by: By, key: str = "") -> Danger:
        """Take a hidden danger in; the same key of the same account again is the same danger."""
        ...


@dataclass(frozen=True, slots=True)
class CheckDraft:
    """What a terminal tells of a check."""

    key: str
    """Made by the terminal, once for each check: the same again is the same record."""
    done_ms: int
    result: Outcome
    text: str = ""
    task_id: str = ""
    risk_id: str = ""
    vessel: str = ""
    hazard_unit: str = ""
    latitude_deg: float | None = None
    longitude_deg: float | None = None

    def digest(self) -> str:
        """Return a short name for everything said."""
        return sha256(msgspec.json.encode(asdict(self))).hexdigest()


@dataclass(frozen=True, slots=True)
class CheckFilter:
    """Which records are wanted; empty: all."""

    task_id: str = ""
    risk_id: str = ""
    hazard_unit: str = ""
    enterprise: str = ""
    result: str = ""
    gap: bool | None = None
    """True: findings with no risk behind them that nobody has written one for."""

    def clauses(self) -> list[ColumnElement[bool]]:
        """Return it as the database asks for it."""
        same = ("task_id", "risk_id", "hazard_unit", "enterprise", "result")
        said = [_r[name] == getattr(self, name) for name in same if getattr(self, name)]
        open_gap = and_(_r.gap.is_(True), _r.gap_risk_id.is_(None))
        if self.gap is not None:
            said.append(open_gap if self.gap else ~open_gap)
        return said


class Checks:
    """What was checked. Any thread may use it.

    Args:
        writing: For short transactions beside the pipeline.
        reader: Cannot write.
        clock: Wall.
        where: Of all places.
        risks: That may be behind a finding.
        tasks: Whose clocks are wound.
        reporting: Takes findings in as hidden dangers.
    """

    def __init__(
        self,
        writing: Engine,
        reader: Engine,
        clock: Clock,
        where: Where,
        risks: Risks,
        tasks: CheckTasks,
        reporting: Reporting,
    ) -> None:
        self._writing = writing
        self._reader = reader
        self._clock = clock
        self._where = where
        self._risks = risks
        self._tasks = tasks
        self._reporting = reporting

    @property
    def rules(self) -> RiskRules:
        """Return the figures that hold."""
        return self._risks.rules

    def record(self, draft: CheckDraft, scope: Scope, by: By) -> CheckRecord:
        """Keep that something was checked; what was found becomes a hidden danger.

        Raises:
            BadRequestError: Something named does not exist (or may not be seen), or the time is none.
            ConflictError: The key was used for another check.
        """
        name = _name_of(by.account, draft.key)
        if (before := self._before(name, draft)) is not None:
            return before
        now_ms = self._clock.wall_ms()
        if draft.done_ms > now_ms + self.rules.at(now_ms).ahead_ms:
            raise BadRequestError(f"done_ms: {draft.done_ms} is in the future, it is {now_ms}（完成时间晚于当前时间）")
        task, made = self._made(name, draft, scope, by, now_ms)
        if made.result is Outcome.FINDING:
            # Before the record: told again after a crash in between, the same key gives the same danger.
            made = replace(made, danger_id=self._report(made, draft, scope, by))
        try:
            with using(self._writing, "keeping a check") as connection:
                connection.execute(insert(check_record), asdict(made))
                if task is not None:
                    done(connection, task, made.done_ms)
                detail = {"task": made.task_id, "risk": made.risk_id, "result": made.result.value, "gap": made.gap}
                audit.append(connection, [Entry(now_ms, by.account, by.origin, "check.do", name, detail=detail)])
        except IntegrityError:
            if (before := self._before(name, draft)) is not None:
                return before
            raise ConflictError("key: it was used for another check") from None
        return made

    def get(self, record_id: str, scope: Scope) -> CheckRecord:
        """Return a record.

        Raises:
            NotFoundError: There is none that may be seen.
        """
        with using(self._reader, "reading what was checked") as connection:
            asked = select(check_record).where(_r.id == record_id, _seen(scope))
            row = connection.execute(asked).mappings().first()
        if row is None:
            raise NotFoundError(f"there is no record {record_id!r}（排查记录不存在）")
        return _record_from(row)

    def page(self, wanted: CheckFilter, scope: Scope, after: tuple[int, str] | None, limit: int) -> list[CheckRecord]:
        """Return what was checked, the newest first, behind a time and id."""
        asked = select(check_record).where(*wanted.clauses(), _seen(scope))
        if after is not None:
            done_ms, name = after
            asked = asked.where(or_(_r.done_ms < done_ms, and_(_r.done_ms == done_ms, _r.id < name)))
        asked = asked.order_by(_r.done_ms.desc(), _r.id.desc()).limit(limit)
        with using(self._reader, "reading what was checked") as connection:
            return [_record_from(row) for row in connection.execute(asked).mappings()]

    def _before(self, name: str, draft: CheckDraft) -> CheckRecord | None:
        """Return the record that the same account made of the same key before, whatever it may see today."""
        with using(self._reader, "reading what was checked") as connection:
            row = connection.execute(select(check_record).where(_r.id == name)).mappings().first()
        if row is None:
            return None
        if row["digest"] != draft.digest():
            raise ConflictError(f"key: it was used for another check, {name}（该编号已用于其他排查记录）")
        return _record_from(row)

    def _made(
        self, name: str, draft: CheckDraft, scope: Scope, by: By, now_ms: int
    ) -> tuple[CheckTask | None, CheckRecord]:
        task = None if not draft.task_id else _or_bad("task_id", self._tasks.get, draft.task_id, scope)
        risk_id = draft.risk_id or ("" if task is None else task.risk_id)
        behind = None if not risk_id else _or_bad("risk_id", self._risks.get, risk_id, scope)
        if task is not None and behind is not None and behind.id != task.risk_id:
            raise BadRequestError(f"risk_id: check {task.id} is of risk {task.risk_id}")
        spot = self._where.spot(Spot(vessel=draft.vessel, hazard_unit=draft.hazard_unit), scope)
        of = behind if behind is not None else spot
        if not of.enterprise:
            raise BadRequestError("hazard_unit: one of task_id, risk_id, vessel, hazard_unit is needed（须指明地点）")
        if behind is not None and spot.enterprise and spot.enterprise != behind.enterprise:
            raise BadRequestError(f"hazard_unit: risk {behind.id} is not there（风险不在此处）")
        same = ("done_ms", "result", "latitude_deg", "longitude_deg")
        return task, CheckRecord(
            id=name,
            enterprise=of.enterprise,
            district=of.district,
            hazard_unit=spot.hazard_unit or of.hazard_unit,
            vessel=spot.vessel or of.vessel,
            task_id=draft.task_id,
            risk_id=risk_id,
            **{field: getattr(draft, field) for field in same},
            received_ms=now_ms,
            by=by.account,
            text=storable(draft.text),
            gap=draft.result is Outcome.FINDING and not risk_id,
            gap_risk_id=None,
            danger_id="",
            digest=draft.digest(),
        )

    def _report(self, made: CheckRecord, draft: CheckDraft, scope: Scope, by: By) -> str:
        first = (made.text.strip().splitlines() or [""])[0]
        places = {name: getattr(made, name) for name in ("vessel", "hazard_unit") if getattr(made, name)}
        found = Found(
            title=first[:256] or "排查发现问题 finding of a check",
            source=Source.SELF_CHECK if made.task_id else Source.PATROL,
            text=made.text,
            **(places or {"enterprise": made.enterprise}),
            latitude_deg=draft.latitude_deg,
            longitude_deg=draft.longitude_deg,
            seen_ms=draft.done_ms,
            risk_id=made.risk_id,
            finding=made.id,
        )
        return self._reporting.report(found, scope, by, made.id).id


def _name_of(account: str, key: str) -> str:
    """Return the id of a record: nobody else's key is the same."""
    return f"CR{sha256(f'{account} {key}'.encode(errors='backslashreplace')).hexdigest()[:24].upper()}"


def _or_bad(field: str, get: Callable[[str, Scope], T], name: str, scope: Scope) -> T:
    """Return what a draft names, or say that the draft is wrong."""
    try:
        return get(name, scope)
    except NotFoundError as error:
        raise BadRequestError(f"{field}: {error}") from None


def _record_from(row: Mapping[Any, Any]) -> CheckRecord:
    typed = {"result": Outcome(row["result"])}
    return CheckRecord(**{one.name: row[one.name] for one in fields(CheckRecord)} | typed)


def _seen(scope: Scope) -> ColumnElement[bool]:
    return seen_by(scope, _r.enterprise, _r.district)
