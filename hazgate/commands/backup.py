"""`hazgate backup`: the records (and the history) of a gateway in one file."""

from __future__ import annotations

import json as jsons
from pathlib import Path
from typing import Annotated

import typer

from config.clock import SystemClock
from hazgate.backup import BackupError, back_up

__all__ = ["run"]


def run(
    *,
    data: Annotated[Path, typer.Option(help="Data directory of the gateway.")],
    to: Annotated[Path, typer.Option(help="File to be made, FILE.tar.gz; an older one of that name is replaced.")],
    records_only: Annotated[bool, typer.Option(help="Leave the history out; then the gateway may run.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """备份网关数据。 Back a gateway up. PostgreSQL and InfluxDB have tools of their own: pg_dump, influx backup."""
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
