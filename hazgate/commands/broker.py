"""`hazgate broker`: the embedded broker by itself, in the foreground."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from config.clock import SystemClock
from gateway.broker import EmbeddedBroker
from gateway.errors import BrokerError

__all__ = ["run"]


def run(
    data: Annotated[Path, typer.Option(help="Directory for its state and log; made when missing.", file_okay=False)],
    port: Annotated[int, typer.Option(help="MQTT port; 0 takes a free one.", min=0, max=65535)] = 1883,
    host: Annotated[str, typer.Option(help="Address to listen on; loopback unless you say otherwise.")] = "127.0.0.1",
) -> None:
    """Run the embedded MQTT broker until Ctrl-C or SIGTERM."""
    console = Console(stderr=True)
    try:
        asyncio.run(_serve(EmbeddedBroker(data, clock=SystemClock(), host=host, port=port), console))
    except BrokerError as error:
        console.print(f"hazgate broker: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None


async def _serve(broker: EmbeddedBroker, console: Console) -> None:
    """Run the broker until a signal asks for the end.

    Raises:
        BrokerError: It did not come up.
    """
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with broker:
        console.print(f"MQTT broker · 消息代理: mqtt://{broker.address}   (Ctrl-C ends it · 按 Ctrl-C 停止)")
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(broker.supervise())
            await stop.wait()
            watching.cancel()
