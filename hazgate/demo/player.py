"""The simulator of the demo, as a process of its own: ``python -m hazgate.demo.player ORDER``.

It loads the scenario, waits for a line on its standard input, plays, and says some times a second, one JSON document
a line, how far it is. What the broker took is written to a file sample by sample, to be compared with what was kept.
"""

from __future__ import annotations

import asyncio
import math
import os
import signal
import sys
from pathlib import Path

import msgspec

from config.clock import Clock, SystemClock
from config.settings import BrokerAddress
from simulators.library import Loaded, load_scenario
from simulators.payloads import Sample
from simulators.publish import PlaySettings, SentLedger, play
from simulators.stream import messages

__all__ = ["Order", "Progress", "main", "read_sent"]

_FOREVER_S = 366 * 86_400.0


class Order(msgspec.Struct, frozen=True):
    """What to play."""

    scenario: str
    broker: str
    seed: int
    seconds: float | None
    """None: until it is stopped."""
    sent_file: str = os.devnull
    """Takes every distinct sample the broker took."""


class Progress(msgspec.Struct, frozen=True):
    """How far it is."""

    started_ms: int
    """UTC of the start, from which the scenario counts."""
    at_ms: int
    """When the last message was due, from the start."""
    samples: int
    """Distinct samples the broker took."""
    repeated: int
    resent: int
    unsent: int
    connected: bool


def read_sent(path: Path) -> list[Sample]:
    """Read the file of samples sent."""
    return msgspec.json.decode(b"[" + b",".join(path.read_bytes().splitlines()) + b"]", type=list[Sample])


async def _play(order: Order, loaded: Loaded, clock: Clock) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    started_ms = clock.wall_ms()
    stream = messages(
        loaded.plant,
        loaded.scenario,
        started_ms,
        seed=order.seed,
        seconds=_FOREVER_S if order.seconds is None else order.seconds,
    )
    with Path(order.sent_file).open("ab") as sent_file:  # noqa: ASYNC230 - a few kilobytes a second, in this process only

        def note(ledger: SentLedger) -> None:
            sent_file.write(b"".join(msgspec.json.encode(sample) + b"\n" for sample in ledger.sent))
            ledger.sent.clear()
            sys.stdout.buffer.write(msgspec.json.encode(_progress(ledger, started_ms)) + b"\n")
            sys.stdout.buffer.flush()

        settings = PlaySettings(patience_s=math.inf, keep_samples=True)
        await play(stream, BrokerAddress.parse(order.broker), clock, settings, stop=stop, on_progress=note)


def _progress(ledger: SentLedger, started_ms: int) -> Progress:
    return Progress(
        started_ms=started_ms,
        at_ms=ledger.at_ms,
        samples=ledger.samples,
        repeated=ledger.repeated,
        resent=ledger.resent,
        unsent=ledger.unsent_samples,
        connected=ledger.connected,
    )


def main() -> None:
    """Play what the command line orders, once we are told to begin."""
    order = msgspec.json.decode(sys.argv[1], type=Order)
    loaded = load_scenario(order.scenario)
    if sys.stdin.readline():
        asyncio.run(_play(order, loaded, SystemClock()))


if __name__ == "__main__":
    main()
