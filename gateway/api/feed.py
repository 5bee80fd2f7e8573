"""The stream: one feed makes every event once and hands it to all clients, none of which can hold up another."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import structlog
from anyio import CapacityLimiter, to_thread

from config.clock import Clock
from config.plant.model import Plant
from gateway.api.audience import Audience
from gateway.api.live_models import (
    AlarmEvent,
    EdgeItem,
    HealthView,
    ResetEvent,
    ResetReason,
    SnapshotEvent,
    TickEvent,
    TierCounts,
)
from gateway.api.live_views import changed_rows, health_view, tier_counts, values_event
from gateway.api.mailbox import Chunk, Mailbox, encode_event
from gateway.api.views import alarm_item
from gateway.errors import RecordsError
from gateway.live import AlarmNotice, Board, Hub, Values
from gateway.records.queries import Queries, Told

__all__ = ["ACTIVE_LIMIT", "CLEARED_LIMIT", "MAX_CLIENTS", "Feed", "Source"]

BEAT_S = 1.0
INCOMING_NOTICES = 10_000
"""Notices the pipeline may hand over before the event loop gets round to them."""
RESUME_EVENTS = 1000
"""A client that missed more is given a snapshot: quicker to send, and to take in."""
ACTIVE_LIMIT = 1000
CLEARED_LIMIT = 20
MAX_CLIENTS = 200
RETRY = b"retry: 2000\n\n"

T = TypeVar("T")

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Source:
    """Where the feed takes its facts from."""

    plant: Plant
    board: Board
    hub: Hub
    queries: Queries
    clock: Clock
    software_version: str


@dataclass(frozen=True, slots=True)
class _LookedUp:
    """What ticks take from the records."""

    active_by_tier: TierCounts
    edges: tuple[EdgeItem, ...]


class Feed:
    """Follows the hub and the board, and feeds every open stream.

    The pipeline's thread only appends to a bounded deque and wakes the loop (`_hear`). Everything else happens on the
    loop, except reading the records, which has its own few threads.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._clients: set[Mailbox] = set()
        self._incoming: deque[AlarmNotice] = deque()
        self._missed = False
        self._woken = False
        self._heard = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = asyncio.Event()
        self._threads = CapacityLimiter(4)
        self._values: Values | None = None
        self._last_event_id = 0
        self._looked_up: dict[Audience, _LookedUp] = {}
        self.overflows = 0
        """How often a client's queue was given up."""
        self.failures = 0
        """How often a round failed and was left out."""

    @property
    def clients(self) -> int:
        """Open streams."""
        return len(self._clients)

    @property
    def running(self) -> bool:
        """Streams can be opened."""
        return self._loop is not None and not self._stopping.is_set()

    def health(self) -> HealthView:
        """Return how the gateway is doing now."""
        source = self._source
        return health_view(source.board, source.clock, source.software_version, self.clients)

    async def run(self) -> None:
        """Feed until `stop`."""
        self._loop = asyncio.get_running_loop()
        end_listening = self._source.hub.listen(self._hear)
        try:
            async with asyncio.TaskGroup() as tasks:
                for round_ in (self._pass_on, self._beat, self._look_up):
                    tasks.create_task(self._supervise(round_), name=f"stream {round_.__name__}")
        finally:
            end_listening()
            self.stop()

    def stop(self) -> None:
        """End every stream, and the feed. Call it on the event loop's thread."""
        self._stopping.set()
        self._heard.set()
        for client in self._clients:
            client.wake.set()

    async def stream(self, last_event_id: int | None, audience: Audience) -> AsyncIterator[bytes]:
        """Yield the events of one client, beginning behind ``last_event_id`` or with a snapshot."""
        client = Mailbox(audience)
        self._clients.add(client)
        try:
            yield RETRY
            for data in await self._begin(client, last_event_id):
                yield data
            while not self._stopping.is_set():
                await client.wake.wait()
                client.wake.clear()
                if client.overflowed:
                    for data in await self._restart(client, "overflow"):
                        yield data
                while client.queue and not self._stopping.is_set():
                    yield client.queue.popleft().data
        except RecordsError as error:
            _log.warning("stream_records_unavailable", error=str(error))
            yield encode_event("reset", ResetEvent(reason="records_unavailable"))
        finally:
            self._clients.discard(client)

    async def _begin(self, client: Mailbox, event_id: int | None) -> list[bytes]:
        """Return a snapshot, or the alarm events behind ``event_id`` and all values."""
        if event_id is None:
            return [await self._snapshot(client)]
        last, missed = await self._threaded(lambda: self._missed_after(event_id, client.audience))
        self._last_event_id = max(self._last_event_id, last)
        if event_id > last:
            return await self._restart(client, "unknown_event_id")
        if len(missed) > RESUME_EVENTS:
            return await self._restart(client, "too_far_behind")
        values, now_ms = self._source.board.values, self._source.clock.wall_ms()
        client.forget(missed[-1].event["event_id"] if missed else event_id, -1 if values is None else values.at_ms)
        plant = client.audience.plant
        notices = (AlarmNotice(one.event["event_id"], one.event["kind"], one.alarm) for one in missed)
        alarms = [_noticed(notice, plant) for notice in notices]
        return [*alarms, encode_event("values", values_event(values, None, plant, now_ms))]

    async def _restart(self, client: Mailbox, reason: ResetReason) -> list[bytes]:
        return [encode_event("reset", ResetEvent(reason=reason)), await self._snapshot(client)]

    async def _snapshot(self, client: Mailbox) -> bytes:
        """Return everything as it is now. What happens meanwhile is queued behind it."""
        client.overflowed = False
        event_id, at_ms, data = await self._threaded(lambda: self._make_snapshot(client.audience))
        self._last_event_id = max(self._last_event_id, event_id)
        client.forget(event_id, at_ms)
        return data

    def _missed_after(self, event_id: int, audience: Audience) -> tuple[int, list[Told]]:
        queries = self._source.queries
        return queries.last_event_id(), queries.events_after(event_id, RESUME_EVENTS + 1, audience.wanted)

    def _make_snapshot(self, audience: Audience) -> tuple[int, int, bytes]:
        """Return the snapshot with its reach: latest event id, and gateway clock of the values."""
        source, plant = self._source, audience.plant
        values = source.board.values
        current = source.queries.current(ACTIVE_LIMIT, CLEARED_LIMIT, audience.wanted)
        now_ms = source.clock.wall_ms()
        snapshot = SnapshotEvent(
            at_ms=now_ms,
            last_event_id=current.last_event_id,
            alarms=tuple(alarm_item(row, plant) for row in current.active),
            active_by_tier=tier_counts(current.active_by_tier),
            cleared=tuple(alarm_item(row, plant) for row in current.cleared),
            values=values_event(values, None, plant, now_ms),
            edges=audience.edges(source.queries.edges(), values),
            health=audience.health(self.health()),
        )
        data = encode_event("snapshot", snapshot, current.last_event_id)
        return current.last_event_id, -1 if values is None else values.at_ms, data

    def _hear(self, notice: AlarmNotice) -> None:
        """Take a notice on the pipeline's thread: returns at once, never raises."""
        if len(self._incoming) < INCOMING_NOTICES:
            self._incoming.append(notice)
        else:
            self._missed = True
        # The loop lowers the flag before it looks at the deque, so no notice is left without a wake-up.
        if not self._woken and self._loop is not None:
            self._woken = True
            with suppress(RuntimeError):  # the loop has been closed: nobody is listening any more
                self._loop.call_soon_threadsafe(self._heard.set)

    async def _pass_on(self) -> None:
        """Hand notices to every client."""
        await self._heard.wait()
        self._heard.clear()
        self._woken = False
        while self._incoming:
            notice = self._incoming.popleft()
            self._last_event_id = max(self._last_event_id, notice.event_id)
            for audience in self._audiences():
                if audience.sees(notice.alarm):
                    self._offer(audience, Chunk("alarm", notice.event_id, _noticed(notice, audience.plant)))
        if self._missed:
            self._missed = False
            self._give_up_all()

    def _audiences(self) -> set[Audience]:
        return {client.audience for client in self._clients}

    def _offer(self, audience: Audience, chunk: Chunk) -> None:
        for client in self._clients:
            if client.audience == audience and not client.offer(chunk):
                self.overflows += 1

    def _give_up_all(self) -> None:
        for client in self._clients:
            client.give_up()
            self.overflows += 1

    async def _supervise(self, round_: Callable[[], Awaitable[None]]) -> None:
        """Repeat one of the feed's rounds. One that fails is logged and counted, and every client starts afresh."""
        while not self._stopping.is_set():
            try:
                await round_()
            except Exception:  # noqa: BLE001  # the supervisor: whatever it is, the streams must go on
                self.failures += 1
                _log.exception("stream_round_failed", round=round_.__name__)
                self._give_up_all()
                await self._pause()

    async def _pause(self) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), BEAT_S)

    async def _beat(self) -> None:
        """Send the values that changed, and the tick."""
        source, values, before = self._source, self._source.board.values, self._values
        self._values = values
        for audience in self._audiences():
            if values is not None and values is not before:
                changes = await self._threaded(partial(_changes, values, before, audience.plant))
                if changes is not None:
                    self._offer(audience, Chunk("values", values.at_ms, changes))
            looked_up = self._looked_up.get(audience)
            tick = TickEvent(
                at_ms=source.clock.wall_ms(),
                last_event_id=self._last_event_id,
                active_by_tier=None if looked_up is None else looked_up.active_by_tier,
                edges=None if looked_up is None else looked_up.edges,
                health=audience.health(self.health()),
            )
            self._offer(audience, Chunk("tick", 0, encode_event("tick", tick)))
        await self._pause()

    async def _look_up(self) -> None:
        """Refresh what ticks take from the records; while these cannot be read, ticks go on and say so."""
        audiences = self._audiences()
        self._looked_up = await self._threaded(lambda: self._from_records(audiences)) if audiences else {}
        await self._pause()

    def _from_records(self, audiences: set[Audience]) -> dict[Audience, _LookedUp]:
        queries, values = self._source.queries, self._source.board.values
        try:
            edges = queries.edges()
            return {
                one: _LookedUp(tier_counts(queries.active_by_tier(one.wanted)), one.edges(edges, values))
                for one in audiences
            }
        except RecordsError as error:
            _log.warning("stream_records_unavailable", error=str(error))
            return {}

    async def _threaded(self, work: Callable[[], T]) -> T:
        return await to_thread.run_sync(work, limiter=self._threads)


def _noticed(notice: AlarmNotice, plant: Plant) -> bytes:
    event = AlarmEvent.model_validate(
        {"event_id": notice.event_id, "kind": notice.kind, "alarm": alarm_item(notice.alarm, plant)}
    )
    return encode_event("alarm", event, notice.event_id)


def _changes(values: Values, before: Values | None, plant: Plant) -> bytes | None:
    """Return the event that tells what changed, or None when nothing did."""
    rows = changed_rows(values, before)
    return encode_event("values", values_event(values, rows, plant, values.at_ms)) if len(rows) else None
