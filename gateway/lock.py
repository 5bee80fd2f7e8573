"""One process per data directory."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.errors import RecordsError

__all__ = ["own"]

_FILE = "lock"


@contextmanager
def own(data_dir: Path) -> Iterator[None]:
    """Own a data directory until the block ends; a killed process owns nothing any more.

    Raises:
        RecordsError: Another process owns it, or it cannot be written.
    """
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        handle = os.open(data_dir / _FILE, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise RecordsError(f"data directory {data_dir}: {error.strerror}; choose one that can be written") from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(handle, 32, 0).decode(errors="replace").strip() or "unknown"
            raise RecordsError(
                f"data directory {data_dir} is in use by process {holder}: stop it or choose another directory"
            ) from None
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(handle)
