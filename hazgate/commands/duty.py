"""`hazgate duty`: check and show duty files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from config.clock import SystemClock
from config.duty.channels import read_channels
from config.duty.load import load_duty
from config.duty.model import DEFAULT_DUTY, Duty
from config.errors import PlantError
from gateway.notify.roster import on_duty, shifts_at

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="值班文件 · duty files: rosters, ladders, channels.")

_WIDE = 140
File = Annotated[Path, typer.Argument(help="Duty file (YAML).")]


@app.command()
def check(file: File) -> None:
    """检查值班文件。 Check a duty file and name every problem: file, line, key, what was found, what is allowed."""
    duty = _loaded(file)
    try:
        read_channels(duty.channels)
    except ValueError as error:
        typer.echo(f"{file}: channels: {error}", err=True)
        raise typer.Exit(1) from error
    counts = f"{len(duty.people)} people, {len(duty.rosters)} rosters, {len(duty.ladders)} ladders"
    typer.echo(f"{file}: 正确 · good: {counts}, {len(duty.channels)} channels")


@app.command()
def show(file: Annotated[Path | None, typer.Argument(help="Duty file; left out: the built-in duty.")] = None) -> None:
    """显示值班安排。 Show who is on duty now, and how alarms of each tier are told."""
    duty = DEFAULT_DUTY if file is None else _loaded(file)
    now_ms = SystemClock().wall_ms()
    console = Console(width=None if Console().is_terminal else _WIDE)
    roles = Table("role", "roster", "shift", "on duty now", title="值班 · duty")
    for role in duty.roles.values():
        roster = duty.rosters.get(role.roster)
        shift = " ".join(f"{one.kind} {one.team}" for one in shifts_at(roster, now_ms)) if roster else ""
        names = ", ".join(duty.people[one].name for one in on_duty(duty, role.id, (), now_ms))
        roles.add_row(role.id, role.roster, shift, names or "–")
    console.print(roles)
    ladders = Table("ladder", "tiers", "steps", "again", title="通知阶梯 · ladders")
    for ladder in duty.ladders.values():
        steps = "\n".join(
            f"{number}. {step.role} ({', '.join(step.channels)}), {step.wait_ms / 60_000:g} min"
            for number, step in enumerate(ladder.steps, 1)
        )
        again = "" if ladder.again_every_ms is None else f"{ladder.again_every_ms / 60_000:g} min"
        ladders.add_row(ladder.id, " ".join(map(str, sorted(ladder.tiers))), steps, again)
    console.print(ladders)
    if not duty.ladders:
        console.print("没有通知阶梯：报警只在屏幕上显示 · no ladder: alarms are on the screen alone")


def _loaded(file: Path) -> Duty:
    try:
        return load_duty(file)
    except PlantError as error:
        for problem in error.problems:
            typer.echo(problem, err=True)
        raise typer.Exit(1) from error
