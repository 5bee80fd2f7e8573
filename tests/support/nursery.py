"""`hazgate` commands as processes that start at once: forked from one process that has everything imported.

``python -m tests.support.nursery`` is that process. It never has a thread of its own, reads one JSON request a line,
and answers each with a line. What it forks runs `hazgate.cli.main` like any command line, in a session of its own,
and dies with it.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any, Self

__all__ = ["Nursery", "Program"]

ROOT = Path(__file__).parents[2]
PRELOADED = ("hazgate.cli", "hazgate.commands.edge", "hazgate.commands.gateway", "hazgate.commands.replay")
PR_SET_PDEATHSIG = 1


class Nursery:
    """Forks programs. Use it as a context manager; leaving ends all of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None

    def ask(self, **request: Any) -> int:  # noqa: ANN401 - JSON
        """Send one request; returns its answer, a number."""
        with self._lock:
            assert self._process, "not entered"
            assert self._process.stdin
            assert self._process.stdout
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            return int(self._process.stdout.readline())

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.nursery"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process:
            self._process.kill()
            self._process.communicate()


class Program:
    """One command line of `hazgate`, started and ended at will; each start is a new process.

    Use it as a context manager; entering starts it, leaving kills it.

    Args:
        nursery: Forks it.
        log_file: All its processes write here, one after the other.
        words: The command line, without ``hazgate``.
    """

    def __init__(self, nursery: Nursery, log_file: Path, words: Sequence[str]) -> None:
        self._nursery = nursery
        self._log_file = log_file
        self._words = list(words)
        self.pid = 0
        """Of the latest process; 0 before the first."""
        self._ended: int | None = 0

    def start(self) -> None:
        """Start a process. Does nothing when one runs."""
        if not self.running:
            self.pid = self._nursery.ask(start=self._words, log=str(self._log_file))
            self._ended = None

    @property
    def running(self) -> bool:
        """Whether the latest process lives."""
        if self._ended is None:
            code = self._nursery.ask(ended=self.pid)
            self._ended = None if code == NOT_ENDED else code
        return self._ended is None

    @property
    def log(self) -> str:
        """All its processes have said."""
        return self._log_file.read_text(encoding="utf-8", errors="replace") if self._log_file.exists() else ""

    def kill(self) -> None:
        """End it with SIGKILL and wait until it is gone."""
        if self.running:
            os.kill(self.pid, signal.SIGKILL)
            self._ended = self._nursery.ask(wait=self.pid)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end and wait; returns its exit code."""
        if self.running:
            os.kill(self.pid, number)
            self._ended = self._nursery.ask(wait=self.pid)
        return self._ended or 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()


NOT_ENDED = 1000


def _fork(words: Sequence[str], log_file: str) -> int:
    """Run a command line in a new process; returns its id."""
    sys.stdout.flush()
    if pid := os.fork():
        return pid
    os.setsid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))
    log = os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for old, new in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(old, new)
    sys.stdin, sys.stdout, sys.stderr = (open(fd, mode, 1) for fd, mode in ((0, "r"), (1, "w"), (2, "w")))  # noqa: SIM115, PTH123
    sys.argv = ["hazgate", *words]
    code = 0
    try:
        from hazgate.cli import main  # noqa: PLC0415 - imported by the nursery

        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001 - this process is all there is
        import traceback  # noqa: PLC0415

        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _serve() -> None:
    """Answer requests until nobody asks any more."""
    for name in PRELOADED:
        import_module(name)
    for line in sys.stdin:
        match json.loads(line):
            case {"start": list(words), "log": str(log_file)}:
                answer = _fork(words, log_file)
            case {"ended": int(pid)}:
                found, status = os.waitpid(pid, os.WNOHANG)
                answer = os.waitstatus_to_exitcode(status) if found else NOT_ENDED
            case {"wait": int(pid)}:
                answer = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            case other:
                message = f"what is {other}?"
                raise ValueError(message)
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve()
