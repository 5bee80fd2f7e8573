"""What people ask for in one process and the pipeline does in another: handed over through the records."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import msgspec
from sqlalchemy import Engine, delete, insert, select
from sqlalchemy.exc import DBAPIError

from config.clock import Clock
from gateway.commands import Command, Outcome
from gateway.errors import ConflictError, NotFoundError, OverloadError
from gateway.records.dialects import meaning_of
from gateway.records.schema import command

__all__ = ["Answer", "Desk"]

_LOOK_EVERY_S = 0.05


class Answer(msgspec.Struct, frozen=True):
    """What came of one part of a command: the row after it, or why not."""

    row: dict[str, Any] | None = None
    not_found: str = ""
    conflict: str = ""


class Desk:
    """The other end of `gateway.commands.Inbox`, in a process without a pipeline. Any thread may ask.

    Args:
        engine: May write, takes no lock.
        clock: Wall and monotonic.
    """

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._pause = threading.Event()

    def ask(self, wanted: Command, within_s: float) -> Sequence[Outcome]:
        """Hand a command over and wait until it is durable; returns what came of each of its parts.

        Raises:
            OverloadError: There was no answer in time; asking again is harmless.
            RecordsError: It could not be handed over.
        """
        name = uuid4().hex
        payload = msgspec.json.encode(wanted).decode()
        try:
            with self._engine.begin() as connection:
                row = {"id": name, "created_ms": self._clock.wall_ms(), "payload": payload}
                connection.execute(insert(command), row)
            answers = self._wait(name, self._clock.monotonic_s() + within_s)
        except DBAPIError as error:
            raise meaning_of(error)(f"handing a command over: {error.orig}") from error
        return [_outcome(one) for one in answers]

    def _wait(self, name: str, deadline_s: float) -> list[Answer]:
        while self._clock.monotonic_s() < deadline_s:
            with self._engine.begin() as connection:
                outcome = connection.scalar(select(command.c.outcome).where(command.c.id == name))
            if outcome is not None:
                return msgspec.json.decode(outcome, type=list[Answer])
            self._pause.wait(_LOOK_EVERY_S)
        with self._engine.begin() as connection:  # if it was not taken yet, it never will be
            connection.execute(delete(command).where(command.c.id == name, command.c.outcome.is_(None)))
        raise OverloadError("no answer from the worker in time; ask again")


def _outcome(answer: Answer) -> Outcome:
    if answer.not_found:
        return NotFoundError(answer.not_found)
    return ConflictError(answer.conflict) if answer.conflict else answer.row or {}
