"""`hazgate backtest`: what proposed rules would have done with the stored history."""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from config.clock import Clock, SystemClock
from config.errors import PlantError
from config.plant.load import load_plant
from config.plant.model import Plant
from gateway.app import HISTORY_FILE
from gateway.backtest import Crew, Period, TagPast, UnknownTagsError, run_backtest, tags_like
from gateway.backtest_report import BacktestReport, Compared, Side, report_of
from gateway.errors import GatewayError
from gateway.history.duckdb_store import HistoryStore
from gateway.lock import own
from gateway.records.database import DATABASE_FILE, open_reader
from gateway.records.queries import Queries
from hazgate.arguments import PlantFile, moment_ms, plant_path, read_plant, wrong_use
from hazgate.backtest_plot import plot

__all__ = ["run"]

_SPAN = re.compile(r"-(\d+)([dh])")
_HOUR_MS = 3_600_000


def run(  # noqa: PLR0917 - typer passes options by name
    rules: Annotated[Path, typer.Option(help="The proposed rules: a whole plant file.")],
    from_: Annotated[str, typer.Option("--from", help="Begin: ISO 8601 (UTC unless said), or -30d, -12h.")] = "-30d",
    to: Annotated[str, typer.Option(help="End, exclusive; now when not given.")] = "",
    tags: Annotated[str, typer.Option(help="Tags, separated by commas; `*` stands for anything.")] = "*",
    data_dir: Annotated[Path, typer.Option(help="Data directory of a stopped gateway, or a copy.")] = Path("data"),
    plant: PlantFile = "demo",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    every: Annotated[bool, typer.Option("--all", help="Also what does not change.")] = False,
    picture: Annotated[Path | None, typer.Option("--plot", help="Write the differences as a picture (SVG).")] = None,
) -> None:
    """在历史数据上比较现行与拟用的报警规则。 Compare today's and proposed alarm rules on the stored history."""
    clock = SystemClock()
    period = _period(from_, to, clock)
    today, proposed = read_plant(plant), _proposed(rules)
    names = _names(tags, today, proposed)
    began_s = clock.monotonic_s()
    try:
        with _stored(data_dir) as (history, queries):
            crew, stop = Crew(threads=os.cpu_count() or 1), threading.Event()
            pasts = run_backtest(history, queries.tag_id, (today, proposed), names, period, stop=stop, crew=crew)
            report = report_of(_watched(pasts, len(names)), period)
    except GatewayError as error:
        typer.echo(
            f"hazgate backtest: {error}\nStop the gateway, name a copy of its data directory, or ask the running one: "
            "POST /api/v1/backtest",
            err=True,
        )
        raise typer.Exit(1) from error
    if not report.samples:
        wrong_use("no samples of these tags in that time; see --from, --to, --tags and --data-dir")
    if picture is not None:
        picture.write_text(plot(report), encoding="utf-8")
    if as_json:
        typer.echo(report.model_dump_json(indent=2))
    else:
        _print(report, clock.monotonic_s() - began_s, every=every)


def _period(from_: str, to: str, clock: Clock) -> Period:
    now_ms = clock.wall_ms()
    to_ms = _moment("--to", to, now_ms) if to else now_ms
    from_ms = _moment("--from", from_, to_ms)
    if from_ms >= to_ms:
        wrong_use(f"--from {from_} is not before --to {to or 'now'}")
    return Period(from_ms, to_ms)


def _moment(option: str, text: str, end_ms: int) -> int:
    span = _SPAN.fullmatch(text.strip())
    if span is None:
        return moment_ms(option, text, end_ms)
    return max(0, end_ms - int(span[1]) * _HOUR_MS * (24 if span[2] == "d" else 1))


def _proposed(rules: Path) -> Plant:
    try:
        return load_plant(plant_path(str(rules)))
    except PlantError as error:
        for problem in error.problems:
            typer.echo(str(problem), err=True)
        raise typer.Exit(2) from error


def _names(tags: str, today: Plant, proposed: Plant) -> list[str]:
    patterns = [pattern.strip() for pattern in tags.split(",") if pattern.strip()]
    try:
        return tags_like(patterns, (today, proposed))
    except UnknownTagsError as error:
        wrong_use(f"--tags {error.pattern}: no tag of either plant file fits")


@contextlib.contextmanager
def _stored(data_dir: Path) -> Iterator[tuple[HistoryStore, Queries]]:
    """Open what a stopped gateway has stored."""
    for name in (HISTORY_FILE, DATABASE_FILE):
        if not (data_dir / name).is_file():
            wrong_use(f"--data-dir {data_dir}: no {name}; name the directory a gateway keeps its data in")
    with own(data_dir), contextlib.closing(HistoryStore(data_dir / HISTORY_FILE)) as history:
        engine = open_reader(data_dir)
        try:
            yield history, Queries(engine)
        finally:
            engine.dispose()


def _watched(pasts: Iterator[TagPast], count: int) -> Iterator[TagPast]:
    """Show how far it is, on a terminal."""
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task("回测 backtest", total=count)
        for past in pasts:
            progress.advance(bar)
            yield past


def _print(report: BacktestReport, took_s: float, *, every: bool) -> None:
    console = Console()
    table = Table(title="报警回测 · Backtest", title_justify="left", header_style="dim")
    for column in ("tag", "", "现行 today", "拟用 proposed", "+", "−", "~", "in alarm", "chattering"):
        is_name = column in ("tag", "")
        table.add_column(column, justify="left" if is_name else "right", no_wrap=is_name, min_width=6)
    shown = [one for one in report.conditions if every or one.added or one.removed or one.moved]
    for one in shown:
        table.add_row(one.tag, one.condition.value, *_cells(one, one.today, one.proposed))
    table.add_section()
    table.add_row("合计 · total", "", *_cells(report, report.today, report.proposed), style="bold")
    console.print(table)
    if len(shown) < len(report.conditions):
        console.print(f"{len(report.conditions) - len(shown)} conditions with alarms do not change: --all", style="dim")
    for name, side in (("现行 today", report.today), ("拟用 proposed", report.proposed)):
        console.print(
            f"{name}: {side.per_day:.3g} alarms/day, at most {side.most_in_ten_minutes} in 10 min, "
            f"{100 * side.in_flood:.2g} % in flood: {side.verdict} (EEMUA 191: 150 a day, 300 at most)"
        )
    rate = report.samples / max(took_s, 1e-9) / 1e6
    console.print(f"{report.samples:,} samples of {report.tags} tags in {took_s:.1f} s ({rate:.1f} M/s)", style="dim")


def _cells(counts: Compared | BacktestReport, today: Side, proposed: Side) -> Sequence[str]:
    return (
        f"{today.alarms} ({today.per_day:.3g}/d)",
        f"{proposed.alarms} ({proposed.per_day:.3g}/d)",
        *(str(one) if one else "" for one in (counts.added, counts.removed, counts.moved)),
        f"{_hours(today.in_alarm_s)} → {_hours(proposed.in_alarm_s)}",
        f"{today.chattering} → {proposed.chattering}",
    )


def _hours(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 600 else f"{seconds / 3600:.1f} h"  # noqa: PLR2004 - ten minutes
