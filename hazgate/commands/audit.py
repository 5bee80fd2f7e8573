"""`hazgate audit`: checks that nobody has changed the audit log, and exports it."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from gateway.records import audit as log
from gateway.records.database import DATABASE_FILE, open_reader
from hazgate.arguments import RecordsOption, RecordsPassword, records_address, wrong_use

__all__ = ["app"]

app = typer.Typer(help="审计日志 · Check and export the audit log.", no_args_is_help=True)

Data = Annotated[Path | None, typer.Option(help="Data directory of the gateway.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document.")]


@app.command()
def verify(
    data: Data = None,
    records: RecordsOption = "",
    records_password_file: RecordsPassword = None,
    head: Annotated[str, typer.Option(help="NUMBER:HASH noted earlier: that row must still be there.")] = "",
    as_json: AsJson = False,
) -> None:
    """校验审计日志未被改动。 Check that no row was changed, taken out or put in. Exit 1: one was."""
    with _reading(data, records, records_password_file) as connection:
        count, broken = log.verify(connection)
        newest = log.head(connection)
        if head and not _has(connection, head):
            broken.append(log.Broken(int(head.partition(":")[0]), f"is not the row that was noted as {head}"))
    if as_json:
        told = {"rows": count, "head": f"{newest[0]}:{newest[1]}", "broken": [asdict(one) for one in broken]}
        typer.echo(json.dumps(told, ensure_ascii=False))
    else:
        for one in broken:
            typer.echo(f"row {one.seq}: {one.why}", err=True)
        words = f"{len(broken)} 处异常 · places" if broken else "完整 · sound"
        typer.echo(f"{count} 条 · rows, {words}; head {newest[0]}:{newest[1]}")
    if broken:
        raise typer.Exit(1)


@app.command()
def export(
    to: Annotated[Path, typer.Argument(help="File to be made: .csv, or .jsonl (one JSON document a line).")],
    data: Data = None,
    records: RecordsOption = "",
    records_password_file: RecordsPassword = None,
) -> None:
    """导出审计日志。 Export all rows, oldest first."""
    if to.suffix not in {".csv", ".jsonl"}:
        wrong_use(f"{to}: expected a name that ends with .csv or .jsonl")
    try:
        with _reading(data, records, records_password_file) as connection, to.open("x", encoding="utf-8-sig") as file:
            count = 0
            table = csv.writer(file)
            for row in log.rows(connection):
                if to.suffix == ".jsonl":
                    file.write(json.dumps(row, ensure_ascii=False) + "\n")
                else:
                    if not count:
                        table.writerow(row)
                    table.writerow(row.values())
                count += 1
    except OSError as error:
        typer.echo(f"hazgate audit: {to}: {error.strerror}; name a file that does not exist yet", err=True)
        raise typer.Exit(1) from error
    typer.echo(f"{to}: {count} 条 · rows")


@contextmanager
def _reading(data: Path | None, records: str, password_file: Path | None) -> Iterator[Connection]:
    address = records_address(records, password_file)
    if address is None and (data is None or not (data / DATABASE_FILE).exists()):
        wrong_use(f"--data {data or ''}: no {DATABASE_FILE} there; give the gateway's data directory, or --records")
    engine = open_reader(data or Path(), address)
    try:
        with engine.connect() as connection:
            yield connection
    except SQLAlchemyError as error:
        typer.echo(f"hazgate audit: {error}", err=True)
        sys.exit(1)
    finally:
        engine.dispose()


def _has(connection: Connection, head: str) -> bool:
    number, _, sealed = head.partition(":")
    if not number.isdecimal() or not sealed:
        wrong_use(f"--head {head!r}: expected NUMBER:HASH, as `hazgate audit verify` prints it")
    return any(row["hash"] == sealed for row in log.rows(connection, int(number) - 1) if row["seq"] == int(number))
