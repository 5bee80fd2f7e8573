"""`hazgate broker credentials` and `hazgate broker certificates`: who is let in by the brokers of a plant."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from config.access import OPTIONAL, Account, accounts
from config.clock import SystemClock
from config.errors import ConfigError
from gateway.certificates import CA_CERTIFICATE, Authority, server_files
from gateway.credentials import Hashes, new_password, password_file, read_book, write_book, write_private
from gateway.errors import CredentialsError
from hazgate.arguments import PlantFile, read_plant, wrong_use

__all__ = ["certificates", "credentials"]

_ALWAYS = ("localhost", "127.0.0.1")
"""A gateway beside its broker comes this way."""


def credentials(
    *,
    folder: Annotated[Path, typer.Option("--dir", help="Where accounts and passwords are kept.", file_okay=False)],
    plant: PlantFile = "demo",
    client: Annotated[
        list[str] | None, typer.Option("--client", "--edge", help="Whom to add; default: all the plant needs.")
    ] = None,
    replace: Annotated[list[str] | None, typer.Option(help="Whose password is replaced.")] = None,
    revoke: Annotated[list[str] | None, typer.Option(help="Who is let in no more.")] = None,
    mosquitto_pid_file: Annotated[
        Path | None, typer.Option(help="Mosquitto that is told to read them (SIGHUP); `hazgate up` notices by itself.")
    ] = None,
) -> None:
    """消息代理账号：新增、更换、吊销。 Accounts of the broker: add, replace, revoke; writes files for both brokers.

    Run it again after a change of the plant file: nobody's password changes, topics do.
    """
    try:
        known = accounts(read_plant(plant))
        book = read_book(folder)
        _check(known, book, client or (), replace or (), revoke or ())
        add = client or [name for name in known if name not in OPTIONAL and not (client or replace or revoke)]
        fresh = [*dict.fromkeys([*(replace or ()), *(name for name in add if name not in book)])]
        passwords = {name: new_password() for name in fresh}
        for name in revoke or ():
            del book[name]
        book |= {name: Hashes.of(password) for name, password in passwords.items()}
        for name, password in passwords.items():
            _keep(folder, name, password)
        write_book(folder, book, known)
        for name in revoke or ():
            password_file(folder, name).unlink(missing_ok=True)
    except (ConfigError, CredentialsError, OSError) as error:
        typer.echo(f"hazgate broker credentials: {error}", err=True)
        raise typer.Exit(1) from error
    _tell(folder, known, book, fresh)
    if mosquitto_pid_file:
        _wake(mosquitto_pid_file)


def certificates(
    *,
    folder: Annotated[Path, typer.Option("--dir", help="Where certificates and keys are kept.", file_okay=False)],
    host: Annotated[
        list[str] | None,
        typer.Option(help="Names and addresses under which the server is reached; default: of this machine."),
    ] = None,
    client: Annotated[list[str] | None, typer.Option(help="Accounts that get a certificate of their own.")] = None,
    days: Annotated[int, typer.Option(help="How long they are good.", min=1, max=3650)] = 365,
) -> None:
    """证书：签发机构、服务器、客户端。 Certificates: an authority of the plant's own, server, clients.

    What is named is made anew; a plant with an authority of its own puts its files under the same names instead.
    """
    if not client and not host and server_files(folder)[0].exists():
        typer.echo(f"{server_files(folder)[0]}: 已有，不变 is there already; name --host or --client to make one anew")
        return
    try:
        authority = Authority(folder, SystemClock().wall_ms())
        made = [authority.client(name, days) for name in client or ()]
        if host or not server_files(folder)[0].exists():
            names = dict.fromkeys([*(host or [socket.gethostname()]), *_ALWAYS])
            made.append(authority.server([*names], days))
    except (CredentialsError, ValueError) as error:
        typer.echo(f"hazgate broker certificates: {error}", err=True)
        raise typer.Exit(1) from error
    typer.echo(f"签发者 authority   {folder / CA_CERTIFICATE}")
    for path in made:
        typer.echo(f"{days} d   {path}   {path.with_suffix('.key')}")


def _check(
    known: Mapping[str, Account], book: Mapping[str, Hashes], client: object, replace: object, revoke: object
) -> None:
    """End with exit 2 when somebody is named whom the plant or the book does not know."""
    named = {"--client": (client, known), "--replace": (replace, known), "--revoke": (revoke, book)}
    for option, (names, allowed) in named.items():
        assert isinstance(names, list | tuple)  # noqa: S101 - for the type checker
        for name in names:
            if name not in allowed:
                wrong_use(f"{option} {name}: no such account; there are: {', '.join(allowed) or 'none'}")


def _keep(folder: Path, name: str, password: str) -> None:
    path = password_file(folder, name)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(path, f"{password}\n")


def _tell(folder: Path, known: Mapping[str, Account], book: Mapping[str, Hashes], fresh: list[str]) -> None:
    for name in sorted(book):
        note = "新 new   " if name in fresh else "         "
        where = password_file(folder, name)
        gone = "" if name in known else "   工厂文件中已无此项 the plant has it no more: let in nowhere"
        typer.echo(f"{note}{name:24} {where if where.exists() else ''}{gone}")


def _wake(pid_file: Path) -> None:
    """Let a Mosquitto read its files again."""
    try:
        os.kill(int(pid_file.read_text(encoding="ascii")), signal.SIGHUP)
    except (OSError, ValueError) as error:
        typer.echo(f"hazgate broker credentials: {pid_file}: Mosquitto was not told: {error}", err=True)
        raise typer.Exit(1) from error
