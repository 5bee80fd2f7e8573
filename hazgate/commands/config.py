"""`hazgate config`: check and show plant files, print their JSON Schema."""

from __future__ import annotations

import difflib
import json
import math
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text as Styled

from config.errors import PlantError, Problem
from config.plant.document import plant_schema
from config.plant.escalations import in_short
from config.plant.load import DEMO_PLANT, load_plant, plant_content
from config.plant.model import LIMIT_KINDS, WINDOWED, ConditionRule, LimitKind, Plant, Tag, Text, Tier
from config.plant.substances import plant_substances
from config.units import Conversion, conversion

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="工厂描述文件 · plant files.")

_STYLES = {Tier.RED: "bold red", Tier.ORANGE: "dark_orange", Tier.YELLOW: "yellow", Tier.BLUE: "blue"}
_WIDE = 180
"""Columns when the output is no terminal."""

_FILE = "Plant file (YAML), or `demo` for the built-in demo plant."
File = Annotated[Path, typer.Argument(help=_FILE)]
Files = Annotated[list[Path], typer.Argument(help=_FILE)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def schema() -> None:
    """Print the JSON Schema of plant files, for editors."""
    typer.echo(json.dumps(plant_schema(), ensure_ascii=False, indent=2))


@app.command()
def check(files: Files, as_json: AsJson = False) -> None:
    """Check plant files and name every problem: file, line, key, what was found, what is allowed."""
    answers = [_checked(file) for file in files]
    if as_json:
        typer.echo(json.dumps(answers, ensure_ascii=False, indent=2))
    for answer in () if as_json else answers:
        for problem in answer["problems"]:
            typer.echo(Problem(**problem), err=True)
        if answer["ok"]:
            counts = f"{answer['tags']} tags, {answer['escalations']} escalations"
            typer.echo(f"{answer['file']}: 正确 · good: {counts}, digest {answer['digest'][:12]}")
        else:
            typer.echo(f"{answer['file']}: {len(answer['problems'])} 个问题 · problems", err=True)
    if not all(answer["ok"] for answer in answers):
        raise typer.Exit(1)


@app.command()
def show(
    file: File,
    tag: Annotated[str | None, typer.Option(help="Show one tag in full.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what a plant file means: units, vessels, tags, and every limit with its basis."""
    try:
        plant = _load(file)
    except PlantError as error:
        typer.echo(error, err=True)
        raise typer.Exit(1) from None
    if tag is not None and tag not in plant.tags:
        near = difflib.get_close_matches(tag, plant.tags, n=1)
        hint = f"did you mean {near[0]}?" if near else f"`hazgate config show {file}` lists its tags"
        typer.echo(f"{file}: no tag {tag!r}: {hint}", err=True)
        raise typer.Exit(2)
    if as_json:
        content = plant_content(plant)
        answer = content["tags"][tag] if tag is not None else {**content, "digest": plant.digest}
        typer.echo(json.dumps(answer, ensure_ascii=False, indent=2))
        return
    console = Console(width=None if sys.stdout.isatty() else _WIDE)
    if tag is not None:
        _show_tag(console, plant, plant.tags[tag])
    else:
        _show_plant(console, plant)


def _load(file: Path) -> Plant:
    return load_plant(DEMO_PLANT if str(file) == "demo" else file)


def _checked(file: Path) -> dict[str, Any]:
    try:
        plant = _load(file)
    except PlantError as error:
        return {"file": str(file), "ok": False, "problems": [asdict(problem) for problem in error.problems]}
    counts = {name: len(getattr(plant, name)) for name in ("tags", "escalations", "suppressions")}
    return {"file": str(file), "ok": True, "problems": [], **counts, "digest": plant.digest}


def _show_plant(console: Console, plant: Plant) -> None:
    site = plant.site
    console.print(
        f"[bold]{_both(plant.enterprise.name)}[/] · {site.id} {_both(site.name)} · digest {plant.digest[:12]}"
    )
    console.print(f"%LEL: {plant.lel_table.value.upper()} · mg/m3: {float(plant.reference_air.value):g} L/mol")
    units = _table("单元 · Hazard units", "id", "名称 · name", "CAS")
    for unit in plant.hazard_units.values():
        units.add_row(unit.id, _both(unit.name), unit.cas)
    vessels = _table("储罐 · Vessels", "id", "名称 · name", "类型 · kind", "单元 · unit", "CAS", "m3", "m")
    for vessel in plant.vessels.values():
        size = (f"{vessel.capacity_m3:g}", f"{vessel.height_m:g}")
        vessels.add_row(vessel.id, _both(vessel.name), vessel.kind.value, vessel.hazard_unit, vessel.cas, *size)
    edges = _table("网关 · Edges", "id", "名称 · name", "类型 · kind", "tags")
    for edge in plant.edges.values():
        count = sum(tag.edge == edge.id for tag in plant.tags.values())
        edges.add_row(edge.id, _both(edge.name), edge.kind.value, str(count))
    vehicles = _table("车辆 · Vehicles", "id", "车牌 · plate", "名称 · name", "CAS", "edge")
    for vehicle in plant.vehicles.values():
        vehicles.add_row(vehicle.id, vehicle.plate, _both(vehicle.name), vehicle.cas, vehicle.edge)
    rules = (_escalations_table(plant), _suppressions_table(plant))
    for table in (units, vessels, edges, vehicles, _tags_table(plant), *rules):
        if table.row_count:
            console.print(table)


def _tags_table(plant: Plant) -> Table:
    table = _table("测点 · Tags", "tag", "说明 · description", "范围 · range", "周期 · period", "edge", "限值 · limits")
    substances = plant_substances(plant)
    for tag in plant.tags.values():
        shown = conversion(tag.unit, tag.quantity, substances.get(tag.cas))
        limits = Styled()
        for rule in tag.conditions:
            if rule.enabled and not math.isnan(rule.limit):
                limits.append(f"{rule.condition.value} {_limit(rule, shown)}  ", _STYLES[rule.tier])
        table.add_row(tag.name, _both(tag.description), _range(tag, shown), _seconds(tag.period_ms), tag.edge, limits)
    return table


def _escalations_table(plant: Plant) -> Table:
    table = _table("升级 · Escalations", "name", "规则 · when", "条件 · what", "到 · to tier")
    for rule in plant.escalations.values():
        to = Styled("+1") if rule.tier is None else Styled(rule.tier.name.lower(), _STYLES[rule.tier])
        table.add_row(rule.id, rule.when, in_short(rule), to)
    return table


def _suppressions_table(plant: Plant) -> Table:
    table = _table("抑制 · Suppressions", "name", "说明 · why", "报警 · alarms", "当 · while")
    for rule in plant.suppressions.values():
        alarms = ", ".join(f"{tag} {condition}" for tag, condition in rule.points)
        while_ = "命令 · by command" if rule.while_alarm is None else " ".join(rule.while_alarm)
        table.add_row(rule.id, _both(rule.name), alarms, while_)
    return table


def _show_tag(console: Console, plant: Plant, tag: Tag) -> None:
    shown = conversion(tag.unit, tag.quantity, plant_substances(plant).get(tag.cas))
    console.print(f"[bold]{tag.name}[/] {_both(tag.description)}")
    facts = {
        "kind": tag.kind.value,
        "quantity": tag.quantity.value,
        "range": _range(tag, shown),
        "period": _seconds(tag.period_ms),
        "hold": _seconds(tag.hold_ms),
        "stale after": _seconds(tag.stale_after_ms),
        "window": _seconds(tag.window_ms) if any(rule.condition in WINDOWED for rule in tag.conditions) else "",
        "edge": tag.edge,
        "hazard unit": tag.hazard_unit,
        "vessel": tag.vessel,
        "vehicle": tag.vehicle,
        "CAS": tag.cas,
    }
    if tag.position is not None:
        facts["position"] = f"{tag.position.x_m:g} m E, {tag.position.y_m:g} m N, {tag.position.z_m:g} m up"
    if tag.source is not None:
        facts["source"] = f"{tag.source.driver} {tag.source.topic} ({tag.source.format.value})"
    for name, fact in facts.items():
        if fact:
            console.print(f"  {name:12} {fact}", markup=False)
    columns = ("条件 · condition", f"限值 · limit {tag.unit}", "回差 · deadband", "on", "off", "tier", "依据 · basis")
    table = _table("报警 · Alarms", *columns)
    for rule in tag.conditions:
        table.add_row(*_rule_row(rule, shown), style=None if rule.enabled else "dim")
    console.print(table)


def _rule_row(rule: ConditionRule, shown: Conversion) -> tuple[str | Styled, ...]:
    has_limit = not math.isnan(rule.limit)
    return (
        rule.condition.value + (" (锁存 · latch)" if rule.latch else "") + ("" if rule.enabled else " (停用 · off)"),
        _limit(rule, shown) if has_limit else "",
        f"{_difference(rule, rule.deadband, shown):.6g}" if has_limit else "",
        _seconds(rule.on_delay_ms),
        _seconds(rule.off_delay_ms),
        Styled(rule.tier.name.lower(), _STYLES[rule.tier]),
        " · ".join((*(f"± {partner}" for partner in rule.partners), *(["latch"] * rule.latch), rule.basis)),
    )


def _limit(rule: ConditionRule, shown: Conversion) -> str:
    kind = LIMIT_KINDS[rule.condition]
    if kind is LimitKind.VALUE:
        return _number(rule.limit, shown)
    unit = {LimitKind.PER_MINUTE: "/min", LimitKind.MINUTES: " min"}.get(kind, "")
    return f"{_difference(rule, rule.limit, shown):.6g}{unit}"


def _difference(rule: ConditionRule, canonical: float, shown: Conversion) -> float:
    """Return a deadband, or a limit that is a difference, in the unit of the tag; minutes as they are."""
    if LIMIT_KINDS[rule.condition] is LimitKind.MINUTES:
        return canonical
    return canonical * shown.divisor / shown.multiplier


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", header_style="dim")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _both(text: Text) -> str:
    return f"{text.zh} {text.en}"


def _range(tag: Tag, shown: Conversion) -> str:
    return f"{_number(tag.range_low, shown)} … {_number(tag.range_high, shown)} {tag.unit}"


def _number(canonical: float, shown: Conversion) -> str:
    return f"{shown.from_canonical(canonical):.6g}"


def _seconds(duration_ms: int) -> str:
    return f"{duration_ms / 1000:g} s"
