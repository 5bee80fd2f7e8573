"""`hazgate doctor`: what a gateway or edge stands on, looked at."""

from __future__ import annotations

import json as jsons
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from config.clock import SystemClock
from hazgate.arguments import (
    BrokerPassword,
    HistoryOption,
    HistoryToken,
    RecordsOption,
    broker_address,
    history_address,
    plant_path,
    read_plant,
    records_address,
)
from hazgate.doctor import Finding, Verdict, look_at_certificate, look_at_data, look_at_machine
from hazgate.doctor_broker import look_at_broker, look_at_broker_certificate
from hazgate.doctor_stores import look_at_history_server, look_at_records_server, look_at_stores

__all__ = ["run"]

_MARKS = {Verdict.OK: "正常 ok  ", Verdict.WARN: "注意 warn", Verdict.FAIL: "故障 fail"}


def run(
    *,
    data: Annotated[list[Path] | None, typer.Option(help="Data directory of a gateway or an edge.")] = None,
    broker: Annotated[
        str, typer.Option(help="mqtt://host:port, mqtts://..; its limits are measured. With accounts: the gateway's.")
    ] = "",
    broker_password_file: BrokerPassword = None,
    plant: Annotated[str, typer.Option(help="Plant file to be read.")] = "",
    records: RecordsOption = "",
    history: HistoryOption = "",
    history_token_file: HistoryToken = None,
    certificate: Annotated[list[Path] | None, typer.Option(help="Certificate (PEM) whose end is looked at.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """体检：磁盘、时钟、数据库、消息代理、证书。 Look at disk, clock, records, broker, certificates."""
    findings = list(look_at_machine())
    findings += _look_at_folders(data or [])
    if plant:
        described = read_plant(plant)
        findings.append(Finding("plant", Verdict.OK, f"{plant_path(plant)}: {len(described.tags)} tags"))
    if broker:
        address = broker_address(broker, broker_password_file)
        findings += look_at_broker(address)
        shown = look_at_broker_certificate(address, SystemClock().wall_ms())
        findings += [shown] if shown else []
    if (database := records_address(records, None)) is not None:
        findings.append(look_at_records_server(database))
    if (server := history_address(history, history_token_file)) is not None:
        findings.append(look_at_history_server(server))
    findings += [look_at_certificate(path, SystemClock().wall_ms()) for path in certificate or []]
    if json:
        typer.echo(jsons.dumps([_document(one) for one in findings], ensure_ascii=False))
    else:
        for one in findings:
            typer.echo(f"{_MARKS[one.verdict]}  {one.name}: {one.found}")
            if one.mend:
                typer.echo(f"            → {one.mend.zh} / {one.mend.en}")
    if any(one.verdict is Verdict.FAIL for one in findings):
        raise typer.Exit(1)


def _look_at_folders(folders: list[Path]) -> Iterator[Finding]:
    for folder in folders:
        yield from look_at_data(folder)
        if folder.is_dir():
            yield from look_at_stores(folder)


def _document(one: Finding) -> dict[str, object]:
    mend = None if one.mend is None else {"zh": one.mend.zh, "en": one.mend.en}
    return {"name": one.name, "verdict": one.verdict.value, "found": one.found, "mend": mend}
