"""Months that are over: their KPIs are computed once and never again, so that a figure once reported stays what it was.

A month is that of the local time of the site. It is frozen a day after its end: by then late samples have come and
alarms of its last shift have been handled.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final

import msgspec
import structlog
from sqlalchemy import Connection, Engine, func, insert, select
from sqlalchemy.exc import DBAPIError, IntegrityError

from alerting.rates import DAY_MS
from config.clock import Clock
from config.days import CHINA
from gateway.errors import BadRequestError, RecordsError
from gateway.kpi.compute import Kpis
from gateway.records import audit
from gateway.records.dialects import meaning_of
from gateway.records.monthly import kpi_month
from gateway.records.schema import alarm

__all__ = ["Freezer", "MonthReport", "Months", "month_of", "span_of"]

_MONTH: Final = re.compile("(19[7-9][0-9]|2[0-9]{3})-(0[1-9]|1[0-2])")
_GRACE_MS: Final = DAY_MS
_FIRST_LOOK_S: Final = 60.0
_LOOK_EVERY_S: Final = 900.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class MonthReport:
    """The KPIs of a month."""

    month: str
    from_ms: int
    to_ms: int
    provisional: bool
    """It is not frozen: its figures may still change."""
    definitions: str
    """Digest of the definitions it was made by."""
    made_ms: int
    hashes: Mapping[str, str]
    """Of a frozen month: desk -> hash."""
    intact: bool
    """The hashes fit."""
    desks: tuple[Mapping[str, Any], ...]
    """`gateway.kpi.compute.DeskReport`, as it was kept."""


def span_of(month: str) -> tuple[int, int]:
    """Return beginning and end of a month ``yyyy-mm``, UTC milliseconds.

    Raises:
        BadRequestError: It is no month.
    """
    if not _MONTH.fullmatch(month):
        raise BadRequestError(f"month {month!r}: yyyy-mm is allowed, such as 2026-11")
    begin = datetime.strptime(month, "%Y-%m").replace(tzinfo=CHINA)
    end = (begin + timedelta(days=31)).replace(day=1)
    return _ms(begin), _ms(end)


def month_of(at_ms: int) -> str:
    """Return the month of a moment."""
    return (datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(CHINA)).strftime("%Y-%m")


class Months:
    """Reads frozen months, and computes those that are not.

    Args:
        kpis: Computes.
    """

    def __init__(self, kpis: Kpis) -> None:
        self._kpis = kpis

    def report(self, month: str, now_ms: int) -> MonthReport:
        """Return a month: frozen when it is, else as it is now.

        Args:
            month: ``yyyy-mm``.
            now_ms: Gateway clock.

        Raises:
            BadRequestError: It is no month, or in the future.
            RecordsError: The records cannot be read.
        """
        from_ms, to_ms = span_of(month)
        if from_ms > now_ms:
            raise BadRequestError(f"month {month}: has not begun; {month_of(now_ms)} is the latest")
        with _connected(self._kpis.engine) as connection:
            query = select(kpi_month).where(kpi_month.c.month == month).order_by(kpi_month.c.desk)
            rows = [dict(row) for row in connection.execute(query).mappings()]
        rows.sort(key=lambda row: row["desk"] != self._kpis.desks.default)
        if not rows:
            return self.compute(month, now_ms)
        return MonthReport(
            month=month,
            from_ms=from_ms,
            to_ms=to_ms,
            provisional=False,
            definitions=rows[0]["definitions"],
            made_ms=rows[0]["made_ms"],
            hashes={row["desk"]: row["hash"] for row in rows},
            intact=all(_hash(row) == row["hash"] for row in rows),
            desks=tuple(msgspec.json.decode(row["payload"]) for row in rows),
        )

    def compute(self, month: str, now_ms: int) -> MonthReport:
        """Return a month as it is now."""
        from_ms, to_ms = span_of(month)
        found = self._kpis.report(from_ms, to_ms, now_ms)
        desks = tuple(asdict(one) for one in found.desks)
        return MonthReport(month, from_ms, to_ms, True, found.definitions, now_ms, {}, True, desks)  # noqa: FBT003 - as named above


class Freezer:
    """Freezes months, in a thread of its own.

    Args:
        months: Computes them.
        reading: To see what is frozen already.
        writing: To write; takes no lock for longer than a row.
        clock: Wall.
    """

    def __init__(self, months: Months, reading: Engine, writing: Engine, clock: Clock) -> None:
        self._months = months
        self._reading = reading
        self._writing = writing
        self._clock = clock

    def run(self, stop: threading.Event) -> None:
        """Look every now and then until ``stop`` is set; not at once, when everything else begins."""
        stop.wait(_FIRST_LOOK_S)
        while not stop.is_set():
            try:
                for month in self.due():
                    self.freeze(month)
                    if stop.is_set():
                        return
            except RecordsError as error:
                log.warning("months_not_frozen", error=str(error))
            stop.wait(_LOOK_EVERY_S)

    def due(self) -> list[str]:
        """Return the months that are over and not frozen, oldest first, from that of the first alarm on."""
        with _connected(self._reading) as connection:
            first: int | None = connection.scalar(select(func.min(alarm.c.received_ms)))
            frozen = set(connection.scalars(select(kpi_month.c.month)))
        over: list[str] = []
        end_ms = self._clock.wall_ms() if first is None else first
        while True:
            month = month_of(end_ms)
            end_ms = span_of(month)[1]
            if end_ms + _GRACE_MS > self._clock.wall_ms():
                return [one for one in over if one not in frozen]
            over.append(month)

    def freeze(self, month: str) -> bool:
        """Write a month down for good; says whether it was this call that did."""
        now_ms = self._clock.wall_ms()
        made = self._months.compute(month, now_ms)
        rows = [_row(month, one, made.definitions, now_ms) for one in made.desks]
        hashes = {row["desk"]: row["hash"] for row in rows}
        try:
            with _connected(self._writing) as connection, connection.begin():
                if connection.scalar(select(func.count()).where(kpi_month.c.month == month)):
                    return False
                connection.execute(insert(kpi_month), rows)
                entry = audit.Entry(now_ms, "system", "gateway", "kpi.month.frozen", month, detail=hashes)
                audit.append(connection, [entry])
        except IntegrityError:  # another process was quicker
            return False
        log.info("month_frozen", month=month, **hashes)
        return True


def _row(month: str, desk: Mapping[str, Any], definitions: str, made_ms: int) -> dict[str, Any]:
    payload = msgspec.json.encode(desk, order="sorted").decode()
    row = {"month": month, "desk": desk["desk"], "definitions": definitions, "payload": payload, "made_ms": made_ms}
    return {**row, "hash": _hash(row)}


def _hash(row: Mapping[str, Any]) -> str:
    covered = [row[name] for name in ("month", "desk", "definitions", "payload", "made_ms")]
    return sha256(msgspec.json.encode(covered)).hexdigest()


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


@contextmanager
def _connected(engine: Engine) -> Iterator[Connection]:
    try:
        with engine.connect() as connection:
            yield connection
    except IntegrityError:
        raise
    except DBAPIError as error:
        raise meaning_of(error)(f"frozen months: {error.orig}") from error
