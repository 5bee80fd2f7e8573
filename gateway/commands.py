"""What people ask the pipeline to do: handed over from any thread, answered when it is durable."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import Any, Protocol

import msgspec

from gateway.errors import ConflictError, GatewayError, NotFoundError, OverloadError
from gateway.lifecycle import LifeEvent

__all__ = ["Act", "Acts", "Asking", "By", "Command", "Inbox", "Inhibit", "Order", "Outcome", "Release", "Verb"]

_WAITING = 100
"""Commands that may wait for the pipeline; it takes them all in each of its turns."""


class Verb(StrEnum):
    """What can be done with one alarm."""

    ACKNOWLEDGE = "acknowledge"
    UNACKNOWLEDGE = "unacknowledge"
    RESET = "reset"
    COMMENT = "comment"
    ASSIGN = "assign"
    ARRIVE = "arrive"
    VERIFY = "verify"
    MEASURE = "measure"
    CLOSE = "close"


class By(msgspec.Struct, frozen=True):
    """Who asks, and from where."""

    account: str
    origin: str = ""
    """Network address, ``cli``, ``gateway``."""


class Act(msgspec.Struct, frozen=True):
    """One thing to be done with one alarm."""

    verb: Verb
    alarm_id: str
    version: int
    """Of the alarm as it was seen; a comment need not care and has 0."""
    comment: str = ""
    assignee: str = ""
    """Of ASSIGN."""
    verdict: str = ""
    """Of VERIFY: a `gateway.handling.Verdict`."""
    attachments: tuple[str, ...] = ()
    """Photos and papers, by their id."""

    def detail(self) -> dict[str, Any]:
        """Return what is said beside the verb, as the records keep it."""
        said = {"comment": self.comment, "assignee": self.assignee, "verdict": self.verdict}
        found: dict[str, Any] = {name: one for name, one in said.items() if one}
        return found | ({"attachments": list(self.attachments)} if self.attachments else {})


class Acts(msgspec.Struct, frozen=True, tag="acts"):
    """Something to be done with one alarm or with many, each by itself."""

    acts: tuple[Act, ...]
    by: By
    key: str = ""
    """Idempotency key; empty: the same words by the same person are the same thing."""

    def key_of(self, act: Act) -> str:
        """Return the name under which an act is known to have been done."""
        if self.key:
            return sha256(f"{self.key}\n{act.alarm_id}".encode()).hexdigest()
        return sha256(msgspec.json.encode((self.by.account, act))).hexdigest()


class Inhibit(msgspec.Struct, frozen=True, tag="inhibit"):
    """Points of one tag are not to be told for a time."""

    event: LifeEvent
    """SHELVE, SUPPRESS or REMOVE."""
    tag: str
    conditions: tuple[str, ...]
    until_ms: int
    reason: str
    by: By
    permit: str = ""
    """Work permit; REMOVE only."""
    rule: str = ""
    """Of the plant file; SUPPRESS only."""
    key: str = ""
    """Idempotency key; empty: the same words by the same person are the same thing."""

    def name_of(self, condition: str) -> str:
        """Return the name of the inhibition of one condition: the same every time the same thing is asked for."""
        words = (self.by.account, self.key) if self.key else (self,)
        return sha256(msgspec.json.encode((*words, self.tag, condition))).hexdigest()[:32]


class Release(msgspec.Struct, frozen=True, tag="release"):
    """A point is to be told again before its time."""

    inhibition: str
    by: By
    reason: str = ""


Command = Acts | Inhibit | Release
Outcome = dict[str, Any] | ConflictError | NotFoundError
"""The row after it (of the alarm, of the inhibition), or why not."""


@dataclass(slots=True, eq=False)
class Order:
    """A command on its way; the pipeline says what came of it, and `settle` tells who waits."""

    command: Command
    outcomes: list[Outcome] = field(default_factory=list)
    """One for each act or condition, in order."""
    future: Future[list[Outcome]] = field(default_factory=Future)
    id: str = ""
    """Of a command from another process, who looks for its answer in the records."""

    def settle(self) -> None:
        """Tell the outcomes; what they say must be durable."""
        self.future.set_result(self.outcomes)

    def answer(self) -> list[dict[str, Any]]:
        """Return the outcomes as the records keep them for another process (`gateway.records.desk.Answer`)."""
        return [_plain(one) for one in self.outcomes]

    def fail(self, error: GatewayError) -> None:
        """Tell that nothing came of it."""
        if not self.future.done():
            self.future.set_exception(error)


def _plain(outcome: Outcome) -> dict[str, Any]:
    match outcome:
        case NotFoundError():
            return {"not_found": str(outcome)}
        case ConflictError():
            return {"conflict": str(outcome)}
        case row:
            return {"row": row}


class Asking(Protocol):
    """Where HTTP hands commands over; `Inbox` is one, and the other process's end of it another."""

    def ask(self, command: Command, within_s: float) -> Sequence[Outcome]:
        """See `Inbox.ask`."""
        ...


class Inbox:
    """Commands for the pipeline, from any thread.

    Args:
        wake: Makes the pipeline look; may be called from any thread.
    """

    def __init__(self, wake: Callable[[], None] = lambda: None) -> None:
        self._wake = wake
        self._waiting: deque[Order] = deque()
        self._taken: list[Order] = []

    def submit(self, command: Command) -> Order:
        """Hand a command over; the order's future has the outcomes once they are durable.

        Raises:
            OverloadError: Too many are waiting.
        """
        if len(self._waiting) >= _WAITING:
            raise OverloadError(f"{_WAITING} commands are waiting already; ask again")
        order = Order(command)
        self._waiting.append(order)
        self._wake()
        return order

    def ask(self, command: Command, within_s: float) -> Sequence[Outcome]:
        """Hand a command over and wait until it is durable; returns what came of each of its parts.

        Raises:
            OverloadError: Too many are waiting, or there was no answer in time; asking again is harmless.
            RecordsError: It could not be kept.
        """
        order = self.submit(command)
        try:
            return order.future.result(within_s)
        except FutureTimeoutError:
            order.future.cancel()  # if it was not taken yet, it never will be
            raise OverloadError(f"no answer from the pipeline within {within_s:g} s; ask again") from None
        except CancelledError:
            raise OverloadError("the gateway is stopping") from None

    def take(self) -> list[Order]:
        """Return what waits, in order; for the pipeline, which settles or fails each."""
        self._taken = []
        while self._waiting:
            order = self._waiting.popleft()
            if order.future.set_running_or_notify_cancel():
                self._taken.append(order)
        return self._taken

    def fail_taken(self, error: GatewayError) -> None:
        """Tell everybody whose command was taken and not answered that it failed."""
        for order in self._taken:
            order.fail(error)
        self._taken = []
