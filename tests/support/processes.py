"""`hazgate` commands as ordinary processes, for tests that need an environment of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

__all__ = ["Process"]


class Process:
    """One command line of `hazgate`, started and ended at will. Use it as a context manager.

    Args:
        log_file: All its processes write here.
        words: The command line, without ``hazgate``.
        environment: Added to ours.
    """

    def __init__(self, log_file: Path, words: Sequence[str], environment: Mapping[str, str]) -> None:
        self._log_file = log_file
        self._command = [str(Path(sys.executable).with_name("hazgate")), *words]
        self._environment = {**os.environ, **environment}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start a process. Does nothing when one runs."""
        if not self.running:
            with self._log_file.open("ab") as log:
                self._process = subprocess.Popen(self._command, stdout=log, stderr=log, env=self._environment)

    @property
    def running(self) -> bool:
        """Whether the latest process lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> str:
        """All its processes have said."""
        return self._log_file.read_text(encoding="utf-8", errors="replace") if self._log_file.exists() else ""

    def kill(self) -> None:
        """End it with SIGKILL."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """Ask it to end and wait; returns its exit code."""
        return self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> int:
        if self._process is None:
            return 0
        if self._process.poll() is None:
            self._process.send_signal(number)
        return self._process.wait(20.0)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
