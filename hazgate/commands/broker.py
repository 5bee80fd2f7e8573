"""`hazgate broker`: the embedded broker by itself, in the foreground; and the keys of any broker's clients."""

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
from hazgate.arguments import wrong_use
from hazgate.broker_keys import certificates, credentials
from hazgate.guarding import BrokerAnonymous, BrokerCertificates, BrokerClientCertificates, BrokerCredentials, guard_of

__all__ = ["app"]

app = typer.Typer(help="内置消息代理，以及账号与证书 · The embedded broker; accounts and certificates for any broker.")
app.command("credentials")(credentials)
app.command("certificates")(certificates)


@app.callback(invoke_without_command=True)
def run(
    context: typer.Context,
    *,
    data: Annotated[
        Path | None, typer.Option(help="Directory for its state and log; made when missing.", file_okay=False)
    ] = None,
    port: Annotated[int, typer.Option(help="MQTT port; 0 takes a free one.", min=0, max=65535)] = 1883,
    host: Annotated[str, typer.Option(help="Address to listen on; loopback unless you say otherwise.")] = "127.0.0.1",
    broker_credentials: BrokerCredentials = None,
    broker_certificates: BrokerCertificates = None,
    client_certificates: BrokerClientCertificates = False,
    mqtt_anonymous: BrokerAnonymous = False,
) -> None:
    """Run the embedded MQTT broker until Ctrl-C or SIGTERM."""
    if context.invoked_subcommand:
        return
    if data is None:
        wrong_use("broker: --data DIR is needed")
    guard = guard_of(host, broker_credentials, broker_certificates, client_certificates, anonymous=mqtt_anonymous)
    console = Console(stderr=True)
    try:
        asyncio.run(_serve(EmbeddedBroker(data, clock=SystemClock(), host=host, port=port, guard=guard), console))
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
        console.print(f"MQTT broker · 消息代理: {broker.url}   (Ctrl-C ends it · 按 Ctrl-C 停止)")
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(broker.supervise())
            await stop.wait()
            watching.cancel()
