"""`hazgate registry`: files into the registry and out of it, on the records themselves."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from config.clock import SystemClock
from gateway.access.roles import Scope
from gateway.commands import By
from gateway.errors import GatewayError
from gateway.place.app import open_registry
from gateway.records.database import DATABASE_FILE, open_desk, open_reader
from gateway.registry.files import tables_of
from gateway.registry.importing import File, Importing, Outcome, Say
from gateway.registry.kinds import KINDS
from gateway.registry.store import Registry, Wanted
from gateway.registry.writing import records_of, template, to_table, to_workbook
from hazgate.arguments import RecordsOption, RecordsPassword, records_address, wrong_use

__all__ = ["app"]

app = typer.Typer(help="登记数据 · The registry: import, export, template.", no_args_is_help=True)

_BY = By("cli", "cli")
_STAGES = {"reading": "读取 reading", "checking": "校验 checking", "writing": "写入 writing"}
_SHOWN_FAULTS = 200
Data = Annotated[Path | None, typer.Option(help="Data directory of the gateway.")]


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="Workbook (.xlsx), table (KIND.csv), or a folder of these.")],
    data: Data = None,
    records: RecordsOption = "",
    records_password_file: RecordsPassword = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and compare only.")] = False,
    why: Annotated[str, typer.Option(help="For the history of the records.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """导入：全部写入或全部不写。 Take a file in, whole or not at all. Exit 1: something is wrong with it."""
    with _open(data, records, records_password_file) as place, _progress(quiet=as_json) as say:
        asked = File(secrets.token_hex(16), tables_of(file), Scope(), _BY, why, dry_run)
        outcome = place.importing.take(asked, say)
    if as_json:
        typer.echo(json.dumps(outcome.plain(), ensure_ascii=False))
    else:
        _tell(outcome, dry_run=dry_run)
    if outcome.fault_count:
        raise typer.Exit(1)


@app.command()
def export(
    to: Annotated[Path, typer.Argument(help="File to be made: .xlsx, or KIND.csv.")],
    data: Data = None,
    records: RecordsOption = "",
    records_password_file: RecordsPassword = None,
    kind: Annotated[list[str] | None, typer.Option(help="Only these kinds; may be repeated.")] = None,
    enterprise: Annotated[str | None, typer.Option(help="Only this enterprise's.")] = None,
) -> None:
    """导出，可再导入。 Write records to a file that can be read in again."""
    kinds = [to.stem] if to.suffix == ".csv" else kind or list(KINDS)
    unknown = sorted(set(kinds) - set(KINDS))
    if to.suffix not in (".csv", ".xlsx") or unknown:
        wrong_use(f"{to} {', '.join(unknown)}: expected .xlsx or KIND.csv with kinds of {', '.join(KINDS)}")
    wanted = Wanted(enterprise=enterprise)
    with _open(data, records, records_password_file) as place:
        sheets = [(one, records_of(place.registry, one, Scope(), wanted)) for one in KINDS if one in kinds]
        content = to_table(*sheets[0]) if to.suffix == ".csv" else to_workbook(sheets)
    _write(to, content)


@app.command("template")
def template_(to: Annotated[Path, typer.Argument(help="Workbook to be made (.xlsx).")]) -> None:
    """生成空白模板。 Write a workbook to be filled in."""
    _write(to, template())


@dataclass(frozen=True, slots=True)
class _Place:
    registry: Registry
    importing: Importing


@contextmanager
def _open(data: Path | None, records: str, password_file: Path | None) -> Iterator[_Place]:
    address = records_address(records, password_file)
    if address is None and (data is None or not (data / DATABASE_FILE).exists()):
        wrong_use(f"--data {data or ''}: no {DATABASE_FILE} there; give the gateway's data directory, or --records")
    desk, reader, clock = open_desk(data or Path(), address), open_reader(data or Path(), address), SystemClock()
    try:
        yield _Place(*open_registry(desk, reader, clock))
    except GatewayError as error:
        typer.echo(f"hazgate registry: {error}", err=True)
        raise typer.Exit(1) from error
    finally:
        desk.dispose()
        reader.dispose()


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Say]:
    """Show how far it is, where somebody looks."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=quiet, transient=True) as shown:
        task = shown.add_task(_STAGES["reading"], total=None)

        def say(stage: str, done: int, of: int) -> None:
            shown.update(task, description=_STAGES[stage], completed=done, total=of or None)

        yield say


def _tell(outcome: Outcome, *, dry_run: bool) -> None:
    console = Console()
    if outcome.fault_count:
        faults = Table("表 sheet", "行 row", "列 column", "内容 found", "应为 allowed", title="错误 faults")
        for one in outcome.faults[:_SHOWN_FAULTS]:
            faults.add_row(one.sheet, str(one.row or ""), one.column, one.found, f"{one.zh}\n{one.en}")
        console.print(faults)
        console.print(f"{outcome.fault_count} 处错误，未写入 · faults, nothing was written")
        return
    counts = Table("种类 kind", "新增 created", "变更 changed", "不变 unchanged", title="结果 outcome")
    for kind, said in outcome.kinds.items():
        title = KINDS[kind].title
        counts.add_row(f"{title.zh} {title.en}", *(str(said[name]) for name in ("created", "changed", "unchanged")))
    console.print(counts)
    words = "已写入 · written" if outcome.written else "试运行，未写入 · dry run, nothing was written"
    console.print(words if outcome.written or dry_run else "无变化 · nothing to change")


def _write(to: Path, content: bytes) -> None:
    try:
        with to.open("xb") as file:
            file.write(content)
    except OSError as error:
        typer.echo(f"hazgate registry: {to}: {error.strerror}; name a file that does not exist yet", err=True)
        raise typer.Exit(1) from error
    typer.echo(f"{to}: {len(content)} 字节 · bytes")
