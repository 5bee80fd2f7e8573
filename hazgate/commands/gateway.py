"""`hazgate gateway`: one gateway process on an MQTT broker that is already there."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Annotated

import typer

from config.clock import SystemClock
from config.settings import GatewaySettings
from gateway.app import run_gateway
from gateway.errors import GatewayError
from hazgate.arguments import (
    HistoryOption,
    HistoryToken,
    PlantFile,
    RecordsOption,
    RecordsPassword,
    broker_address,
    history_address,
    http_address,
    read_plant,
    records_address,
)
from hazgate.logs import log_for_operators

__all__ = ["run"]


def run(
    *,
    data: Annotated[Path, typer.Option(help="Data directory: records, history, log.")],
    plant: PlantFile = "demo",
    broker: Annotated[
        str, typer.Option(help="mqtt://host:port, with user:password@ if needed")
    ] = "mqtt://127.0.0.1:1883",
    http: Annotated[
        str, typer.Option(help="Address of API and live page; port 0 takes a free one.")
    ] = "127.0.0.1:8080",
    records: RecordsOption = "",
    records_password_file: RecordsPassword = None,
    history: HistoryOption = "",
    history_token_file: HistoryToken = None,
    foreign_sites: Annotated[
        bool, typer.Option(help="Count what other sites publish on this broker as dead letters.")
    ] = True,
) -> None:
    """运行网关：接收、判警、留存、告知。 Run the gateway: receive, evaluate, keep, tell."""
    log_for_operators()
    host, port = http_address(http)
    settings = GatewaySettings(
        data_dir=data,
        broker=broker_address(broker),
        http_host=host,
        http_port=port,
        foreign_sites=foreign_sites,
        records=records_address(records, records_password_file),
        history=history_address(history, history_token_file),
    )
    described = read_plant(plant)

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        await run_gateway(
            settings, described, SystemClock(), stop, lambda address: typer.echo(f"{address}/  (API {address}/api/v1)")
        )

    try:
        asyncio.run(main())
    except GatewayError as error:
        typer.echo(f"hazgate gateway: {error}", err=True)
        raise typer.Exit(1) from error
