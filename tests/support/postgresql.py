"""A PostgreSQL server of one's own: a throwaway cluster on a free port, and a fresh database for each test."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg
import pytest
from sqlalchemy import create_engine

from config.settings import RecordsAddress
from gateway.broker import free_port
from gateway.records.database import migrate
from tests.support.waiting import eventually

__all__ = ["PostgreSql"]

_START_WITHIN_S = 20.0
_TEMPLATE = "template_hazgate"


def _programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if not found:
        pytest.skip("no PostgreSQL server: install Debian's postgresql (scripts/setup python3 test does, when root)")
    return found[-1].parent


class PostgreSql:
    """A cluster. Use it as a context manager; entering makes and starts it, leaving kills it.

    Args:
        folder: Emptied and used.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = count(1)

    def fresh(self) -> RecordsAddress:
        """Make a database with the newest schema."""
        name = f"test_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE}")
        return self.address(name)

    def empty(self) -> RecordsAddress:
        """Make a database without anything in it."""
        name = f"empty_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name}")
        return self.address(name)

    def address(self, database: str) -> RecordsAddress:
        """Return the address of a database."""
        return RecordsAddress(host="127.0.0.1", port=self.port, database=database, user="hazgate")

    def execute(self, statement: str, database: str = "postgres") -> None:
        """Run a statement as the administrator."""
        with psycopg.connect(
            host="127.0.0.1", port=self.port, user="hazgate", dbname=database, autocommit=True
        ) as connection:
            connection.execute(statement.encode())

    def start(self) -> None:
        """Start the server and return when it takes connections."""
        log = (self._folder / "log").open("ab")
        with log:
            command = [str(_programs() / "postgres"), "-D", str(self._folder / "data"), "-p", str(self.port)]
            options = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "max_connections": "60"}
            words = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
            self._process = subprocess.Popen([*self._as_nobody(), *command, *words], stdout=log, stderr=log)
        eventually(self._answers, _START_WITHIN_S, every_s=0.05)

    def stop(self) -> None:
        """End it at once, as an administrator does (SIGINT: fast shutdown)."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """End it with SIGQUIT, the crash that PostgreSQL itself provides: nothing is written any more."""
        self._end(signal.SIGQUIT)

    def restart(self) -> None:
        """Stop and start."""
        self.stop()
        self.start()

    def hang(self, *, on: bool) -> None:
        """Let every process of the server stand still, or go on."""
        assert self._process is not None
        number = signal.SIGSTOP if on else signal.SIGCONT
        subprocess.run(["pkill", f"-{number.name[3:]}", "-f", str(self._folder / "data")], check=False)
        children = subprocess.run(
            ["pgrep", "-P", str(self._process.pid)], capture_output=True, text=True, check=False
        ).stdout.split()
        for pid in children:
            os.kill(int(pid), number)

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)
            self._process.wait(20.0)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._folder / "log").read_text(encoding="utf-8")[-2000:]
        try:
            self.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def _as_nobody(self) -> list[str]:
        """Return what a command is run with: it dies with us, and is not root, which PostgreSQL refuses to be."""
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            pytest.skip("no setpriv (Debian's util-linux): a server would outlive the tests")
        words = [setpriv, "--pdeathsig", "QUIT"]
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres" if _has_user("postgres") else "nobody")
            words += [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
        return [*words, "--"]

    def __enter__(self) -> Self:
        programs = _programs()
        self._folder.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            owner = "postgres" if _has_user("postgres") else "nobody"
            shutil.chown(self._folder, owner)
            _open_the_way(self._folder)
        command = [str(programs / "initdb"), "-D", str(self._folder / "data"), "-A", "trust", "-U", "hazgate"]
        subprocess.run(
            [*self._as_nobody(), *command, "--no-sync", "-E", "UTF8", "--locale=C"], check=True, capture_output=True
        )
        self.start()
        self.execute(f"CREATE DATABASE {_TEMPLATE}")
        engine = create_engine(f"postgresql+psycopg://hazgate@127.0.0.1:{self.port}/{_TEMPLATE}")
        migrate(engine)
        engine.dispose()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()


def _open_the_way(folder: Path) -> None:
    """Let another user enter a temporary folder: pytest's directories are for their owner alone."""
    temporary = Path(tempfile.gettempdir()).resolve()
    for parent in folder.resolve().parents:
        if parent.stat().st_mode & 0o001:
            continue
        if temporary not in parent.parents:
            pytest.skip(f"{parent} is closed to other users, and PostgreSQL refuses to run as root")
        parent.chmod(parent.stat().st_mode | 0o011)


def _has_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True
