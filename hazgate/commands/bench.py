"""`hazgate bench`: figures that anyone can measure again."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from config.clock import SystemClock
from hazgate.arguments import RecordsOption, RecordsPassword, records_address, wrong_use
from hazgate.bench.backtest import measure_backtest
from hazgate.bench.context import measure_context
from hazgate.bench.core import Effort, checks, numba_version, run_core
from hazgate.bench.dangers import measure_dangers
from hazgate.bench.detection import detect
from hazgate.bench.handling import measure_handling
from hazgate.bench.kpi import measure_kpi
from hazgate.bench.notify import measure_notify
from hazgate.bench.pipeline import CASES, BenchError, Stores, machine, run_case
from hazgate.bench.registry import measure_registry
from hazgate.bench.search import Sizes, measure_search
from hazgate.bench.town import Town

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
    records: Annotated[
        str, typer.Option(help="postgresql://...: an empty database; default SQLite. One case only.")
    ] = "",
    history: Annotated[str, typer.Option(help="influx://...: an empty bucket; default DuckDB. One case only.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """代理、网关、负载发生器三进程同机：吞吐、报警延迟、丢失。 Broker, gateway and load: rate, delay, loss."""
    console = Console(stderr=True)
    names = list(CASES) if case is _Cases.ALL else [case.value]
    rows: list[dict[str, Any]] = []
    try:
        for name in names:
            asked = CASES[name] if rate is None else replace(CASES[name], samples_per_s=rate)
            rows.append(run_case(asked, broker.value, Stores(records, history), seconds, SystemClock(), console.print))
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


@app.command()
def handling(
    alarms: Annotated[int, typer.Option(min=1, max=1000, help="In one call.")] = 1_000,
    rounds: Annotated[int, typer.Option(min=1, help="How often.")] = 5,
    broker: Annotated[_Broker, typer.Option(help="Which broker is between.")] = _Broker.MOSQUITTO,
    records: Annotated[str, typer.Option(help="postgresql://...: an empty database; default SQLite.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """一次确认多条报警的用时。 Many alarms acknowledged in one call."""

    def measure(say: Callable[[str], None]) -> dict[str, Any]:
        return measure_handling(alarms, rounds, broker.value, Stores(records), SystemClock(), say)

    _show_one("handling", measure, as_json=as_json)


@app.command()
def notify(
    per_minute: Annotated[int, typer.Option(min=15, help="Alarms a minute.")] = 1_000,
    seconds: Annotated[float, typer.Option(min=1.0, help="For how long.")] = 60.0,
    broker: Annotated[_Broker, typer.Option(help="Which broker is between.")] = _Broker.MOSQUITTO,
    records: Annotated[str, typer.Option(help="postgresql://...: an empty database; default SQLite.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """报警发生到首个渠道收到的时间。 From an alarm being raised to the first channel receiving it."""

    def measure(say: Callable[[str], None]) -> dict[str, Any]:
        return measure_notify(per_minute, seconds, broker.value, Stores(records), SystemClock(), say)

    _show_one("notify", measure, as_json=as_json)


@app.command()
def registry(
    rows: Annotated[int, typer.Option(min=100, max=50_000, help="Of the workbook.")] = 50_000,
    tags: Annotated[int, typer.Option(min=1, help="Of the plant that is taken up before.")] = 200_000,
    records: Annotated[str, typer.Option(help="postgresql://...: an empty database; default SQLite.")] = "",
    folder: Annotated[Path | None, typer.Option(help="Where the records are made.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """登记数据导入的用时与写锁时间。 A workbook into the registry: how long, and how long the pipeline cannot write."""

    def measure(say: Callable[[str], None]) -> dict[str, Any]:
        address = records_address(records, None)
        with tempfile.TemporaryDirectory(prefix="hazgate-bench-", dir=folder) as place:
            return measure_registry(Path(place), rows, tags, address, SystemClock(), say)

    _show_one("registry", measure, as_json=as_json)


def _show_one(name: str, measure: Callable[[Callable[[str], None]], dict[str, Any]], *, as_json: bool) -> None:
    """Measure one thing and print it."""
    try:
        with Console(stderr=True).status("") as status:
            row = measure(status.update)
    except BenchError as error:
        typer.echo(f"hazgate bench: {error}", err=True)
        raise typer.Exit(1) from error
    if as_json:
        typer.echo(json.dumps({"machine": machine(), name: row}, indent=2))
    else:
        Console().print(_across(name, [row]))


@app.command()
def backtest(
    tags: Annotated[int, typer.Option(min=1, help="One sample a second each.")] = 100,
    days: Annotated[int, typer.Option(min=1, help="Of samples.")] = 30,
    quick: Annotated[bool, typer.Option("--quick", help="A day instead of a month.")] = False,
    threads: Annotated[int, typer.Option(min=1, help="That evaluate, one tag each.")] = os.cpu_count() or 1,
    folder: Annotated[Path | None, typer.Option(help="Where the history is made (27 bytes a sample at most).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """历史回测的速度。 How fast a backtest goes through the embedded history."""
    console = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="hazgate-bench-", dir=folder) as place:
        row = measure_backtest(Path(place), tags, 1 if quick else days, threads, SystemClock(), console.print)
    if as_json:
        typer.echo(json.dumps({"machine": machine(), "cases": [row]}, indent=2))
    else:
        for key, value in row.items():
            console.print(f"{key:16} {value}")


@app.command()
def kpi(
    alarms: Annotated[int, typer.Option(min=1, help="In the month.")] = 1_000_000,
    days: Annotated[int, typer.Option(min=1, help="Length of the month.")] = 30,
    seed: Annotated[int, typer.Option(help="Of the generator.")] = 1,
    folder: Annotated[Path | None, typer.Option(help="Where the records are made (400 bytes an alarm).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """一个月报警指标的计算时间。 How long the KPIs of a month take."""
    console = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="hazgate-bench-", dir=folder) as place:
        row = measure_kpi(Path(place), alarms, days, seed, SystemClock(), console.print)
    if as_json:
        typer.echo(json.dumps({"machine": machine(), "cases": [row]}, indent=2))
    else:
        for key, value in row.items():
            console.print(f"{key:16} {value}")


@app.command()
def dangers(
    number: Annotated[int, typer.Option("--dangers", min=1, help="How many.")] = 500_000,
    enterprises: Annotated[int, typer.Option(min=1, help="Whose; each has four units.")] = 5_000,
    seed: Annotated[int, typer.Option(help="Of the generator.")] = 1,
    folder: Annotated[Path | None, typer.Option(help="Where the records are made (2 kB a danger).")] = None,
    records: RecordsOption = "",
    records_password_file: RecordsPassword = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """隐患台账的查询时间。 How long it takes to ask for hidden dangers."""
    console = Console(stderr=True)
    address = records_address(records, records_password_file)
    with tempfile.TemporaryDirectory(prefix="hazgate-bench-", dir=folder) as place:
        row = measure_dangers(Path(place), number, enterprises, seed, SystemClock(), console.print, address)
    if as_json:
        typer.echo(json.dumps({"machine": machine(), "cases": [row]}, indent=2))
    else:
        for key, value in row.items():
            console.print(f"{key:20} {value}")


@app.command()
def context(  # noqa: PLR0917 - typer passes options by name
    enterprises: Annotated[int, typer.Option(min=1)] = 5_000,
    units: Annotated[int, typer.Option(min=1, help="Hazard units, ten tags each.")] = 20_000,
    alarms: Annotated[int, typer.Option(min=1, help="In the last 30 days.")] = 1_000_000,
    dangers: Annotated[int, typer.Option(min=0, help="Hidden dangers.")] = 500_000,
    cold: Annotated[int, typer.Option(min=1, help="Questions after a restart.")] = 200,
    warm: Annotated[int, typer.Option(min=1, help="Questions then.")] = 1_000,
    seed: Annotated[int, typer.Option(help="Of the generator.")] = 1,
    records: Annotated[str, typer.Option(help="postgresql://...: an empty database; default SQLite.")] = "",
    data: Annotated[Path | None, typer.Option(help="Keep the stores there, or use those that are (3 GB).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """一条报警的全部背景：用时。 How long everything around an alarm takes."""
    town = Town(enterprises, units, alarms, dangers, seed)

    def measure(say: Callable[[str], None]) -> dict[str, Any]:
        with tempfile.TemporaryDirectory(prefix="hazgate-bench-") as place:
            return measure_context(data or Path(place), records, town, (cold, warm), SystemClock(), say)

    _show_one("context", measure, as_json=as_json)


@app.command()
def search(
    *,
    enterprises: Annotated[int, typer.Option(min=1)] = 5_000,
    units: Annotated[int, typer.Option(min=0)] = 20_000,
    tags: Annotated[int, typer.Option(min=0)] = 200_000,
    alarms: Annotated[int, typer.Option(min=0)] = 1_000_000,
    dangers: Annotated[int, typer.Option(min=0, help="Hidden dangers.")] = 500_000,
    seed: Annotated[int, typer.Option(help="Of the generator.")] = 1,
    rounds: Annotated[int, typer.Option(min=1, help="How often everything is asked.")] = 20,
    folder: Annotated[Path | None, typer.Option(help="Where the records are made.")] = None,
    records: Annotated[str, typer.Option(help="postgresql://...: an empty database; default SQLite.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """搜索的用时。 How long the search takes."""
    sizes = Sizes(enterprises, units, tags, alarms, dangers)
    address = records_address(records, None)

    def measure(say: Callable[[str], None]) -> dict[str, Any]:
        with tempfile.TemporaryDirectory(prefix="hazgate-bench-", dir=folder) as place:
            return measure_search(Path(place), address, sizes, seed, rounds, SystemClock(), say)

    _show_one("search", measure, as_json=as_json)


@app.command()
def detection(
    data: Annotated[Path, typer.Option(help="Holds skab/*/*.csv (waico/SKAB) or nab/windows.json (numenta/NAB).")],
    false_alarms_per_day: Annotated[
        list[float] | None, typer.Option(help="Wanted of each channel; may be given several times. [24, 1, 1/30]")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """带标签数据上的检出、延迟与误报。 Faults found, how late, and false alarms, on labelled series."""
    console = Console(stderr=True)
    rates = false_alarms_per_day or [24.0, 1.0, 1 / 30]
    if not all(rate > 0.0 for rate in rates):
        wrong_use(f"--false-alarms-per-day {min(rates):g}: more than 0 is needed")
    try:
        found = detect(data, rates, console.print if console.is_terminal else lambda _: None)
    except BenchError as error:
        typer.echo(f"hazgate bench: {error}", err=True)
        raise typer.Exit(1) from error
    if as_json:
        typer.echo(json.dumps({"machine": machine(), **found}, indent=2))
    else:
        Console().print(_totals(found["totals"]), _by_file(found["files"]))


def _totals(rows: list[dict[str, Any]]) -> Table:
    table = Table(title="detection")
    for title in ("data", "detector", "wanted", "found", "by chance", "median, longest s", "false", "per channel-day"):
        table.add_column(title, overflow="fold", justify="right")
    for row in rows:
        table.add_row(
            row["data"],
            row["detector"],
            _number(row["wanted_per_channel_day"]),
            f"{row['detected']} of {row['faults']}",
            _number(row["by_chance"]),
            f"{_number(row['median_delay_s'])}, {_number(row['longest_delay_s'])}",
            str(row["false_alarms"]),
            _number(row["false_alarms_per_channel_day"]),
        )
    return table


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}" if value >= 1_000 else f"{value:.3g}"  # noqa: PLR2004 - as people write


def _by_file(scores: list[dict[str, Any]]) -> Table:
    """Return a line for each file and suggested setting."""
    table = Table(title="by file")
    for title in ("file", "detector", "wanted/day", "faults", "found: after, by", "false alarms"):
        table.add_column(title, overflow="fold")
    for one in scores:
        if one["wanted_per_day"] is not None:
            found = "\n".join(
                f"{delay:g} s, {first}" for delay, first in zip(one["delays_s"], one["first"], strict=True)
            )
            wanted, counts = f"{one['wanted_per_day']:.3g}", (str(one["faults"]), found, str(one["false_alarms"]))
            table.add_row(one["file"], one["detector"], wanted, *counts)
    return table


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
