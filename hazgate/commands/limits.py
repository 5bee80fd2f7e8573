"""`hazgate limits`: what limits a normal period suggests."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from rich.console import Console
from rich.progress import track
from rich.table import Table

from alerting.errors import SeriesError
from alerting.suggest import Normal, Suggestion, suggest
from config.errors import PlantError
from config.plant.model import Plant
from config.units import Conversion
from hazgate.arguments import PlantFile, read_plant, wrong_use
from hazgate.fragment import known_conditions, limits_of, outside_range, unit_of
from hazgate.recorded import RecordedError, Samples, read_history, read_recording
from simulators.errors import ReplayError
from simulators.replay import open_replay, shipped_maps

__all__ = ["app"]

app = typer.Typer(help="由正常时段建议报警限。 What limits a normal period suggests.", no_args_is_help=True)

_MONTHLY = 1 / 30
_OUTSIDE = "the limit lies outside the instrument's range: left out"
_FOR_EVER_MS = 1 << 62


@app.callback()
def _limits() -> None:
    """由正常时段建议报警限。 What limits a normal period suggests."""


@app.command("suggest")
def suggest_command(  # noqa: PLR0917 - typer passes options by name
    csv: Annotated[Path | None, typer.Option(help="A recording, as `hazgate replay` takes it.")] = None,
    map_: Annotated[str, typer.Option("--map", help="What its columns are: a YAML file, or `skab`, `nab`.")] = "",
    data_dir: Annotated[
        Path | None, typer.Option(help="Data directory of a stopped gateway, instead of --csv.")
    ] = None,
    plant: PlantFile = "demo",
    tags: Annotated[str, typer.Option(help="Tags, separated by commas; all that have samples when not given.")] = "",
    from_: Annotated[str, typer.Option("--from", help="Begin of the normal period, ISO 8601; UTC unless said.")] = "",
    to: Annotated[str, typer.Option(help="Its end, exclusive.")] = "",
    false_alarms_per_day: Annotated[
        float, typer.Option(help="Wanted of each tag, over all its conditions.")
    ] = _MONTHLY,
    conditions: Annotated[str, typer.Option(help="Conditions, separated by commas; default: all there are.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    as_yaml: Annotated[bool, typer.Option("--yaml", help="Print a fragment for the plant file.")] = False,
) -> None:
    """由正常时段建议报警限、死区和延时，并说明把握多大。 Suggest limits, deadbands and delays, and say how sure."""
    if (csv is None) == (data_dir is None):
        wrong_use("give either --csv with --map, or --data-dir with --plant")
    if as_json and as_yaml:
        wrong_use("give either --json or --yaml")
    names = _conditions(conditions)
    span_ms = _moment_ms("--from", from_, 0), _moment_ms("--to", to, _FOR_EVER_MS)
    wanted = [name.strip() for name in tags.split(",") if name.strip()]
    if csv is not None:
        of, series = _of_recording(csv, map_, wanted, span_ms)
    else:
        of, series = _of_history(data_dir or Path(), plant, wanted, span_ms)
    missing = [name for name in wanted if name not in series]
    if missing or not series:
        wrong_use(f"no samples of {', '.join(missing) or 'any tag'} in that time")
    found = _suggest_all({name: series[name] for name in wanted or series}, of, false_alarms_per_day, names)
    _tell(found, of, as_json=as_json, as_yaml=as_yaml)
    if not any(math.isfinite(one.limit) for per_tag in found.values() for one in per_tag):
        raise typer.Exit(1)


def _suggest_all(
    series: Mapping[str, Samples], plant: Plant, rate: float, conditions: Sequence[str]
) -> dict[str, tuple[Suggestion, ...]]:
    """Suggest for every tag; a bar shows how far it is, on a terminal."""
    console = Console(stderr=True)
    found = {}
    try:
        for name, samples in track(series.items(), "suggesting", console=console, disable=not console.is_terminal):
            tag = plant.tags[name]
            normal = Normal(samples.time_ms, samples.value, samples.quality, tag.hold_ms, tag.window_ms)
            found[name] = suggest(normal, rate, conditions)
    except SeriesError as error:
        wrong_use(str(error))
    return found


def _tell(found: Mapping[str, Sequence[Suggestion]], plant: Plant, *, as_json: bool, as_yaml: bool) -> None:
    units = {name: unit_of(plant.tags[name], plant) for name in found}
    if as_yaml:
        typer.echo(_fragment(found, plant, units), nl=False)
    elif as_json:
        typer.echo(json.dumps([_answer(name, found[name], plant, units[name]) for name in found], indent=2))
    else:
        _print(Console(), found, plant)


def _fragment(found: Mapping[str, Sequence[Suggestion]], plant: Plant, units: Mapping[str, Conversion]) -> str:
    """Return what belongs into the plant file, and as comments what was left out and what to beware of."""
    lines = ["tags:"]
    for name, suggestions in found.items():
        limits = limits_of(suggestions, plant.tags[name], units[name])
        lines.append(f"  {name}:")
        for one in suggestions:
            left_out = _OUTSIDE if outside_range(one, plant.tags[name]) else ""
            why = "; ".join((*([left_out] if left_out else []), *one.reasons))
            lines += [f"    # {one.condition}: {one.confidence}" + (f": {why}" if why else "")]
        text = yaml.safe_dump(dict(limits), default_flow_style=None, sort_keys=False, width=10_000, allow_unicode=True)
        lines += ["    limits:", *(f"      {line}" for line in text.splitlines())] if limits else []
    return "\n".join(lines) + "\n"


def _answer(name: str, suggestions: Sequence[Suggestion], plant: Plant, unit: Conversion) -> dict[str, Any]:
    """Return what is said of one tag, in its unit; null where nothing can be said."""
    tag = plant.tags[name]
    limits = limits_of(suggestions, tag, unit)
    rows = []
    for one in suggestions:
        row = {key: _plain(value) for key, value in asdict(one).items()}
        row["limit_range"] = [_plain(_shown(edge, one, unit)) for edge in one.limit_range]
        row["limit"], row["deadband"] = _plain(_shown(one.limit, one, unit)), _plain(_width(one.deadband, unit))
        rows.append(row | {"outside_range": outside_range(one, tag)})
    return {"tag": name, "unit": tag.unit, "suggestions": rows, "limits": limits}


def _print(console: Console, found: Mapping[str, Sequence[Suggestion]], plant: Plant) -> None:
    """Print a table, and below it every reason with whom it concerns."""
    table = Table(title="建议报警限 · suggested limits")
    for title in ("tag", "", "limit (90 %)", "deadband", "on/off", "false alarms/day", "how sure"):
        table.add_column(title, overflow="fold")
    reasons: dict[str, list[str]] = {}
    for name, suggestions in found.items():
        unit = unit_of(plant.tags[name], plant)
        for one in suggestions:
            table.add_row(name, one.condition, *_cells(one, plant.tags[name].unit, unit), str(one.confidence))
            left_out = (_OUTSIDE,) if outside_range(one, plant.tags[name]) else ()
            for reason in (*left_out, *one.reasons):
                reasons.setdefault(reason, []).append(f"{name} {one.condition}")
    console.print(table)
    for reason, whom in reasons.items():
        console.print(f"- {reason}: {', '.join(whom)}", highlight=False)


def _cells(one: Suggestion, unit_name: str, unit: Conversion) -> tuple[str, ...]:
    if not math.isfinite(one.limit):
        return ("-", "-", "-", "-")
    low, high = (f"{_shown(edge, one, unit):.5g}" for edge in one.limit_range)
    per = "" if one.condition in ("H", "L") else "/min"
    return (
        f"{_shown(one.limit, one, unit):.5g} {unit_name}{per} ({low} - {high})",
        f"{_width(one.deadband, unit):.3g}",
        f"{one.on_delay_ms / 1000:g}/{one.off_delay_ms / 1000:g} s",
        f"{one.expected_per_day:.2g}, <= {one.upper_per_day:.2g}; {one.seen} seen",
    )


def _shown(limit: float, one: Suggestion, unit: Conversion) -> float:
    return unit.from_canonical(limit) if one.condition in ("H", "L") else _width(limit, unit)


def _width(width: float, unit: Conversion) -> float:
    return width * unit.divisor / unit.multiplier


def _plain(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _of_recording(
    csv: Path, map_name: str, wanted: Sequence[str], span_ms: tuple[int, int]
) -> tuple[Plant, dict[str, Samples]]:
    """Read a recording; every problem of it is printed with file and line, then exit 2."""
    if not map_name:
        wrong_use("--csv needs --map: a YAML file that says what its columns are, or `skab`, `nab`")
    map_file = shipped_maps().get(map_name, Path(map_name))
    for what, path in (("recording", csv), ("map", map_file)):
        if not path.is_file():
            wrong_use(f"{what} {path}: not found")
    try:
        replay = open_replay(csv, map_file)
        _check_tags(wanted, replay.plant)
        return replay.plant, read_recording(replay, *span_ms)
    except (ReplayError, PlantError) as error:
        for problem in error.problems:
            typer.echo(str(problem), err=True)
        raise typer.Exit(2) from error


def _of_history(
    data_dir: Path, plant_file: str, wanted: Sequence[str], span_ms: tuple[int, int]
) -> tuple[Plant, dict[str, Samples]]:
    """Read the history of a stopped gateway; what is in the way is told, then exit 1."""
    plant = read_plant(plant_file)
    _check_tags(wanted, plant)
    try:
        return plant, read_history(data_dir, wanted or list(plant.tags), *span_ms)
    except RecordedError as error:
        typer.echo(f"hazgate: {error}", err=True)
        raise typer.Exit(1) from error


def _check_tags(wanted: Sequence[str], plant: Plant) -> None:
    unknown = [name for name in wanted if name not in plant.tags]
    if unknown:
        wrong_use(f"the plant has no tag {', '.join(unknown)}; it has {', '.join(list(plant.tags)[:10])}...")


def _conditions(text: str) -> tuple[str, ...]:
    known = known_conditions()
    wanted = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip())) or known
    unknown = [name for name in wanted if name not in known]
    if unknown:
        wrong_use(f"--conditions {', '.join(unknown)}: expected some of {', '.join(known)}")
    return wanted


def _moment_ms(option: str, text: str, default_ms: int) -> int:
    """Read a time as UTC milliseconds; a wrong one ends with exit 2."""
    if not text:
        return default_ms
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        wrong_use(f"{option} {text!r}: expected a time as ISO 8601, such as 2026-11-01T00:00:00Z")
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
