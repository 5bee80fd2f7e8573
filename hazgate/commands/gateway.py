"""`hazgate gateway`: a gateway on an MQTT broker that is already there; whole, or worker and API apart."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any

import structlog
import typer

from config.clock import Clock, SystemClock
from config.errors import PlantError
from config.plant.load import load_plant
from config.plant.model import Plant
from config.settings import GatewaySettings
from gateway.app import run_api, run_gateway
from gateway.errors import GatewayError
from hazgate.arguments import (
    HistoryOption,
    HistoryToken,
    KeepDays,
    MaxGb,
    NoAccounts,
    PlantFile,
    RecordsOption,
    RecordsPassword,
    broker_address,
    history_address,
    history_bounds,
    http_address,
    plant_path,
    read_plant,
    records_address,
    tell_password,
    wrong_use,
)
from hazgate.logs import log_for_operators

__all__ = ["app"]

log = structlog.get_logger(__name__)

app = typer.Typer(help="运行网关 · Run a gateway on a broker that is already there.")

_Told = Callable[[str], None]
_Run = Callable[[GatewaySettings, Plant, Clock, asyncio.Event, _Told, _Told], Coroutine[Any, Any, None]]
Data = Annotated[Path | None, typer.Option(help="Data directory: records, history, reserve, log.")]
Broker = Annotated[str, typer.Option(help="mqtt://host:port, with user:password@ if needed")]
Http = Annotated[str, typer.Option(help="Address of API and live page; port 0 takes a free one.")]
CanaryUrl = Annotated[str, typer.Option(help="Receiver outside that is told of every reading of a canary tag.")]
ForeignSites = Annotated[bool, typer.Option(help="Count what other sites publish on this broker as dead letters.")]


@app.callback(invoke_without_command=True)
def run(
    context: typer.Context,
    *,
    data: Data = None,
    plant: PlantFile = "demo",
    broker: Broker = "mqtt://127.0.0.1:1883",
    http: Http = "127.0.0.1:8080",
    records: RecordsOption = "",
    records_password_file: RecordsPassword = None,
    history: HistoryOption = "",
    history_token_file: HistoryToken = None,
    canary_url: CanaryUrl = "",
    history_keep_days: KeepDays = None,
    history_max_gb: MaxGb = None,
    foreign_sites: ForeignSites = True,
    no_accounts: NoAccounts = False,
) -> None:
    """运行网关：接收、判警、留存、告知。 Run the gateway: receive, evaluate, keep, tell."""
    if context.invoked_subcommand:
        return
    settings = _settings(data, http, records, records_password_file, history, history_token_file)
    bounds = history_bounds(history_keep_days, history_max_gb)
    taking = _taking(settings, broker, foreign_sites, canary_url).model_copy(
        update={**bounds, "accounts": not no_accounts}
    )
    _run(run_gateway, taking, plant)


@app.command()
def worker(
    *,
    data: Data = None,
    plant: PlantFile = "demo",
    broker: Broker = "mqtt://127.0.0.1:1883",
    http: Http = "127.0.0.1:8081",
    records: RecordsOption = "",
    records_password_file: RecordsPassword = None,
    history: HistoryOption = "",
    history_token_file: HistoryToken = None,
    canary_url: CanaryUrl = "",
    foreign_sites: ForeignSites = True,
    no_accounts: NoAccounts = False,
) -> None:
    """接收、判警、留存，供独立接口进程使用。 The pipeline, for APIs of their own; its HTTP is for its own health."""
    if not records or not history:
        wrong_use("gateway worker needs --records postgresql://... and --history influx://...")
    settings = _settings(data, http, records, records_password_file, history, history_token_file)
    taking = _taking(settings, broker, foreign_sites, canary_url).model_copy(update={"accounts": not no_accounts})
    _run(run_gateway, taking, plant)


@app.command()
def api(
    *,
    plant: PlantFile = "demo",
    http: Http = "127.0.0.1:8080",
    records: RecordsOption = "",
    records_password_file: RecordsPassword = None,
    history: HistoryOption = "",
    history_token_file: HistoryToken = None,
    no_accounts: NoAccounts = False,
) -> None:
    """独立接口与页面进程，仅通过数据库查看。 API and live page alone: they see the worker only through the stores."""
    if not records or not history:
        wrong_use("gateway api needs --records postgresql://... and --history influx://..., as its worker")
    settings = _settings(Path(), http, records, records_password_file, history, history_token_file)
    _run(run_api, settings.model_copy(update={"accounts": not no_accounts}), plant)


def _settings(
    data: Path | None, http: str, records: str, password_file: Path | None, history: str, token_file: Path | None
) -> GatewaySettings:
    if data is None:
        wrong_use("gateway: --data DIR is needed")
    host, port = http_address(http)
    return GatewaySettings(
        data_dir=data,
        http_host=host,
        http_port=port,
        records=records_address(records, password_file),
        history=history_address(history, token_file),
    )


def _taking(settings: GatewaySettings, broker: str, foreign_sites: bool, canary_url: str) -> GatewaySettings:
    more = {"broker": broker_address(broker), "foreign_sites": foreign_sites, "canary_url": canary_url}
    return settings.model_copy(update=more)


def _run(what: _Run, settings: GatewaySettings, plant: str) -> None:
    """Run until a signal asks for the end; SIGHUP with a plant file that is right begins again with it.

    Beginning again is a clean stop and a new process in the place of this one: nothing of the old rules is left, and
    readings wait at their edges for the seconds it takes. A plant file with mistakes changes nothing.
    """
    log_for_operators()
    described = read_plant(plant)
    again = False

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()

        def reload() -> None:
            nonlocal again
            again = _is_right(plant)
            if again:
                stop.set()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        loop.add_signal_handler(signal.SIGHUP, reload)
        await what(
            settings,
            described,
            SystemClock(),
            stop,
            lambda address: typer.echo(f"{address}/  (API {address}/api/v1)"),
            tell_password,
        )

    try:
        asyncio.run(main())
    except GatewayError as error:
        typer.echo(f"hazgate gateway: {error}", err=True)
        raise typer.Exit(1) from error
    if again:
        sys.stdout.flush()
        os.execv(sys.executable, [sys.executable, "-m", "hazgate", *sys.argv[1:]])  # noqa: S606 - ourselves


def _is_right(plant: str) -> bool:
    """Say whether a plant file could be read; its mistakes are logged."""
    path = plant_path(plant)
    try:
        load_plant(path)
    except (PlantError, OSError) as error:
        problems = [str(one) for one in error.problems] if isinstance(error, PlantError) else [str(error)]
        log.error("plant_refused", plant=str(path), problems=problems[:20], total=len(problems))
        return False
    log.info("plant_taken", plant=str(path))
    return True
