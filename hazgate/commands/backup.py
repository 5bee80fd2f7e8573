"""`hazgate backup`: the records (and the history) of a gateway in one file."""

from __future__ import annotations

import json as jsons
import shlex
from pathlib import Path
from typing import Annotated, Never

import typer

from config.clock import SystemClock
from config.settings import RecordsAddress
from hazgate.arguments import RecordsOption, records_address, wrong_use
from hazgate.backup import BackupError, back_up

__all__ = ["run"]


def run(
    *,
    data: Annotated[Path | None, typer.Option(help="Data directory of the gateway.")] = None,
    to: Annotated[Path, typer.Option(help="File to be made, FILE.tar.gz; an older one of that name is replaced.")],
    records: RecordsOption = "",
    records_only: Annotated[bool, typer.Option(help="Leave the history out; then the gateway may run.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """备份网关数据。 Back a gateway up. PostgreSQL and InfluxDB have tools of their own: pg_dump, influx backup."""
    address = records_address(records, None)
    if address is not None:
        _say_how(address, to)
    if data is None:
        wrong_use("name the data directory of a gateway: --data DIR")
    try:
        manifest = back_up(data, to, SystemClock(), records_only=records_only)
    except BackupError as error:
        typer.echo(f"hazgate backup: {error}", err=True)
        raise typer.Exit(1) from error
    if json:
        typer.echo(jsons.dumps({"file": str(to), **manifest.document()}))
        return
    typer.echo(f"已备份 backed up  {to}  ({to.stat().st_size / 1e6:.1f} MB): {', '.join(manifest.files)}")
    typer.echo(f"schema {manifest.revision}, log position {manifest.position}")


def _say_how(address: RecordsAddress, to: Path) -> Never:
    """End with exit 2 and the command that backs PostgreSQL up; a password is never part of it."""
    user = ["--username", address.user] if address.user else []
    where = ["--host", address.host, "--port", str(address.port), *user]
    command = shlex.join(["pg_dump", *where, "--format=custom", f"--file={to}", address.database])
    wrong_use(f"PostgreSQL 用它自己的工具备份 / PostgreSQL is backed up with its own tool:\n  {command}")
