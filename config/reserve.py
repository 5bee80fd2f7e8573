"""Disk space set aside: deleting from a database takes space first, and on a full disk there is none."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["Reserve"]


class Reserve:
    """A file of nothing, given up when the disk is full so that what is confirmed can be deleted.

    Args:
        path: The file.
        size_bytes: Its size.
    """

    def __init__(self, path: Path, size_bytes: int) -> None:
        self._path = path
        self._size_bytes = size_bytes
        self._held = False

    def hold(self, spare_bytes: int = 0) -> None:
        """Make sure that the space is set aside.

        Args:
            spare_bytes: So much more must be there, to be used by others.

        Raises:
            OSError: There is none.
        """
        if self._held:
            return
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.posix_fallocate(handle, 0, self._size_bytes + spare_bytes)
            os.ftruncate(handle, self._size_bytes)
        except OSError:
            self._path.unlink()
            raise
        finally:
            os.close(handle)
        self._held = True

    def give_up(self) -> bool:
        """Set the space free; False when none was held."""
        self._held = False
        try:
            self._path.unlink()
        except FileNotFoundError:
            return False
        return True
