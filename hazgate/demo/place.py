"""Where a demo lives: a data directory of its own, and ports that are free."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gateway.broker import free_port

__all__ = ["Home", "data_directory", "http_port"]

_PREFIX = "hazgate-demo-"
_LOCK = "demo.lock"


@dataclass(slots=True)
class Home:
    """A data directory."""

    path: Path
    wanted: bool
    """Somebody will look into it when the demo is over."""


@contextlib.contextmanager
def data_directory(chosen: Path | None) -> Iterator[Home]:
    """Provide the data directory of a demo.

    Without a chosen one it is a new temporary directory, removed at the end unless it is wanted. What earlier demos
    left behind, because they were killed or failed, is removed, too.

    Args:
        chosen: Made when missing, and kept.

    Raises:
        OSError: It cannot be made, or another demo uses it.
    """
    if chosen is not None:
        chosen.mkdir(parents=True, exist_ok=True)
        with _owned(chosen):
            yield Home(chosen, wanted=True)
        return
    _sweep(Path(tempfile.gettempdir()))
    made = Path(tempfile.mkdtemp(prefix=_PREFIX))
    with _owned(made):
        home = Home(made, wanted=False)
        try:
            yield home
        finally:
            if not home.wanted:
                shutil.rmtree(made, ignore_errors=True)


def http_port(host: str, wanted: int) -> int:
    """Return the wanted port when it is free, else another one that is."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, wanted))
        except OSError:
            return free_port()
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def _owned(directory: Path) -> Iterator[None]:
    """Own a directory until the block ends or this process dies.

    Raises:
        BlockingIOError: Another demo owns it.
    """
    with (directory / _LOCK).open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BlockingIOError(error.errno, "another demo is using it", str(directory)) from None
        yield


def _sweep(parent: Path) -> None:
    """Remove directories of demos that are over."""
    for old in parent.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError), _owned(old):
            shutil.rmtree(old, ignore_errors=True)
