"""`hazgate up`: the embedded size in one command, broker and gateway."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Annotated

import typer

from config.clock import Clock, SystemClock
from config.plant.model import EdgeKind, Plant
from config.settings import GatewaySettings
from gateway.app import OnDuty, run_gateway
from gateway.broker import EmbeddedBroker
from gateway.errors import GatewayError
from hazgate.again import Files, begin_again, may_begin_again
from hazgate.arguments import (
    AccessFile,
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
    history_address,
    history_bounds,
    http_address,
    read_plant,
    records_address,
    registry_path,
    tell_password,
)
from hazgate.duty import BaseUrl, DutyFile, read_on_duty
from hazgate.groups import sentences
from hazgate.guarding import (
    BrokerAnonymous,
    BrokerCertificates,
    BrokerClientCertificates,
    BrokerCredentials,
    beside,
    guard_of,
)
from hazgate.logs import log_for_operators

__all__ = ["run"]


def run(
    *,
    plant: PlantFile,
    data: Annotated[Path, typer.Option(help="Data directory, made when missing.", file_okay=False)] = Path(
        "hazgate-data"
    ),
    http: Annotated[
        str, typer.Option(help="Address of API and live page; port 0 takes a free one.")
    ] = "127.0.0.1:8080",
    port: Annotated[int, typer.Option(help="MQTT port; 0 takes a free one.", min=0, max=65535)] = 1883,
    records: RecordsOption = "",
    records_password_file: RecordsPassword = None,
    history: HistoryOption = "",
    history_token_file: HistoryToken = None,
    history_keep_days: KeepDays = None,
    history_max_gb: MaxGb = None,
    no_accounts: NoAccounts = False,
    duty: DutyFile = None,
    base_url: BaseUrl = "",
    access: AccessFile = None,
    registry: RegistryFiles = "",
    mqtt_host: Annotated[str, typer.Option(help="Address of the MQTT listener; 0.0.0.0 lets edges in.")] = "127.0.0.1",
    mqtt_anonymous: BrokerAnonymous = False,
    broker_credentials: BrokerCredentials = None,
    broker_certificates: BrokerCertificates = None,
    client_certificates: BrokerClientCertificates = False,
    tls_cert: HttpCertificate = None,
    tls_key: HttpKey = None,
) -> None:
    """一条命令运行：内置消息代理与网关。 Run the embedded broker and a gateway until Ctrl-C or SIGTERM.

    SIGHUP with a plant file and certificates that are right begins again with them.
    """
    log_for_operators()
    host, http_port = http_address(http)
    described, on_duty = read_plant(plant), read_on_duty(duty, base_url)
    clock = SystemClock()
    guard = guard_of(mqtt_host, broker_credentials, broker_certificates, client_certificates, anonymous=mqtt_anonymous)
    broker = EmbeddedBroker(data / "broker", clock=clock, host=mqtt_host, port=port, guard=guard)
    settings = GatewaySettings(
        data_dir=data / "gateway",
        broker=beside(broker, guard),
        http_host=host,
        http_port=http_port,
        http_certificate=tls_cert,
        http_key=tls_key,
        records=records_address(records, records_password_file),
        history=history_address(history, history_token_file),
        accounts=not no_accounts,
        access=access_settings(access),
        registry=registry_path(registry),
        **history_bounds(history_keep_days, history_max_gb),
    )
    again = False
    try:
        files = Files(plant, duty)
        again = asyncio.run(_serve(broker, settings, described, clock, files, on_duty))
    except* GatewayError as errors:
        typer.echo(f"hazgate up: {sentences(errors)}", err=True)
        raise typer.Exit(1) from None
    if again:
        begin_again()


async def _serve(
    broker: EmbeddedBroker, settings: GatewaySettings, plant: Plant, clock: Clock, files: Files, on_duty: OnDuty
) -> bool:
    """Run both until a signal asks for the end; says whether to begin again.

    Raises:
        GatewayError: One of them did not start, or failed; alone or in a group.
    """
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    again = False

    def reload() -> None:
        nonlocal again
        again = may_begin_again(files, settings)
        if again:
            stop.set()

    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reload)
    async with broker, asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(broker.supervise())

        def welcome(address: str) -> None:
            _welcome(address, broker, plant)

        await run_gateway(settings, plant, clock, stop, welcome, tell_password, on_duty)
        watching.cancel()
    return again


def _welcome(address: str, broker: EmbeddedBroker, plant: Plant) -> None:
    """Say what listens where, and what to do next."""
    agents = [edge.id for edge in plant.edges.values() if edge.kind is EdgeKind.AGENT]
    typer.echo(f"实时页面 live page  {address}/")
    typer.echo(f"接口     API        {address}/api/v1")
    typer.echo(f"消息代理 MQTT       {broker.url}")
    for edge in agents:
        typer.echo(f"边缘     edge       hazgate edge --edge {edge} --data DIR --plant FILE --broker {broker.url}")
    typer.echo("Ctrl-C 结束 ends")
