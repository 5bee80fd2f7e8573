"""A copy of a gateway's data directory in one file, and a data directory from such a file."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import tarfile
import tempfile
import zlib
from contextlib import closing
from dataclasses import dataclass
from hashlib import file_digest
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from config.clock import Clock
from gateway.app import HISTORY_FILE
from gateway.errors import RecordsError
from gateway.lock import own
from gateway.records.database import DATABASE_FILE, newest_revision

__all__ = ["BackupError", "Manifest", "back_up", "restore"]

_MANIFEST = "manifest.json"
_FORMAT = 1
_STAGING = ".restoring"
_ASIDE = "before-"
_STAYS = {"lock", "lost+found", _STAGING}
"""Of a data directory: what is not the gateway's work, or is in use while a backup is restored."""
_UNREADABLE = (OSError, tarfile.TarError, EOFError, zlib.error, sqlite3.Error, ValueError, KeyError, RecordsError)


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
            _make_durable(whole)
            whole.replace(target)
            _make_durable(target.parent)
    except (OSError, sqlite3.Error) as error:
        raise BackupError(f"{target}: {error}") from error
    return manifest


def restore(source: Path, data: Path, clock: Clock, *, force: bool) -> tuple[Manifest, Path | None]:
    """Make a data directory from a backup. Nothing is touched before everything has been checked.

    All of it happens inside the directory, which is owned meanwhile: it may be a mount point (a volume of a
    container), its parent need not be writable, and no gateway begins on half of it. What is made belongs to whom the
    directory belongs.

    Args:
        source: The backup.
        data: The data directory to be.
        clock: Names what is moved aside.
        force: Move what is there aside, into a folder of the directory.

    Returns:
        What was in it, and where the old files lie now.

    Raises:
        BackupError: It cannot be restored.
    """
    if _lies_in(data) and not force:
        raise BackupError(f"{data} is not empty; --force moves what is there aside")
    staging = data / _STAGING
    made = not data.exists()
    try:
        with own(data):
            shutil.rmtree(staging, ignore_errors=True)
            staging.mkdir()
            manifest = _unpack(source, staging)
            _give(data)
            aside = _move_aside(data, data / f"{_ASIDE}{clock.wall_ms()}")
            for path in sorted(staging.iterdir(), key=lambda path: path.name == DATABASE_FILE):
                path.rename(data / path.name)
            staging.rmdir()
            _make_durable(data)
    except _UNREADABLE as error:
        shutil.rmtree(data if made else staging, ignore_errors=True)
        raise BackupError(f"{source}: {error}") from error
    return manifest, aside


def _lies_in(data: Path) -> list[Path]:
    """Return what a restore would have to move aside; the records first, that no log of theirs is left without them."""
    there = data.iterdir() if data.is_dir() else ()
    found = [path for path in there if path.name not in _STAYS and not path.name.startswith(_ASIDE)]
    return sorted(found, key=lambda path: path.name != DATABASE_FILE)


def _move_aside(data: Path, aside: Path) -> Path | None:
    found = _lies_in(data)
    if not found:
        return None
    aside.mkdir()
    for path in found:
        path.rename(aside / path.name)
    return aside


def _give(data: Path) -> None:
    """Let the files belong to whom their directory belongs: root restores, the gateway is nobody in particular."""
    if os.geteuid() == 0:
        owner = data.stat()
        for path in (data / "lock", *(data / _STAGING).iterdir()):
            os.chown(path, owner.st_uid, owner.st_gid)


def _make_durable(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


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


class _Told(BaseModel):
    """The manifest, as a file from anywhere has it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1]
    made_ms: int
    software: str
    revision: str
    position: int
    files: dict[str, str]


def _unpack(source: Path, new: Path) -> Manifest:
    with tarfile.open(source, "r:gz") as archive:
        member = archive.extractfile(_MANIFEST)
        try:
            told = _Told.model_validate_json(member.read() if member else b"")
        except ValidationError as error:
            raise ValueError("its manifest is none of this release") from error
        if DATABASE_FILE not in told.files:
            raise ValueError(f"holds no {DATABASE_FILE}")
        for name, wanted in told.files.items():
            if name not in {DATABASE_FILE, HISTORY_FILE, f"{HISTORY_FILE}.wal"}:
                raise ValueError(f"holds {name!r}, which no backup has")
            archive.extract(name, new, filter="data")
            if _sum(new / name) != wanted:
                raise ValueError(f"{name} is damaged: its checksum is another one")
            _make_durable(new / name)
    with closing(sqlite3.connect(new / DATABASE_FILE)) as copy:
        (verdict,) = copy.execute("PRAGMA integrity_check").fetchone()
        if verdict != "ok":
            raise ValueError(f"{DATABASE_FILE} is damaged: {verdict}")
        (revision,) = copy.execute("SELECT version_num FROM alembic_version").fetchone()
    if revision > newest_revision():
        raise ValueError(f"schema {revision}, this release knows {newest_revision()}: take the release that made it")
    return Manifest(told.made_ms, told.software, told.revision, told.position, told.files)


def _sum(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
