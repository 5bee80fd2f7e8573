"""Imports in their order: a file is kept, then taken in where the pipeline runs; anywhere one asks how far it is."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

import msgspec
import structlog
from sqlalchemy import Connection, Engine, delete, func, insert, select, update

from config.clock import Clock
from config.plant.model import Text
from gateway.access.roles import Scope
from gateway.commands import By
from gateway.errors import BadRequestError, ConflictError, NotFoundError, OverloadError, RecordsError
from gateway.records.dialects import storable
from gateway.records.registry_tables import registry_import
from gateway.records.transaction import using
from gateway.registry.importing import File, Importing, Outcome
from gateway.registry.reading import MOST_BYTES, is_workbook

__all__ = ["ENDED", "STAGES", "STAGE_NAMES", "Event", "Imports", "Order", "Progress", "Stage"]


class Stage(StrEnum):
    """Where an import is."""

    WAITING = "waiting"
    READING = "reading"
    CHECKING = "checking"
    WRITING = "writing"
    WRITTEN = "written"
    """All of it."""
    FINE = "fine"
    """Nothing is wrong, and there was nothing to write, or it was not to be."""
    REFUSED = "refused"
    """Something is wrong; nothing was written."""
    FAILED = "failed"
    """Something happened meanwhile; nothing was written."""


class Event(StrEnum):
    """What happens to one."""

    BEGIN = "begin"
    CHECK = "check"
    WRITE = "write"
    FINISH = "finish"
    FIND_GOOD = "find_good"
    FIND_BAD = "find_bad"
    FAIL = "fail"


ENDED: Final = frozenset({Stage.WRITTEN, Stage.FINE, Stage.REFUSED, Stage.FAILED})

STAGES: Mapping[tuple[Stage, Event], Stage] = MappingProxyType(
    {
        (Stage.WAITING, Event.BEGIN): Stage.READING,
        (Stage.READING, Event.BEGIN): Stage.READING,
        (Stage.CHECKING, Event.BEGIN): Stage.READING,
        (Stage.WRITING, Event.BEGIN): Stage.READING,
        (Stage.READING, Event.CHECK): Stage.CHECKING,
        (Stage.CHECKING, Event.WRITE): Stage.WRITING,
        (Stage.CHECKING, Event.FIND_GOOD): Stage.FINE,
        (Stage.CHECKING, Event.FIND_BAD): Stage.REFUSED,
        (Stage.WRITING, Event.FINISH): Stage.WRITTEN,
        (Stage.READING, Event.FAIL): Stage.FAILED,
        (Stage.CHECKING, Event.FAIL): Stage.FAILED,
        (Stage.WRITING, Event.FAIL): Stage.FAILED,
    }
)
"""(stage, event) -> stage; what is not here does not happen. One that the gateway was stopped in begins again."""

STAGE_NAMES: Mapping[Stage, Text] = MappingProxyType(
    {
        Stage.WAITING: Text("排队", "waiting"),
        Stage.READING: Text("读取", "reading"),
        Stage.CHECKING: Text("校验", "checking"),
        Stage.WRITING: Text("写入", "writing"),
        Stage.WRITTEN: Text("已写入", "written"),
        Stage.FINE: Text("无误，未写入", "fine, nothing written"),
        Stage.REFUSED: Text("有错误，未写入", "refused, nothing written"),
        Stage.FAILED: Text("失败，未写入", "failed, nothing written"),
    }
)

_WAITING: Final = 10
"""Imports that may wait."""
_KEPT_MS: Final = 30 * 86_400_000
_LOOK_EVERY_S: Final = 0.5
_AGAIN_S: Final = 5.0
_TELL_EVERY_S: Final = 0.5

log = structlog.get_logger(__name__)
row = registry_import.c


@dataclass(frozen=True, slots=True)
class Order:
    """How a file is to be taken in.

    Args:
        kind: Of a table; empty: a workbook says it itself.
        dry_run: Nothing is written.
        why: In the words of who asks.
    """

    kind: str
    dry_run: bool
    why: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an import is."""

    id: str
    at_ms: int
    by: str
    dry_run: bool
    why: str
    stage: str
    done: int
    rows: int
    ended_ms: int | None
    outcome: Mapping[str, Any] | None
    """`gateway.registry.importing.Outcome`, or why it failed (``error``); None: not ended."""


class Imports:
    """Keeps files and takes them in, one after the other.

    Args:
        writing: For short transactions beside the pipeline.
        reader: Cannot write.
        importing: Takes one in.
        clock: Wall and monotonic.
    """

    def __init__(self, writing: Engine, reader: Engine, importing: Importing, clock: Clock) -> None:
        self._writing = writing
        self._reader = reader
        self._importing = importing
        self._clock = clock

    def submit(self, content: bytes, order: Order, scope: Scope, by: By) -> str:
        """Keep a file to be taken in; returns the id of the import.

        Raises:
            BadRequestError: It is empty, too long, or a table of an unknown kind.
            OverloadError: Too many wait.
        """
        if not 0 < len(content) <= MOST_BYTES:
            raise BadRequestError(f"{len(content)} bytes: expected 1 to {MOST_BYTES}（文件大小不符）")
        if not order.kind and not is_workbook(content):
            raise BadRequestError("not a workbook (xlsx); of a table (CSV) say its kind（请用 kind 指明 CSV 的种类）")
        now_ms, name = self._clock.wall_ms(), secrets.token_hex(16)
        limits = {"enterprises": sorted(scope.enterprises), "districts": sorted(scope.districts | scope.below)}
        made = {
            "id": name,
            "at_ms": now_ms,
            "by": storable(by.account)[:128],
            "origin": storable(by.origin)[:128],
            "scope": msgspec.json.encode(limits).decode(),
            "kind": order.kind,
            "dry_run": order.dry_run,
            "why": storable(order.why),
            "stage": "waiting",
            "done": 0,
            "rows": 0,
            "outcome": "",
            "ended_ms": None,
            "content": content,
        }
        with using(self._writing, "keeping an import") as connection:
            connection.execute(delete(registry_import).where(row.ended_ms < now_ms - _KEPT_MS))
            waiting = connection.scalar(select(func.count()).where(row.stage.not_in(ENDED)))
            if (waiting or 0) >= _WAITING:
                raise OverloadError(f"{waiting} imports are waiting already; try again（导入排队已满）")
            connection.execute(insert(registry_import), [made])
        return name

    def get(self, name: str, by: str | None) -> Progress:
        """Return how far an import is.

        Args:
            name: Its id.
            by: Who asks, when only one's own may be seen; None: all.

        Raises:
            NotFoundError: There is none that may be seen.
        """
        asked = select(*(one for one in registry_import.c if one.name != "content")).where(row.id == name)
        if by is not None:
            asked = asked.where(row.by == by)
        with using(self._reader, "reading imports") as connection:
            found = connection.execute(asked).first()
        if found is None:
            raise NotFoundError(f"there is no import {name}（不存在）")
        outcome = msgspec.json.decode(found.outcome) if found.outcome else None
        same = ("id", "at_ms", "by", "dry_run", "why", "stage", "done", "rows", "ended_ms")
        return Progress(**{key: getattr(found, key) for key in same}, outcome=outcome)

    def run(self, stop: threading.Event) -> None:
        """Take in what comes until ``stop`` is set."""
        while not stop.is_set():
            try:
                worked = self.turn()
            except RecordsError as error:
                log.warning("import_interrupted", error=str(error))
                stop.wait(_AGAIN_S)
            else:
                if not worked:
                    stop.wait(_LOOK_EVERY_S)

    def turn(self) -> bool:
        """Take in the oldest file that waits; says whether there was one.

        Raises:
            RecordsError: The records cannot be used; the next turn begins it again.
        """
        asked = select(registry_import).where(row.stage.not_in(ENDED)).order_by(row.at_ms, row.id).limit(1)
        with using(self._reader, "reading imports") as connection:
            found = connection.execute(asked).first()
        if found is None:
            return False
        limits = msgspec.json.decode(found.scope)
        file = File(
            id=found.id,
            tables=[(bytes(found.content), found.kind)],
            scope=Scope(frozenset(limits["enterprises"]), frozenset(limits["districts"])),
            by=By(found.by, found.origin),
            why=found.why,
            dry_run=found.dry_run,
        )
        _Telling(self._writing, self._clock, found.id, found.stage).take(self._importing, file)
        return True


class _Telling:
    """Writes down how far one import is; not for every row."""

    def __init__(self, writing: Engine, clock: Clock, name: str, stage: str) -> None:
        self._writing = writing
        self._clock = clock
        self._name = name
        self._told_s = 0.0
        self._stage = STAGES[Stage(stage), Event.BEGIN]
        self._tell(done=0, rows=0, outcome="")

    def take(self, importing: Importing, file: File) -> None:
        try:
            outcome = importing.take(file, self._say, self._written)
        except ConflictError as error:
            self._end(Event.FAIL, {"error": str(error)})
        except RecordsError:
            raise
        except Exception as error:
            # A file that nobody foresaw must not end the gateway, nor do it again at every start.
            log.exception("import_failed", id=self._name)
            self._end(
                Event.FAIL, {"error": f"{type(error).__name__}: the log of the gateway says why（内部错误，见日志）"}
            )
        else:
            if self._stage not in ENDED:
                self._end(Event.FIND_BAD if outcome.faults else Event.FIND_GOOD, outcome.plain())
        log.info("import_ended", id=self._name, stage=self._stage)

    def _say(self, stage: str, done: int, rows: int) -> None:
        begun = self._stage != stage
        if begun:
            self._stage = STAGES[self._stage, Event.CHECK if stage == Stage.CHECKING else Event.WRITE]
        if begun or self._clock.monotonic_s() - self._told_s >= _TELL_EVERY_S:
            self._told_s = self._clock.monotonic_s()
            self._tell(done=done, rows=rows)

    def _tell(self, **changes: object) -> None:
        with using(self._writing, "telling of an import") as connection:
            self._put(connection, changes)

    def _end(self, event: Event, outcome: Mapping[str, Any]) -> None:
        with using(self._writing, "ending an import") as connection:
            self._finish(connection, event, outcome)

    def _written(self, outcome: Outcome, connection: Connection) -> None:
        """Say so in the transaction that writes the records: there is no moment at which one is true alone."""
        self._finish(connection, Event.FINISH, outcome.plain())

    def _finish(self, connection: Connection, event: Event, outcome: Mapping[str, Any]) -> None:
        self._stage = STAGES[self._stage, event]
        told = storable(msgspec.json.encode(outcome).decode())
        self._put(connection, {"outcome": told, "ended_ms": self._clock.wall_ms(), "content": None})

    def _put(self, connection: Connection, changes: Mapping[str, object]) -> None:
        connection.execute(update(registry_import).where(row.id == self._name).values(stage=self._stage, **changes))
