"""Tells people of alarms: follows the events, takes the steps of the ladders, hands letters to the channels.

The order makes sure that nothing is lost: letters are committed together with how far the events were followed, then
sent, then marked. Whoever is killed on the way sends the same letter with the same key again.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence

import structlog

from config.clock import Clock
from config.duty.model import Duty
from config.plant.model import Plant
from gateway.errors import RecordsError
from gateway.live import Hub
from gateway.notify.letters import Letter
from gateway.notify.outbox import Batch, Outbox
from gateway.notify.port import Channel, Delivery, Kind
from gateway.notify.selftest import day_of, tests_of
from gateway.notify.sender import Result, Sender
from gateway.notify.telling import Telling
from gateway.records.queries import Queries
from gateway.system import Finding

__all__ = ["Notifier"]

_EVENTS = 1_000
_LOOK_S = 1.0
"""So often the events are looked at when nobody calls."""
_STUCK_S = 30.0
_FAILED_MS = 600_000
"""A message that did not arrive is a trouble for so long."""
_KEEP_MS = 180 * 86_400_000
_TRIM_EVERY_S = 86_400.0

log = structlog.get_logger(__name__)


class Notifier:
    """One thread that decides, and one for each channel. `wake` and `findings` may be called by any thread.

    Args:
        plant: Describes tags.
        duty: Who is told what, when, over what.
        channels: Name -> channel, for every name that ``duty`` uses.
        outbox: Its records.
        queries: To follow the events.
        clock: Wall and monotonic.
        base_url: Of the gateway's pages; empty: not known.
    """

    def __init__(
        self,
        plant: Plant,
        duty: Duty,
        channels: Mapping[str, Channel],
        outbox: Outbox,
        queries: Queries,
        clock: Clock,
        base_url: str = "",
    ) -> None:
        self._plant = plant
        self._duty = duty
        self._outbox = outbox
        self._queries = queries
        self._clock = clock
        self._base_url = base_url
        self.senders = {name: Sender(name, one, duty, clock, self._hear) for name, one in channels.items()}
        self._woken = threading.Event()
        self._results: deque[Result] = deque()
        self._telling: Telling | None = None
        self._event_id = 0
        self._with_sender: set[str] = set()
        """Keys of letters that a sender has: after a failed commit they are not handed over again."""
        self._tested = ""
        self._tests: dict[str, tuple[Delivery, int]] = {}
        self._last_failure: tuple[int, str] | None = None
        self._turned_s = clock.monotonic_s()
        self._trimmed_s = float("-inf")

    def threads(self) -> dict[str, Callable[[threading.Event], None]]:
        """Return what is to be run, by name of the thread; all end soon after their event is set."""
        return {"notifier": self.run, **{f"notify {name}": sender.run for name, sender in self.senders.items()}}

    def follow(self, hub: Hub) -> Callable[[], None]:
        """Let alarm notices wake this one; returns what ends that."""
        return hub.listen(lambda _: self.wake())

    def wake(self) -> None:
        """Let it look at once."""
        self._woken.set()

    def run(self, stop: threading.Event) -> None:
        """Tell until ``stop`` is set."""
        while not stop.is_set():
            self._woken.clear()
            try:
                wait_s = self.turn()
            except RecordsError as error:
                log.error("notifications_not_kept", error=str(error))
                self._telling = None  # what was not kept is decided again from what was
                stop.wait(_LOOK_S)
            else:
                self._woken.wait(wait_s)

    def turn(self) -> float:
        """Take what is new, decide, keep it, hand it over; returns after how many seconds to look again.

        Raises:
            RecordsError: Nothing of this turn was kept, and nothing sent.
        """
        now_ms = self._clock.wall_ms()
        telling = self._telling or self._begin(now_ms)
        telling.swaps = self._outbox.swaps(now_ms)
        events = self._queries.events_after(self._event_id, _EVENTS)
        raised = {told.event["alarm_id"] for told in events if told.event["kind"] == "raised"}
        for alarm_id, row in {told.event["alarm_id"]: told.alarm for told in events}.items():
            telling.note(row, now_ms, raised=alarm_id in raised)
        telling.miss([told.alarm for told in events if told.event["kind"] == "overdue"], now_ms)
        results = list(self._results)
        for result in results:
            telling.settle(result.letter, result.state, now_ms)
        telling.tick(now_ms)
        self._test(telling, now_ms)
        event_id = events[-1].event["event_id"] if events else self._event_id
        self._keep(telling, event_id, results)
        self._turned_s = self._clock.monotonic_s()
        self._trim(now_ms)
        if len(events) == _EVENTS or self._results:
            return 0.0
        next_ms = telling.next_ms()
        return _LOOK_S if next_ms is None else min(max((next_ms - self._clock.wall_ms()) / 1000, 0.0), _LOOK_S)

    def findings(self) -> list[Finding]:
        """Return what is wrong with the notifications and what is not, for the alarms of the system."""
        now_ms, failure = self._clock.wall_ms(), self._last_failure
        tests = {name: test for name, test in dict(self._tests).items() if _test_failed(test, now_ms)}
        beats = {name: one.heartbeat_error for name, one in self.senders.items() if one.heartbeat_error}
        stuck_s = self._clock.monotonic_s() - self._turned_s
        lately = failure is not None and 0 <= now_ms - failure[0] < _FAILED_MS
        return [
            Finding("NOTIFY_SELF_TEST", bool(tests), ", ".join(sorted(tests))),
            Finding("NOTIFY_FAILED", lately, failure[1] if failure and lately else ""),
            Finding("NOTIFY_BEACON", bool(beats), "; ".join(f"{name}: {why}" for name, why in sorted(beats.items()))),
            Finding("NOTIFY_STUCK", stuck_s > _STUCK_S, f"{stuck_s:.0f} s" if stuck_s > _STUCK_S else ""),
        ]

    def untold(self) -> Mapping[str, int]:
        """Return what nobody was told, by what it was; since this process started."""
        if self._telling is None:
            return {"over": 0, "overdue": 0}
        return {"over": self._telling.over_untold, "overdue": self._telling.overdue_untold}

    def _begin(self, now_ms: int) -> Telling:
        kept = self._outbox.load()
        self._event_id = kept.event_id
        self._tests = dict(kept.tests)
        self._tested = ""
        telling = Telling(self._plant, self._duty, kept, self._base_url)
        telling.swaps = self._outbox.swaps(now_ms)
        telling.resume(now_ms)
        self._telling = telling
        for letter in kept.letters:
            self._hand_over(letter)
        return telling

    def _test(self, telling: Telling, now_ms: int) -> None:
        test = self._duty.self_test
        if test is not None and self._tested != (day := day_of(test, now_ms)):
            telling.letters += tests_of(test, self._duty, telling.swaps, self._plant, now_ms)
            self._tested = day

    def _keep(self, telling: Telling, event_id: int, results: Sequence[Result]) -> None:
        if not (results or telling.letters or telling.changed or event_id != self._event_id):
            return
        fresh = self._outbox.commit(Batch(event_id, dict(telling.changed), list(telling.letters), results))
        self._event_id = event_id
        known = {letter.key for letter in telling.letters} - {letter.key for letter in fresh}
        for letter in telling.letters:
            if letter.key in known:  # told before, by another process perhaps
                telling.settle(letter, Delivery.SENT, letter.created_ms)
        telling.changed.clear()
        telling.letters.clear()
        for result in results:
            self._results.popleft()
            self._note(result)
        for letter in fresh:
            self._hand_over(letter)

    def _hand_over(self, letter: Letter) -> None:
        if letter.key in self._with_sender:
            return
        if letter.kind is Kind.SELF_TEST:
            self._tests[letter.channel] = Delivery.QUEUED, letter.deadline_ms
        self._with_sender.add(letter.key)
        sender = self.senders.get(letter.channel)
        if sender is None:
            why = f"there is no channel {letter.channel!r} any more"
            self._hear(Result(letter, Delivery.FAILED, letter.tries, letter.next_try_ms, letter.created_ms, why))
        else:
            sender.put(letter)

    def _hear(self, result: Result) -> None:
        self._results.append(result)
        self.wake()

    def _note(self, result: Result) -> None:
        """Remember what was kept of an attempt, for the alarms of the system."""
        letter = result.letter
        if result.state is not Delivery.QUEUED:
            self._with_sender.discard(letter.key)
        if letter.kind is Kind.SELF_TEST:
            self._tests[letter.channel] = result.state, letter.deadline_ms
        elif result.state is Delivery.FAILED:
            self._last_failure = result.at_ms, f"{letter.channel}: {result.error}"

    def _trim(self, now_ms: int) -> None:
        if self._clock.monotonic_s() - self._trimmed_s > _TRIM_EVERY_S:
            self._trimmed_s = self._clock.monotonic_s()
            self._outbox.trim(now_ms - _KEEP_MS)


def _test_failed(test: tuple[Delivery, int], now_ms: int) -> bool:
    """Say whether a self test has not come through: a receipt is asked for, not that it was handed over."""
    state, deadline_ms = test
    return state in (Delivery.FAILED, Delivery.SENT) or (state is Delivery.QUEUED and now_ms > deadline_ms)
