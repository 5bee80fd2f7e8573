"""A copy of a gateway's data directory in one file, and a data directory from such a file."""

from __future__ import annotations

import json
import shutil
import sqlite3
import tarfile
import tempfile
from contextlib import closing
from dataclasses import dataclass
from hashlib import file_digest
from importlib.metadata import version
from pathlib import Path
from typing import Any

from config.clock import Clock
from gateway.app import HISTORY_FILE
from gateway.errors import RecordsError
from gateway.lock import own
from gateway.records.database import DATABASE_FILE

__all__ = ["BackupError", "Manifest", "back_up", "restore"]

_MANIFEST = "manifest.json"
_FORMAT = 1


class BackupError(Exception):
    """No backup, or none that can be restored; says why and what to do."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is in a backup."""

    made_ms: int
    """UTC."""
    software: str
    revision: str
    """Of the schema of the records."""
    position: int
    """Last row of the log."""
    files: dict[str, str]
    """Name -> SHA-256."""

    def document(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "format": _FORMAT,
            "made_ms": self.made_ms,
            "software": self.software,
            "revision": self.revision,
            "position": self.position,
            "files": self.files,
        }


def back_up(data: Path, target: Path, clock: Clock, *, records_only: bool) -> Manifest:
    """Copy the records, also of a running gateway, and the history of one that is stopped.

    Args:
        data: Data directory of the gateway.
        target: The file to be made; nothing is there before it is complete.
        clock: For the manifest.
        records_only: Leave the history out.

    Raises:
        BackupError: It cannot be made.
    """
    if not (data / DATABASE_FILE).is_file():
        raise BackupError(
            f"{data}: no {DATABASE_FILE} there; name the data directory of a gateway (of `up`: DIR/gateway)"
        )
    try:
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            work = Path(folder)
            if records_only:
                _copy_records(data, work)
            else:
                _copy_all(data, work)
            manifest = _describe(work, clock)
            (work / _MANIFEST).write_text(json.dumps(manifest.document(), indent=1), encoding="utf-8")
            whole = work / "whole.tar.gz"
            with tarfile.open(whole, "w:gz", compresslevel=1) as archive:
                for name in (_MANIFEST, *manifest.files):
                    archive.add(work / name, name)
            whole.replace(target)
    except (OSError, sqlite3.Error) as error:
        raise BackupError(f"{target}: {error}") from error
    return manifest


def restore(source: Path, data: Path, clock: Clock, *, force: bool) -> tuple[Manifest, Path | None]:
    """Make a data directory from a backup. Nothing is touched before everything has been checked.

    Args:
        source: The backup.
        data: The data directory to be.
        clock: Names what is moved aside.
        force: Move what is there aside.

    Returns:
        What was in it, and where the old directory lies now.

    Raises:
        BackupError: It cannot be restored.
    """
    if data.exists() and any(data.iterdir()) and not force:
        raise BackupError(f"{data} is not empty; --force moves what is there aside")
    new = data.with_name(f"{data.name}.restoring")
    try:
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(parents=True)
        manifest = _unpack(source, new)
        aside = None
        if data.exists():
            with own(data):
                aside = data.with_name(f"{data.name}.before-{clock.wall_ms()}")
                data.rename(aside)
        new.rename(data)
    except (OSError, tarfile.TarError, sqlite3.Error, ValueError, KeyError, RecordsError) as error:
        raise BackupError(f"{source}: {error}") from error
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return manifest, aside


def _copy_records(data: Path, work: Path) -> None:
    """Copy the database as of one moment, whoever writes it meanwhile."""
    with (
        closing(sqlite3.connect(f"{(data / DATABASE_FILE).absolute().as_uri()}?mode=ro", uri=True)) as live,
        closing(sqlite3.connect(work / DATABASE_FILE)) as copy,
    ):
        live.backup(copy, pages=4096)
        copy.execute("PRAGMA journal_mode = DELETE")


def _copy_all(data: Path, work: Path) -> None:
    try:
        with own(data):
            _copy_records(data, work)
            if (data / HISTORY_FILE).exists():
                shutil.copy2(data / HISTORY_FILE, work / HISTORY_FILE)
            wal = data / f"{HISTORY_FILE}.wal"
            if wal.exists():
                shutil.copy2(wal, work / wal.name)
    except RecordsError as error:
        raise BackupError(
            f"{error}; while it runs only the records can be copied: --records-only (the history then begins anew "
            "with what the log still holds)"
        ) from error


def _describe(work: Path, clock: Clock) -> Manifest:
    with closing(sqlite3.connect(work / DATABASE_FILE)) as copy:
        (revision,) = copy.execute("SELECT version_num FROM alembic_version").fetchone()
        (position,) = copy.execute("SELECT coalesce(max(position), 0) FROM log").fetchone()
    files = {path.name: _sum(path) for path in sorted(work.iterdir())}
    return Manifest(clock.wall_ms(), version("hazgate"), revision, position, files)


def _unpack(source: Path, new: Path) -> Manifest:
    with tarfile.open(source, "r:gz") as archive:
        member = archive.extractfile(_MANIFEST)
        told = json.loads(member.read()) if member else {}
        if told.get("format") != _FORMAT:
            raise ValueError("no backup of this release")
        for name, wanted in told["files"].items():
            if name not in {DATABASE_FILE, HISTORY_FILE, f"{HISTORY_FILE}.wal"}:
                raise ValueError(f"holds {name!r}, which no backup has")
            archive.extract(name, new, filter="data")
            if _sum(new / name) != wanted:
                raise ValueError(f"{name} is damaged: its checksum is another one")
    with closing(sqlite3.connect(new / DATABASE_FILE)) as copy:
        (verdict,) = copy.execute("PRAGMA integrity_check").fetchone()
        if verdict != "ok":
            raise ValueError(f"{DATABASE_FILE} is damaged: {verdict}")
    return Manifest(**{name: value for name, value in told.items() if name != "format"})


def _sum(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
