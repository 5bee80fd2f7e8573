"""Publish a stream from the command line: progress on a terminal, Ctrl-C, and what came of it."""

from __future__ import annotations

import asyncio
import json
import math
import signal
from collections.abc import Iterable
from dataclasses import asdict

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from config.clock import SystemClock
from config.settings import BrokerAddress
from hazgate.arguments import wrong_use
from simulators.payloads import Message
from simulators.publish import PlaySettings, SentLedger, play

__all__ = ["play_to_end", "read_speed", "tell"]


def read_speed(text: str) -> float:
    """Read ``2``, ``0.5``, or ``0``/``max`` for as fast as the broker takes it; a wrong one ends with exit 2."""
    try:
        speed = math.inf if text == "max" else float(text)
    except ValueError:
        speed = -1.0
    if not speed >= 0.0:
        wrong_use(f"speed {text!r}: a number such as 1 or 10, or `max` (0) for as fast as the broker takes it")
    return speed or math.inf


def play_to_end(
    messages: Iterable[Message], broker: BrokerAddress, speed: float, total_ms: float, title: str
) -> SentLedger:
    """Publish messages until they are all sent or Ctrl-C (SIGTERM) is pressed.

    Args:
        messages: See `simulators.publish.play`.
        broker: Where to.
        speed: Times real time; `math.inf` for at once.
        total_ms: When the last message is due, for the progress line.
        title: Shown before it.
    """
    console = Console(stderr=True)

    async def main() -> SentLedger:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[state]}"),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
            line = progress.add_task(title, total=max(total_ms, 1.0), state="")

            def show(ledger: SentLedger) -> None:
                progress.update(line, completed=ledger.at_ms, state=_state(ledger))

            return await play(messages, broker, SystemClock(), PlaySettings(speed=speed), stop=stop, on_progress=show)

    return asyncio.run(main())


def tell(ledger: SentLedger, facts: dict[str, object], *, as_json: bool) -> None:
    """Print what came of it; exit 1 when something was not sent."""
    counts = {key: value for key, value in asdict(ledger).items() if key not in ("sent", "at_ms", "connected")}
    if as_json:
        typer.echo(json.dumps({**facts, **counts}, ensure_ascii=False))
    else:
        typer.echo(
            f"已发送 sent {ledger.samples} samples in {ledger.messages} messages"
            f" · 重复 repeated {ledger.repeated} · 重发 resent {ledger.resent} · 未发出 unsent {ledger.unsent_samples}"
        )
    if ledger.unsent_messages:
        why = f" ({ledger.error})" if ledger.error else ""
        typer.echo(
            f"hazgate: {ledger.unsent_messages} messages with {ledger.unsent_samples} samples were never"
            f" acknowledged by the broker{why}",
            err=True,
        )
        raise typer.Exit(1)


def _state(ledger: SentLedger) -> str:
    """Return how a run is doing, in a few words."""
    if ledger.connected:
        return f"{ledger.samples} samples"
    return f"{ledger.samples} samples · 未连接 no connection: {ledger.error or 'connecting'}"
