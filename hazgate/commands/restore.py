"""`hazgate restore`: a data directory from a backup."""

from __future__ import annotations

import json as jsons
from pathlib import Path
from typing import Annotated

import typer

from config.clock import SystemClock
from hazgate.backup import BackupError, restore

__all__ = ["run"]


def run(
    source: Annotated[Path, typer.Argument(help="File that `hazgate backup` made.")],
    *,
    data: Annotated[Path, typer.Option(help="Data directory to be made.")],
    force: Annotated[bool, typer.Option(help="Move what is there aside.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """恢复网关数据。 Restore a gateway. Readings its edges have deleted since the backup show up as missing frames."""
    try:
        manifest, aside = restore(source, data, SystemClock(), force=force)
    except BackupError as error:
        typer.echo(f"hazgate restore: {error}", err=True)
        raise typer.Exit(1) from error
    if json:
        typer.echo(jsons.dumps({"data": str(data), "aside": str(aside) if aside else None, **manifest.document()}))
        return
    typer.echo(f"已恢复 restored  {data}: {', '.join(manifest.files)}; log position {manifest.position}")
    if aside:
        typer.echo(f"原目录 what was there lies in  {aside}")
