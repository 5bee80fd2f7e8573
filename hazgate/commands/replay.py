"""`hazgate replay`: publish recorded data as if sensors sent it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from config.clock import SystemClock
from config.errors import PlantError
from hazgate.arguments import BrokerPassword, broker_address, wrong_use
from hazgate.playing import play_to_end, read_speed, tell
from simulators.errors import ReplayError
from simulators.recording import Spoiled
from simulators.replay import Replay, Shift, Survey, open_replay, shift_ms, shipped_maps

__all__ = ["run"]


def run(
    file: Annotated[Path, typer.Argument(help="The recording: separated text with a header line.")],
    map_: Annotated[str, typer.Option("--map", help="What its columns are: a YAML file, or `skab`, `nab`.")],
    broker: Annotated[
        str, typer.Option(help="mqtt://[user@]host:port, mqtts://..[?ca=FILE] for TLS.")
    ] = "mqtt://127.0.0.1:1883",
    broker_password_file: BrokerPassword = None,
    speed: Annotated[str, typer.Option(help="Times recorded time; `max` for as fast as the broker takes it.")] = "1",
    shift: Annotated[
        Shift, typer.Option(help="Keep the recorded times, or move them so that they end now.")
    ] = Shift.KEEP,
    limit: Annotated[int | None, typer.Option(help="Replay at most so many rows.", min=1)] = None,
    json_: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
) -> None:
    """将历史数据当作传感器数据重放。 Publish recorded data as if sensors sent it, over MQTT."""
    pace, address = read_speed(speed), broker_address(broker, broker_password_file)
    replay, survey = _open(file, map_, limit)
    _tell_spoiled(survey.spoiled)
    moved_ms = shift_ms(survey, shift, SystemClock().wall_ms(), pace)
    total_ms = survey.last_ms - survey.first_ms
    ledger = play_to_end(replay.messages(moved_ms), address, pace, total_ms, file.name)
    spoiled = {"bad_rows": survey.spoiled.rows, "bad_cells": survey.spoiled.cells}
    facts: dict[str, object] = {"file": str(file), "rows": survey.rows, **spoiled, "shift_ms": moved_ms}
    tell(ledger, facts, as_json=json_)


def _open(file: Path, map_name: str, limit: int | None) -> tuple[Replay, Survey]:
    """Open a recording; every problem of it is printed with file and line, then exit 2."""
    map_file = shipped_maps().get(map_name, Path(map_name))
    for what, path in (("recording", file), ("map", map_file)):
        if not path.is_file():
            wrong_use(f"{what} {path}: not found")
    try:
        replay = open_replay(file, map_file, limit)
        return replay, replay.survey()
    except (ReplayError, PlantError) as error:
        for problem in error.problems:
            typer.echo(str(problem), err=True)
        raise typer.Exit(2) from error


def _tell_spoiled(spoiled: Spoiled) -> None:
    """Say what of a recording is left out."""
    for problem in spoiled.first:
        typer.echo(str(problem), err=True)
    if spoiled.rows or spoiled.cells:
        more = spoiled.rows + spoiled.cells - len(spoiled.first)
        also = f", {more} of them not shown" if more > 0 else ""
        typer.echo(f"left out: {spoiled.rows} rows and {spoiled.cells} single cells{also}", err=True)
