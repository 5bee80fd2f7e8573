"""`hazgate bench`: figures that anyone can measure again."""

from __future__ import annotations

import json
from dataclasses import replace
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from config.clock import SystemClock
from hazgate.bench.pipeline import CASES, BenchError, machine, run_case

__all__ = ["app"]

app = typer.Typer(help="测量并报告性能。 Measure, and say on what.", no_args_is_help=True)


class _Broker(StrEnum):
    MOSQUITTO = "mosquitto"
    EMBEDDED = "embedded"


class _Cases(StrEnum):
    ALL = "all"
    FRAMES = "frames"
    SINGLE = "single"


@app.callback()
def _bench() -> None:
    """测量并报告性能。 Measure, and say on what."""


@app.command()
def pipeline(
    seconds: Annotated[float, typer.Option(min=1.0, help="How long each case sends.")] = 60.0,
    case: Annotated[_Cases, typer.Option(help="frames: 100 samples a message; single: one sample a message.")] = (
        _Cases.ALL
    ),
    broker: Annotated[_Broker, typer.Option(help="Which broker is between.")] = _Broker.MOSQUITTO,
    rate: Annotated[int | None, typer.Option(min=1, help="Samples a second instead of the case's own.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """代理、网关、负载发生器三进程同机：吞吐、报警延迟、丢失。 Broker, gateway and load: rate, delay, loss."""
    console = Console(stderr=True)
    names = list(CASES) if case is _Cases.ALL else [case.value]
    rows: list[dict[str, Any]] = []
    try:
        for name in names:
            asked = CASES[name] if rate is None else replace(CASES[name], samples_per_s=rate)
            rows.append(run_case(asked, broker.value, seconds, SystemClock(), console.print))
    except BenchError as error:
        typer.echo(f"hazgate bench: {error}", err=True)
        raise typer.Exit(1) from error
    if as_json:
        typer.echo(json.dumps({"machine": machine(), "cases": rows}, indent=2))
    else:
        console.print(_table(rows))
    if any(row["lost"] for row in rows):
        raise typer.Exit(1)


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table(title="pipeline")
    table.add_column("")
    for row in rows:
        table.add_column(f"{row['case']} · {row['broker']}", justify="right")
    for key in rows[0]:
        table.add_row(key, *(str(row[key]) for row in rows))
    return table
