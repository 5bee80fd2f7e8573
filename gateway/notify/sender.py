"""One channel at work: a thread of its own, so that a slow channel delays no other."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count

import structlog

from config.clock import Clock
from config.duty.model import Duty
from gateway.notify.letters import Letter, message_of, recipients_of
from gateway.notify.port import Channel, ChannelError, Delivery, Receipt

__all__ = ["Result", "Sender"]

WITHIN_S = 4.0
"""One attempt may take so long: less than the gateway waits for its threads when it ends."""
_HEARTBEAT_S = 2.0
_LOOK_S = 0.5
"""So often it is seen that the gateway ends."""
_LONGEST_DELAY_S = 60.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Result:
    """What became of an attempt."""

    letter: Letter
    state: Delivery
    """QUEUED: it is tried again."""
    tries: int
    next_try_ms: int
    at_ms: int
    error: str = ""
    reference: str = ""


class Sender:
    """Sends what it is given, worst tier first, and tries again until the deadline. `put` may be called by any thread.

    Args:
        name: Of the channel.
        channel: Used by this one alone.
        duty: Says who people are.
        clock: Wall and monotonic.
        report: Told what became of every attempt; returns at once.
    """

    def __init__(self, name: str, channel: Channel, duty: Duty, clock: Clock, report: Callable[[Result], None]) -> None:
        self.name = name
        self._channel = channel
        self._duty = duty
        self._clock = clock
        self._report = report
        self._changed = threading.Condition()
        self._waiting: list[tuple[int, int, Letter]] = []
        """By the time of the next attempt."""
        self._ready: list[tuple[int, int, Letter]] = []
        """By tier."""
        self._number = count()
        self._beat_s = -_HEARTBEAT_S
        self.heartbeat_error = ""
        """Why the last heartbeat failed; empty: it did not, or the channel has none."""

    def put(self, letter: Letter) -> None:
        """Take a letter to be sent when its time has come."""
        with self._changed:
            heapq.heappush(self._waiting, (letter.next_try_ms, next(self._number), letter))
            self._changed.notify()

    def run(self, stop: threading.Event) -> None:
        """Send until ``stop`` is set."""
        try:
            while not stop.is_set():
                self.beat()
                if not self.turn():
                    with self._changed:
                        self._changed.wait(self._wait_s())
        finally:
            self._channel.close()

    def turn(self) -> bool:
        """Send the next letter whose time has come; False when there is none."""
        letter = self._next()
        if letter is None:
            return False
        result = self._attempt(letter)
        if result.state is Delivery.QUEUED:
            with self._changed:
                self._put_back(letter, result)
        self._report(result)
        return True

    def beat(self) -> None:
        """Send a heartbeat where the channel has one, and it is time."""
        heartbeat = getattr(self._channel, "heartbeat", None)
        now_s = self._clock.monotonic_s()
        if heartbeat is None or now_s - self._beat_s < _HEARTBEAT_S:
            return
        self._beat_s = now_s
        try:
            heartbeat()
            self.heartbeat_error = ""
        except ChannelError as error:
            self.heartbeat_error = str(error)
        except Exception as error:
            log.exception("heartbeat_failed", channel=self.name)
            self.heartbeat_error = repr(error)

    def _next(self) -> Letter | None:
        now_ms = self._clock.wall_ms()
        with self._changed:
            while self._waiting and self._waiting[0][0] <= now_ms:
                _, number, letter = heapq.heappop(self._waiting)
                heapq.heappush(self._ready, (letter.tier or 5, number, letter))
            return heapq.heappop(self._ready)[2] if self._ready else None

    def _wait_s(self) -> float:
        if self._ready:
            return 0.0
        if not self._waiting:
            return _LOOK_S
        return min(max((self._waiting[0][0] - self._clock.wall_ms()) / 1000, 0.0), _LOOK_S)

    def _put_back(self, letter: Letter, result: Result) -> None:
        again = _again(letter, result)
        heapq.heappush(self._waiting, (again.next_try_ms, next(self._number), again))

    def _attempt(self, letter: Letter) -> Result:
        tries = letter.tries + 1
        try:
            receipt = self._channel.send(message_of(letter), recipients_of(letter, self._duty), WITHIN_S)
        except ChannelError as error:
            return self._failed(letter, str(error), error.after_s, retry=error.retry)
        except Exception as error:
            # A channel is a plug-in: whatever it does, the others and the gateway go on.
            log.exception("channel_failed", channel=self.name)
            return self._failed(letter, repr(error), 0.0, retry=True)
        return _sent(letter, receipt, tries, self._clock.wall_ms())

    def _failed(self, letter: Letter, why: str, after_s: float, *, retry: bool) -> Result:
        tries, now_ms = letter.tries + 1, self._clock.wall_ms()
        next_try_ms = now_ms + round(max(after_s, min(2.0 ** (tries - 1), _LONGEST_DELAY_S)) * 1000)
        again = retry and next_try_ms <= letter.deadline_ms
        state = Delivery.QUEUED if again else Delivery.FAILED
        log.warning("not_sent", channel=self.name, key=letter.key, state=state.value, tries=tries, error=why)
        return Result(letter, state, tries, next_try_ms, now_ms, error=why)


def _sent(letter: Letter, receipt: Receipt, tries: int, now_ms: int) -> Result:
    return Result(letter, receipt.delivery, tries, letter.next_try_ms, now_ms, reference=receipt.reference)


def _again(letter: Letter, result: Result) -> Letter:
    return replace(letter, tries=result.tries, next_try_ms=result.next_try_ms)
