"""`hazgate user`: accounts from the command line of the gateway's machine, for when nobody can sign in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from config.clock import SystemClock
from gateway.access.accounts import Accounts, NewAccount
from gateway.access.roles import ROLE_NAMES, Role, Scope
from gateway.commands import By
from gateway.errors import GatewayError
from gateway.records.database import DATABASE_FILE, open_desk, open_reader
from hazgate.arguments import RecordsOption, RecordsPassword, records_address, wrong_use

__all__ = ["app"]

app = typer.Typer(help="账号 · Accounts.", no_args_is_help=True)

_BY = By("cli", "cli")
Data = Annotated[Path | None, typer.Option(help="Data directory of the gateway.")]
Name = Annotated[str, typer.Argument(help="Name of the account: a-z 0-9 . _ -")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document.")]


@app.command("list")
def list_(
    data: Data = None,
    records: RecordsOption = "",
    records_password_file: RecordsPassword = None,
    as_json: AsJson = False,
) -> None:
    """列出账号。 List the accounts."""
    with _accounts(data, records, records_password_file) as accounts:
        found = accounts.all()
    if as_json:
        typer.echo(json.dumps([_plain(asdict(one)) for one in found], ensure_ascii=False))
        return
    for one in found:
        shut = " 已停用 disabled" if one.disabled_ms is not None else ""
        typer.echo(f"{one.name}  {one.display}  {ROLE_NAMES[one.role].zh} {one.role}{shut}")


@app.command()
def add(
    name: Name,
    role: Annotated[Role, typer.Option(help="What the account is for.")],
    display: Annotated[str, typer.Option(help="As people call them.")] = "",
    enterprise: Annotated[list[str] | None, typer.Option(help="See only this enterprise's; may be repeated.")] = None,
    district: Annotated[list[str] | None, typer.Option(help="See only this district's; may be repeated.")] = None,
    data: Data = None,
    records: RecordsOption = "",
    records_password_file: RecordsPassword = None,
) -> None:
    """新建账号，显示一次性密码。 Make an account; its one-time password is printed once."""
    scope = Scope(frozenset(enterprise or ()), frozenset(district or ()))
    with _accounts(data, records, records_password_file) as accounts:
        typer.echo(accounts.create(NewAccount(name, role, display, scope), _BY))


@app.command()
def reset(
    name: Name, data: Data = None, records: RecordsOption = "", records_password_file: RecordsPassword = None
) -> None:
    """重置为一次性密码，并取消双因素。 Give an account a one-time password and take its second factor away."""
    with _accounts(data, records, records_password_file) as accounts:
        typer.echo(accounts.reset(name, _BY))


@app.command()
def disable(
    name: Name,
    data: Data = None,
    records: RecordsOption = "",
    records_password_file: RecordsPassword = None,
    enable: Annotated[bool, typer.Option("--enable", help="Open it again.")] = False,
) -> None:
    """停用（或启用）账号。 Shut an account, or open it again."""
    with _accounts(data, records, records_password_file) as accounts:
        accounts.disable(name, _BY, disabled=not enable)


@contextmanager
def _accounts(data: Path | None, records: str, password_file: Path | None) -> Iterator[Accounts]:
    address = records_address(records, password_file)
    if address is None and (data is None or not (data / DATABASE_FILE).exists()):
        wrong_use(f"--data {data or ''}: no {DATABASE_FILE} there; give the gateway's data directory, or --records")
    desk, reader = open_desk(data or Path(), address), open_reader(data or Path(), address)
    try:
        yield Accounts(desk, reader, SystemClock())
    except GatewayError as error:
        typer.echo(f"hazgate user: {error}", err=True)
        raise typer.Exit(1) from error
    finally:
        desk.dispose()
        reader.dispose()


def _plain(account: dict[str, object]) -> dict[str, object]:
    scope = account.pop("scope")
    return account | {name: sorted(codes) for name, codes in scope.items()} if isinstance(scope, dict) else account
