"""A disk that fails or is slow on demand, for one process (`faulty_disk.c`)."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

__all__ = ["FaultyDisk"]

_SOURCE = Path(__file__).with_suffix(".c")


class FaultyDisk:
    """Compiled once per folder; `environment` is what a process needs to be under it.

    Args:
        folder: For the library and the control file.
    """

    def __init__(self, folder: Path) -> None:
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            pytest.skip("no C compiler: a failing disk cannot be made")
        library = folder / "faulty_disk.so"
        subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(_SOURCE), "-ldl"], check=True)
        self._control = folder / "fault"
        self.environment = {"LD_PRELOAD": str(library), "FAULTY_DISK": str(self._control)}

    def fail(self, operation: str, part: str, number: int) -> None:
        """Let the ``number``th ``sync`` or ``write`` from now on a file whose name has ``part`` fail, once."""
        self._set(f"{operation} {part} fail {number}")

    def slow(self, part: str, by_ms: int) -> None:
        """Let every sync of such a file take longer."""
        self._set(f"sync {part} slow {by_ms}")

    def well(self) -> None:
        """End that."""
        self._control.unlink(missing_ok=True)

    @property
    def is_due(self) -> bool:
        """A failure is still to come."""
        return self._control.exists()

    def _set(self, text: str) -> None:
        new = self._control.with_suffix(".new")
        new.write_text(text, encoding="utf-8")
        new.replace(self._control)
