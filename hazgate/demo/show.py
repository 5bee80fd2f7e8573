"""A demo for people and for scripts: what is printed while it runs, and at its end."""

from __future__ import annotations

import asyncio
import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.panel import Panel
from rich.table import Table

from config.clock import Clock, SystemClock
from config.errors import PlantError
from gateway.broker import free_port
from gateway.errors import GatewayError
from hazgate.demo.picture import Picture
from hazgate.demo.place import Home, data_directory, http_port
from hazgate.demo.report import Judgement
from hazgate.demo.run import Demo, DemoError, Setting, StoppedError
from hazgate.demo.view import Terms, plain_figures, plain_moment, render
from simulators.errors import ScenarioError
from simulators.library import Loaded, load_scenario

__all__ = ["Wish", "play_demo"]

_FRAMES_PER_S = 5
_PLAIN_EVERY_S = 5.0
_PLAIN_LOOK_S = 0.5


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user asked for."""

    scenario: str
    seconds: float | None
    report: Path | None
    data: Path | None
    host: str
    port: int
    seed: int | None
    as_json: bool


async def play_demo(wish: Wish, stop: asyncio.Event) -> int:
    """Play a demo; returns the exit code.

    Args:
        wish: What the user asked for.
        stop: The user wants the end.
    """
    out = Console(stderr=wish.as_json, highlight=False)
    try:
        loaded = load_scenario(wish.scenario)
    except (ScenarioError, PlantError) as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)  # noqa: T201 - the answer
        return 2
    try:
        with data_directory(wish.data) as home:
            code = await _play_in(home, wish, loaded, stop, out)
            if home.wanted:
                out.print(f"数据与日志 data and logs: {home.path}", markup=False, soft_wrap=True)
            return code
    except OSError as error:
        out.print(f"hazgate demo: {error}", style="red", markup=False)
        return 1


async def _play_in(home: Home, wish: Wish, loaded: Loaded, stop: asyncio.Event, out: Console) -> int:
    """Play; what went wrong is told, and its traces are kept."""
    try:
        passed = await _play(wish, loaded, home.path, stop, out)
    except StoppedError:
        out.print("[bold]已停止，未作评判[/] Stopped by you: every process has ended, nothing is judged.")
        return 0
    except (DemoError, GatewayError) as error:
        out.print(f"hazgate demo: {error}", style="red", markup=False)
        passed = False
    home.wanted |= not passed
    return 0 if passed else 1


async def _play(wish: Wish, loaded: Loaded, data_dir: Path, stop: asyncio.Event, out: Console) -> bool:
    """Play, judge, tell, write the report; says whether all is well."""
    clock = SystemClock()
    judged = wish.seconds is not None or wish.report is not None or wish.as_json
    port = http_port(wish.host, wish.port)
    setting = Setting(
        loaded=loaded,
        seed=loaded.scenario.seed if wish.seed is None else wish.seed,
        seconds=wish.seconds or (loaded.scenario.duration_s if judged else None),
        data_dir=data_dir,
        broker=f"127.0.0.1:{free_port()}",
        http=f"{wish.host}:{port}",
    )
    picture = Picture()
    demo = Demo(setting, clock, picture)
    terms = Terms(
        plant=loaded.plant,
        scenario=loaded.scenario,
        seed=setting.seed,
        seconds=setting.seconds,
        page=demo.address,
        data_dir=str(data_dir),
        note="" if port == wish.port or not wish.port else f"端口 {wish.port} 被占用 port {wish.port} is taken",
    )
    show = _picture if out.is_terminal and not out.is_dumb_terminal else _lines
    judgement = await demo.run(stop, lambda: show(out, terms, demo, picture, clock))
    document = {**judgement.document(), **_circumstances(setting, wish)}
    if wish.report:
        wish.report.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    if wish.as_json:
        print(json.dumps(document, ensure_ascii=False))  # noqa: T201 - the answer
    _tell(out, judgement, wish)
    return judgement.passed


def _circumstances(setting: Setting, wish: Wish) -> dict[str, Any]:
    from hazgate.bench.pipeline import machine  # noqa: PLC0415 - the whole gateway: not before it is needed

    return {
        "scenario": setting.loaded.scenario.name,
        "seed": setting.seed,
        "seconds": setting.seconds,
        "data_dir": str(wish.data) if wish.data else None,
        "machine": machine(),
    }


async def _picture(out: Console, terms: Terms, demo: Demo, picture: Picture, clock: Clock) -> None:
    """Draw the picture over the whole terminal until cancelled."""
    with Live(console=out, screen=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False) as live:
        while True:
            size = (out.size.width, out.size.height)
            live.update(render(terms, picture, demo.processes(), clock.wall_ms(), size), refresh=True)
            await asyncio.sleep(1 / _FRAMES_PER_S)


async def _lines(out: Console, terms: Terms, _demo: Demo, picture: Picture, clock: Clock) -> None:
    """Print lines: the story as it happens, the figures every few seconds."""

    def say(text: str) -> None:
        out.print(text, markup=False, soft_wrap=True)

    say(f"HazGate demo · {terms.scenario.title} · seed {terms.seed} · data {terms.data_dir}")
    say(f"live page {terms.page}/ · API {terms.page}/api/v1 {terms.note}".rstrip())
    told, figures_at_s = 0, -math.inf
    while True:
        await asyncio.sleep(_PLAIN_LOOK_S)
        moments = list(picture.moments)
        started_ms = picture.progress.started_ms if picture.progress else 0
        for moment in moments[told:]:
            say(plain_moment(moment, started_ms))
        told = len(moments)
        if clock.monotonic_s() - figures_at_s >= _PLAIN_EVERY_S:
            figures_at_s = clock.monotonic_s()
            say(plain_figures(picture))


def _tell(out: Console, judgement: Judgement, wish: Wish) -> None:
    """Print the verdict."""
    verdict, compared, delays = judgement.verdict, judgement.comparison, judgement.delays
    table = Table.grid(padding=(0, 2))
    rows = (
        ("样本 samples", f"{judgement.sent:,} 发出 sent · {judgement.stored:,} 留存 stored"),
        ("丢失 lost", str(judgement.lost)),
        ("重复 stored twice", str(len(compared.doubled))),
        ("报警 alarms", f"{verdict.expected} 应报 expected · {verdict.raised} 实报 raised"),
        ("漏报 missed", str(len(verdict.missed))),
        ("误报 false", str(len(verdict.false))),
        ("样本到报警 sample to alarm", f"p50 {delays.p50:g} · p99 {delays.p99:g} · max {delays.max:g} ms"),
    )
    for name, value in rows:
        table.add_row(name, value)
    title, style = (" 通过 PASSED ", "green") if judgement.passed else (" 未通过 FAILED ", "red")
    out.print(Panel(table, title=title, border_style=style, expand=False))
    for trouble in (*verdict.missed, *verdict.false):
        out.print(f"  {trouble}", style="red", markup=False)
    if judgement.unsent:
        out.print(f"  {judgement.unsent} samples never reached the broker", style="red")
    if wish.report:
        out.print(f"报告 report: {wish.report}", markup=False)
