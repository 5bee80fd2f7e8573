"""What people ask the pipeline to do: handed over from any thread, answered when it is durable."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, field
from typing import Any, Protocol

from gateway.errors import ConflictError, GatewayError, NotFoundError, OverloadError

__all__ = ["Acknowledge", "Asking", "Inbox", "Order"]

_WAITING = 100
"""Commands that may wait for the pipeline; it takes them all in each of its turns."""


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Somebody has seen an alarm."""

    alarm_id: str
    version: int
    """Of the alarm as it was seen."""
    by: str
    comment: str = ""


@dataclass(slots=True, eq=False)
class Order:
    """A command on its way; the pipeline says what came of it, and `settle` tells who waits."""

    command: Acknowledge
    outcome: dict[str, Any] | ConflictError | NotFoundError | None = None
    """The row of the alarm after it, or why not."""
    future: Future[dict[str, Any]] = field(default_factory=Future)
    id: str = ""
    """Of a command from another process, who looks for its answer in the records."""

    def settle(self) -> None:
        """Tell the outcome; what it says must be durable."""
        if isinstance(self.outcome, GatewayError):
            self.future.set_exception(self.outcome)
        elif self.outcome is not None:
            self.future.set_result(self.outcome)

    def answer(self) -> dict[str, Any]:
        """Return the outcome as the records keep it for another process (`gateway.records.desk.Answer`)."""
        match self.outcome:
            case NotFoundError():
                return {"not_found": str(self.outcome)}
            case ConflictError():
                return {"conflict": str(self.outcome)}
            case row:
                return {"row": row}

    def fail(self, error: GatewayError) -> None:
        """Tell that nothing came of it."""
        if not self.future.done():
            self.future.set_exception(error)


class Asking(Protocol):
    """Where HTTP hands commands over; `Inbox` is one, and the other process's end of it another."""

    def ask(self, command: Acknowledge, within_s: float) -> dict[str, Any]:
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

    def submit(self, command: Acknowledge) -> Order:
        """Hand a command over; the order's future has the row of the alarm once that is durable.

        Raises:
            OverloadError: Too many are waiting.
        """
        if len(self._waiting) >= _WAITING:
            raise OverloadError(f"{_WAITING} commands are waiting already; ask again")
        order = Order(command)
        self._waiting.append(order)
        self._wake()
        return order

    def ask(self, command: Acknowledge, within_s: float) -> dict[str, Any]:
        """Hand a command over and wait until it is durable; returns the row of the alarm after it.

        Raises:
            NotFoundError: There is no such alarm.
            ConflictError: It is not as the command supposes.
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
