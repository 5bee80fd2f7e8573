"""`hazgate gateway`: a gateway on an MQTT broker that is already there; whole, or worker and API apart."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer

from config.clock import Clock, SystemClock
from config.plant.model import Plant
from config.settings import BrokerAddress, GatewaySettings
from gateway.app import OnDuty, run_api, run_gateway
from gateway.errors import GatewayError
from hazgate.again import Files, begin_again, may_begin_again
from hazgate.arguments import (
    AccessFile,
    BrokerPassword,
    DeskOption,
    HistoryOption,
    HistoryToken,
    HttpCertificate,
    HttpKey,
    KeepDays,
    MaxGb,
    NoAccounts,
    PlantFile,
    RecordsOption,
    RecordsPassword,
    RegistryFiles,
    access_settings,
    broker_address,
    desks_of,
    history_address,
    history_bounds,
    http_address,
    read_plant,
    records_address,
    registry_path,
    tell_password,
    wrong_use,
)
from hazgate.duty import BaseUrl, DutyFile, read_on_duty
from hazgate.logs import log_for_operators

__all__ = ["app"]

app = typer.Typer(help="运行网关 · Run a gateway on a broker that is already there.")

_Told = Callable[[str], None]
_Run = Callable[[GatewaySettings, Plant, Clock, asyncio.Event, _Told, _Told, OnDuty], Coroutine[Any, Any, None]]
Data = Annotated[Path | None, typer.Option(help="Data directory: records, history, reserve, log.")]
Broker = Annotated[
    str, typer.Option(help="mqtt://[user@]host:port, or mqtts://..[?ca=FILE][&cert=FILE&key=FILE] for TLS.")
]
Http = Annotated[str, typer.Option(help="Address of API and live page; port 0 takes a free one.")]
CanaryUrl = Annotated[str, typer.Option(help="Receiver outside that is told of every reading of a canary tag.")]
ForeignSites = Annotated[
    bool | None,
    typer.Option(help="Count what other sites publish on this broker as dead letters; default: unless we have a user."),
]


@app.callback(invoke_without_command=True)
def run(
    context: typer.Context,
    *,
    data: Data = None,
    plant: PlantFile = "demo",
    broker: Broker = "mqtt://127.0.0.1:1883",
    broker_password_file: BrokerPassword = None,
    http: Http = "127.0.0.1:8080",
    tls_cert: HttpCertificate = None,
    tls_key: HttpKey = None,
    records: RecordsOption = "",
    records_password_file: RecordsPassword = None,
    history: HistoryOption = "",
    history_token_file: HistoryToken = None,
    desk: DeskOption = None,
    canary_url: CanaryUrl = "",
    history_keep_days: KeepDays = None,
    history_max_gb: MaxGb = None,
    foreign_sites: ForeignSites = None,
    no_accounts: NoAccounts = False,
    duty: DutyFile = None,
    base_url: BaseUrl = "",
    access: AccessFile = None,
    registry: RegistryFiles = "",
) -> None:
    """运行网关：接收、判警、留存、告知。 Run the gateway: receive, evaluate, keep, tell."""
    if context.invoked_subcommand:
        return
    settings = _settings(data, http, (tls_cert, tls_key), records, records_password_file, history, history_token_file)
    address = broker_address(broker, broker_password_file)
    changes = {**history_bounds(history_keep_days, history_max_gb), **_who(desk, no_accounts, access)}
    changes["registry"] = registry_path(registry)
    taking = _taking(settings, address, foreign_sites, canary_url).model_copy(update=changes)
    _run(run_gateway, taking, Files(plant, duty), read_on_duty(duty, base_url))


@app.command()
def worker(
    *,
    data: Data = None,
    plant: PlantFile = "demo",
    broker: Broker = "mqtt://127.0.0.1:1883",
    broker_password_file: BrokerPassword = None,
    http: Http = "127.0.0.1:8081",
    tls_cert: HttpCertificate = None,
    tls_key: HttpKey = None,
    records: RecordsOption = "",
    records_password_file: RecordsPassword = None,
    history: HistoryOption = "",
    history_token_file: HistoryToken = None,
    desk: DeskOption = None,
    canary_url: CanaryUrl = "",
    foreign_sites: ForeignSites = None,
    no_accounts: NoAccounts = False,
    duty: DutyFile = None,
    base_url: BaseUrl = "",
    registry: RegistryFiles = "",
) -> None:
    """接收、判警、留存，供独立接口进程使用。 The pipeline, for APIs of their own; its HTTP is for its own health."""
    if not records or not history:
        wrong_use("gateway worker needs --records postgresql://... and --history influx://...")
    settings = _settings(data, http, (tls_cert, tls_key), records, records_password_file, history, history_token_file)
    address = broker_address(broker, broker_password_file)
    changes = {**_who(desk, no_accounts), "registry": registry_path(registry)}
    taking = _taking(settings, address, foreign_sites, canary_url).model_copy(update=changes)
    _run(run_gateway, taking, Files(plant, duty), read_on_duty(duty, base_url))


@app.command()
def api(
    *,
    plant: PlantFile = "demo",
    http: Http = "127.0.0.1:8080",
    tls_cert: HttpCertificate = None,
    tls_key: HttpKey = None,
    records: RecordsOption = "",
    records_password_file: RecordsPassword = None,
    history: HistoryOption = "",
    history_token_file: HistoryToken = None,
    desk: DeskOption = None,
    no_accounts: NoAccounts = False,
    duty: DutyFile = None,
    base_url: BaseUrl = "",
    access: AccessFile = None,
) -> None:
    """独立接口与页面进程，仅通过数据库查看。 API and live page alone: they see the worker only through the stores."""
    if not records or not history:
        wrong_use("gateway api needs --records postgresql://... and --history influx://..., as its worker")
    settings = _settings(Path(), http, (tls_cert, tls_key), records, records_password_file, history, history_token_file)
    _run(
        run_api,
        settings.model_copy(update=_who(desk, no_accounts, access)),
        Files(plant, duty),
        read_on_duty(duty, base_url),
    )


def _who(desk: list[str] | None, no_accounts: bool, access: Path | None = None) -> dict[str, Any]:
    """Return who sits where and who may do what, as settings."""
    return {"desks": desks_of(desk), "accounts": not no_accounts, "access": access_settings(access)}


def _settings(
    data: Path | None,
    http: str,
    tls: tuple[Path | None, Path | None],
    records: str,
    password_file: Path | None,
    history: str,
    token_file: Path | None,
) -> GatewaySettings:
    if data is None:
        wrong_use("gateway: --data DIR is needed")
    host, port = http_address(http)
    return GatewaySettings(
        data_dir=data,
        http_host=host,
        http_port=port,
        http_certificate=tls[0],
        http_key=tls[1],
        records=records_address(records, password_file),
        history=history_address(history, token_file),
    )


def _taking(
    settings: GatewaySettings, broker: BrokerAddress, foreign_sites: bool | None, canary_url: str
) -> GatewaySettings:
    more = {"broker": broker, "foreign_sites": foreign_sites, "canary_url": canary_url}
    return settings.model_copy(update=more)


def _run(what: _Run, settings: GatewaySettings, files: Files, on_duty: OnDuty) -> None:
    """Run until a signal asks for the end; SIGHUP with a plant file that is right begins again with it.

    Beginning again is a clean stop and a new process in the place of this one: nothing of the old rules is left, and
    readings wait at their edges for the seconds it takes. A plant file with mistakes changes nothing.
    """
    log_for_operators()
    described = read_plant(files.plant)
    for unit in settings.desks.keys() - described.hazard_units.keys():
        wrong_use(f"--desk {unit}: the plant has no such hazard unit; it has {', '.join(described.hazard_units)}")
    again = False

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()

        def reload() -> None:
            nonlocal again
            again = may_begin_again(files, settings)
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
            on_duty,
        )

    try:
        asyncio.run(main())
    except GatewayError as error:
        typer.echo(f"hazgate gateway: {error}", err=True)
        raise typer.Exit(1) from error
    if again:
        begin_again()
