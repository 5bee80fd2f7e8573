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
from hazgate.bench.core import Effort, checks, numba_version, run_core
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


@app.command()
def core(
    quick: Annotated[bool, typer.Option("--quick", help="Fewer calls, in under 50 s.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Exit 1 when a figure is not what is asked for.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """报警内核：与编译版和标量版比较。 The alarm core, beside its compiled and its scalar twin."""
    console = Console(stderr=True)
    try:
        with console.status("") as status:
            rows = run_core(Effort.quick() if quick else Effort(), status.update)
    except BenchError as error:
        typer.echo(f"hazgate bench: {error}", err=True)
        raise typer.Exit(1) from error
    numba = numba_version()
    note = None if numba else "numba is not installed, so there is nothing compiled to compare with: make setup"
    found = checks(rows)
    if as_json:
        on = machine() | {"numba": numba}
        typer.echo(json.dumps({"machine": on, "note": note, "cases": rows, "checks": found}, indent=2))
    else:
        answer = Console()
        answer.print(_across("alarm core", rows))
        answer.print(_across("what is asked of it", found))
        if note:
            answer.print(note)
    if check and not all(one["met"] for one in found if one["met"] is not None):
        raise typer.Exit(1)


def _across(title: str, rows: list[dict[str, Any]]) -> Table:
    table = Table(title=title)
    for key in rows[0]:
        table.add_column(key, justify="right")
    for row in rows:
        table.add_row(
            *(
                "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
                for value in row.values()
            )
        )
    return table


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table(title="pipeline")
    table.add_column("")
    for row in rows:
        table.add_column(f"{row['case']} · {row['broker']}", justify="right")
    for key in rows[0]:
        table.add_row(key, *(str(row[key]) for row in rows))
    return table
