"""Publish a stream of messages in real time, and know exactly what the broker took."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import aiomqtt

from config.clock import Clock
from config.settings import BrokerAddress
from config.tls import client_context, explained
from simulators.payloads import Message, Sample

__all__ = ["PlaySettings", "SentLedger", "play"]

_RETRY_S = (0.1, 0.2, 0.5, 1.0)
_HANDSHAKE_S = 2.0
"""For connecting and disconnecting."""
_WATCH_EVERY_S = 0.1
_STOP_DRAIN_S = 0.6
"""How long what is under way may take to be acknowledged after a stop was asked for."""
_RECENT = 8
"""Acknowledged samples remembered per tag to tell a repeated one."""


@dataclass(frozen=True, slots=True)
class PlaySettings:
    """How a stream is played."""

    speed: float = 1.0
    """Times real time; `math.inf` is as fast as the broker takes it."""
    window: int = 200
    """Messages published but not yet acknowledged, at most. More are not made before there is room."""
    patience_s: float = 60.0
    """Nothing acknowledged for this long, though something waits for it: the rest is given up and counted."""
    ack_within_s: float = 15.0
    """Without an acknowledgement for this long the connection is given up and the message sent again."""
    keep_samples: bool = False
    """Keep what was sent, for checking."""


@dataclass(slots=True)
class SentLedger:
    """What became of every message of a stream."""

    messages: int = 0
    """Acknowledged by the broker at least once (QoS 0: written)."""
    samples: int = 0
    """Distinct samples in them."""
    repeated: int = 0
    """Samples in them that repeated tag, time and value of one just before."""
    resent: int = 0
    """Messages published again, because the connection was lost before their acknowledgement."""
    connections: int = 0
    unsent_messages: int = 0
    unsent_samples: int = 0
    """Never acknowledged. The broker may have taken some of those that were under way."""
    stopped: bool = False
    """The run was stopped before its end; what was not yet due is not counted as unsent."""
    at_ms: int = 0
    """How far the run is: when the last message was due."""
    connected: bool = False
    error: str = ""
    """Why there was no connection the last time there was none."""
    sent: list[Sample] = field(default_factory=list)
    """Distinct samples in the order of acknowledgement, when they are kept."""


class _OverError(Exception):
    """The run ends here: it was stopped, or the broker stays silent."""


class _Player:
    """One run. What was not acknowledged stays in ``_under_way`` and is sent again, in order."""

    def __init__(
        self, messages: Iterator[Message], broker: BrokerAddress, clock: Clock, settings: PlaySettings
    ) -> None:
        self.ledger = SentLedger()
        self._messages = messages
        self._broker = broker
        self._clock = clock
        self._settings = settings
        self._under_way: dict[int, Message] = {}
        self._next: Message | None = None
        self._made = 0
        self._exhausted = False
        self._room = asyncio.Event()
        self._recent: dict[str, deque[tuple[int, float | None]]] = {}
        self._start_s = clock.monotonic_s()

    async def run(self, stop: asyncio.Event, on_progress: Callable[[SentLedger], None] | None) -> SentLedger:
        """Play to the end, to the stop, or until the broker has been silent too long."""
        try:
            async with asyncio.TaskGroup() as group:
                watchdog = group.create_task(self._watch(stop, on_progress))
                await self._play_through(stop)
                watchdog.cancel()
        except* _OverError:
            pass
        self.ledger.stopped = stop.is_set() and not self._exhausted
        left = [*self._under_way.values(), *([self._next] if self._next else [])]
        self._count_unsent(left)
        if not stop.is_set():
            self._count_unsent(self._messages)
        if on_progress:
            on_progress(self.ledger)
        return self.ledger

    async def _watch(self, stop: asyncio.Event, on_progress: Callable[[SentLedger], None] | None) -> None:
        """Report, and end the run when it was stopped or nothing is acknowledged any more."""
        seen = -1
        quiet_since_s = self._clock.monotonic_s()
        stopped_at_s = math.inf
        while True:
            await asyncio.sleep(_WATCH_EVERY_S)
            if on_progress:
                on_progress(self.ledger)
            now_s = self._clock.monotonic_s()
            waiting = self._under_way or not self.ledger.connected
            if not waiting or self.ledger.messages != seen:
                quiet_since_s, seen = now_s, self.ledger.messages
            if stop.is_set():
                stopped_at_s = min(stopped_at_s, now_s)
            if now_s - stopped_at_s > _STOP_DRAIN_S or now_s - quiet_since_s > self._settings.patience_s:
                raise _OverError

    async def _play_through(self, stop: asyncio.Event) -> None:
        """Publish over as many connections as it takes."""
        failures = 0
        while True:
            before = self.ledger.messages
            if await self._connect_once(stop):
                return
            failures = 0 if self.ledger.messages > before else failures + 1
            await asyncio.sleep(_RETRY_S[min(failures, len(_RETRY_S) - 1)])

    async def _connect_once(self, stop: asyncio.Event) -> bool:
        """Publish over one connection; says whether all is done (or else the connection broke)."""
        broker = self._broker
        client = aiomqtt.Client(
            broker.host,
            broker.port,
            username=broker.username,
            password=broker.secret(),
            tls_context=client_context(broker),
            keepalive=broker.keepalive_s,
            max_inflight_messages=self._settings.window,
            timeout=_HANDSHAKE_S,
        )
        client.pending_calls_threshold = self._settings.window  # that many are wanted; it would warn beyond ten
        done = False
        try:
            async with client, asyncio.TaskGroup() as group:
                self.ledger.connections += 1
                self.ledger.connected = True
                lost = group.create_task(_until_disconnected(client))
                silent = group.create_task(self._until_silent())
                await self._send_all(client, group, stop)
                lost.cancel()
                silent.cancel()
                done = True
        except* aiomqtt.MqttError as errors:
            self.ledger.error = explained(_first(errors))
        finally:
            self.ledger.connected = False
        return done

    async def _until_silent(self) -> None:
        """Raise when a connection that looks alive acknowledges nothing."""
        seen, since_s = -1, self._clock.monotonic_s()
        while True:
            await asyncio.sleep(_WATCH_EVERY_S)
            now_s = self._clock.monotonic_s()
            if not self._under_way or self.ledger.messages != seen:
                seen, since_s = self.ledger.messages, now_s
            elif now_s - since_s > self._settings.ack_within_s:
                raise aiomqtt.MqttError(f"no acknowledgement within {self._settings.ack_within_s:g} s")

    async def _send_all(self, client: aiomqtt.Client, group: asyncio.TaskGroup, stop: asyncio.Event) -> None:
        """Send again what was under way, then what comes due; return when all of it is acknowledged."""
        for number, message in self._under_way.items():
            self.ledger.resent += 1
            group.create_task(self._publish(client, number, message))
        while not stop.is_set():
            await self._until(lambda: len(self._under_way) < self._settings.window)
            if self._next is None:
                self._next = next(self._messages, None)
            if self._next is None:
                self._exhausted = True
                break
            await self._until_due(self._next, stop)
            if stop.is_set():
                break
            message, self._next = self._next, None
            self._made += 1
            self._under_way[self._made] = message
            self.ledger.at_ms = message.due_ms
            group.create_task(self._publish(client, self._made, message))
        if stop.is_set():
            self._next = None
        await self._until(lambda: not self._under_way)

    async def _publish(self, client: aiomqtt.Client, number: int, message: Message) -> None:
        """Publish one message and wait until the broker has it."""
        await client.publish(message.topic, message.payload, qos=message.qos, timeout=math.inf)
        del self._under_way[number]
        self.ledger.messages += 1
        for sample in message.samples:
            self._count(sample)
        self._room.set()

    def _count(self, sample: Sample) -> None:
        """Count an acknowledged sample, or its repetition."""
        recent = self._recent.setdefault(sample.tag, deque(maxlen=_RECENT))
        said = (sample.time_ms, sample.value)
        if said in recent:
            self.ledger.repeated += 1
            return
        recent.append(said)
        self.ledger.samples += 1
        if self._settings.keep_samples:
            self.ledger.sent.append(sample)

    def _count_unsent(self, messages: Iterable[Message]) -> None:
        """Count what no broker acknowledged."""
        for message in messages:
            self.ledger.unsent_messages += 1
            self.ledger.unsent_samples += len(message.samples)

    async def _until(self, condition: Callable[[], bool]) -> None:
        """Wait until acknowledgements have made a condition true."""
        while not condition():
            self._room.clear()
            await self._room.wait()

    async def _until_due(self, message: Message, stop: asyncio.Event) -> None:
        """Wait until a message is due, or for the stop."""
        due_s = self._start_s + message.due_ms / 1000.0 / self._settings.speed
        delay_s = due_s - self._clock.monotonic_s()
        if delay_s > 0.0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay_s):
                    await stop.wait()


async def play(
    messages: Iterable[Message],
    broker: BrokerAddress,
    clock: Clock,
    settings: PlaySettings | None = None,
    *,
    stop: asyncio.Event | None = None,
    on_progress: Callable[[SentLedger], None] | None = None,
) -> SentLedger:
    """Publish messages when they are due, counted from this call.

    Memory is bounded by the window: a broker that is away holds the stream back, its messages are then sent late, in
    order, with their own source times; none is dropped while there is patience. On MQTT 3.1.1, so with any broker.

    Args:
        messages: In the order of ``due_ms``; made while they are asked for.
        broker: Where to.
        clock: For the due times.
        settings: See `PlaySettings`.
        stop: Ends the run within a second once set.
        on_progress: Called some times a second with the ledger so far.

    Returns:
        What became of every message, also when the broker was never there (``error`` says why).
    """
    player = _Player(iter(messages), broker, clock, settings or PlaySettings())
    return await player.run(stop or asyncio.Event(), on_progress)


async def _until_disconnected(client: aiomqtt.Client) -> None:
    """Raise as soon as the connection is lost: nothing else would notice while nothing is to be sent."""
    async for _ in client.messages:
        pass


def _first(errors: BaseExceptionGroup[aiomqtt.MqttError]) -> BaseException:
    """Return the first error of a group of groups."""
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
