"""`hazgate simulate`: play a scenario of a plant as its sensors would publish it."""

from __future__ import annotations

import csv
import json
import math
import sys
from typing import Annotated

import typer

from config.clock import SystemClock
from config.errors import PlantError
from hazgate.arguments import BrokerPassword, broker_address, wrong_use
from hazgate.playing import play_to_end, read_speed, tell
from simulators.errors import EncodingError, ScenarioError
from simulators.library import Loaded, load_scenario, shipped
from simulators.stream import messages

__all__ = ["run"]


def run(
    scenario: Annotated[str, typer.Argument(help="Name of a shipped scenario, or a file.")] = "",
    *,
    broker: Annotated[
        str, typer.Option(help="mqtt://[user@]host:port, mqtts://..[?ca=FILE] for TLS.")
    ] = "mqtt://127.0.0.1:1883",
    broker_password_file: BrokerPassword = None,
    seed: Annotated[int | None, typer.Option(help="Instead of the scenario's own.", min=0)] = None,
    seconds: Annotated[float | None, typer.Option(help="Instead of the scenario's duration.")] = None,
    speed: Annotated[str, typer.Option(help="Times real time; `max` for as fast as the broker takes it.")] = "1",
    list_: Annotated[bool, typer.Option("--list", help="Show the shipped scenarios.")] = False,
    dry_run: Annotated[bool, typer.Option(help="Print the samples as CSV; times count from the start.")] = False,
    json_: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
) -> None:
    """按剧本模拟传感器，经 MQTT 发布。 Play a scenario: publish what its sensors would, over MQTT."""
    if list_:
        _list(as_json=json_)
        return
    if not scenario:
        wrong_use(f"name a scenario: {', '.join(shipped())}, or a file")
    if seconds is not None and not 0.0 < seconds < math.inf:
        wrong_use(f"--seconds {seconds:g}: more than 0")
    pace, address = read_speed(speed), broker_address(broker, broker_password_file)
    loaded = _load(scenario)
    seed = loaded.scenario.seed if seed is None else seed
    seconds = loaded.scenario.duration_s if seconds is None else seconds
    if dry_run:
        _print_samples(loaded, seed, seconds)
        return
    ahead_ms = seconds * 1000.0 * (1.0 - 1.0 / pace) if pace > 1.0 else 0.0
    start_ms = SystemClock().wall_ms() - round(ahead_ms)  # played faster, it ends now: no source time is in the future
    stream = messages(loaded.plant, loaded.scenario, start_ms, seed=seed, seconds=seconds)
    ledger = play_to_end(stream, address, pace, seconds * 1000.0, loaded.scenario.name)
    facts: dict[str, object] = {"scenario": loaded.scenario.name, "seed": seed, "seconds": seconds}
    tell(ledger, {**facts, "started_ms": start_ms}, as_json=json_)


def _load(scenario: str) -> Loaded:
    """Load a scenario; every problem in it is printed with file and line, then exit 2."""
    try:
        return load_scenario(scenario)
    except (ScenarioError, PlantError) as error:
        for problem in error.problems:
            typer.echo(str(problem), err=True)
        raise typer.Exit(2) from error
    except EncodingError as error:
        wrong_use(str(error))


def _list(*, as_json: bool) -> None:
    """Show the shipped scenarios."""
    found = [_load(name).scenario for name in shipped()]
    if as_json:
        rows = [{"name": one.name, "title": one.title, "seconds": one.duration_s} for one in found]
        typer.echo(json.dumps(rows, ensure_ascii=False))
        return
    for one in found:
        typer.echo(f"{one.name:10} {one.duration_s:4.0f} s  {one.title}")


def _print_samples(loaded: Loaded, seed: int, seconds: float) -> None:
    """Print what would be published, one sample a line."""
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(("due_ms", "time_ms", "tag", "value", "quality", "topic", "payload"))
    for message in messages(loaded.plant, loaded.scenario, 0, seed=seed, seconds=seconds):
        for one in message.samples:
            value = "" if one.value is None else repr(one.value)
            row = (message.due_ms, one.time_ms, one.tag, value, one.quality, message.topic, message.payload.decode())
            out.writerow(row)
