"""Looks at what a gateway or edge stands on, and says what is wrong and how to mend it."""

from __future__ import annotations

import fcntl
import os
import resource
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from config.plant.model import Text
from gateway.records.database import DATABASE_FILE, newest_revision

__all__ = ["Finding", "Verdict", "judge_end", "look_at_certificate", "look_at_data", "look_at_machine"]

_GIB = 1024**3
_FULL_BYTES, _LOW_BYTES = 1 * _GIB, 5 * _GIB
_SLOW_MS, _VERY_SLOW_MS = 50.0, 500.0
_WAL_BYTES = 1 * _GIB
_FILES = 4096
_WARN_DAYS, _FAIL_DAYS = 30, 1
_SYNCS = 20
_FEW_INODES = 0.02


class Verdict(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at."""

    name: str
    verdict: Verdict
    found: str
    mend: Text | None = None
    """What to do, when something is to be done."""


def look_at_data(data: Path) -> Iterator[Finding]:
    """Look at a data directory: its disk, its database, who uses it."""
    if not data.is_dir():
        mend = Text("指定网关或边缘的数据目录", "name the data directory of a gateway or an edge")
        yield Finding("data", Verdict.FAIL, f"{data} is no directory", mend)
        return
    yield _space(data)
    yield _sync(data)
    database = data / DATABASE_FILE
    if database.exists():
        yield _records(database)
        yield _write_ahead_log(database)
        yield _user(data)


def look_at_machine() -> Iterator[Finding]:
    """Look at clock and limits of this machine."""
    yield _clock()
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    mend = Text(f"提高到 {_FILES} 以上（LimitNOFILE）", f"raise it to {_FILES} or more (LimitNOFILE)")
    fine = soft >= _FILES
    yield Finding("open files", Verdict.OK if fine else Verdict.WARN, f"at most {soft}", None if fine else mend)


def look_at_certificate(path: Path, now_ms: int) -> Finding:
    """Say how long a certificate is good for."""
    openssl = shutil.which("openssl")
    if openssl is None:
        return Finding(
            "certificate", Verdict.WARN, f"{path}: no openssl to read it with", Text("安装 openssl", "install openssl")
        )
    command = [openssl, "x509", "-enddate", "-noout", "-in", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    if done.returncode:
        mend = Text("检查文件是否为 PEM 证书", "is it a certificate in PEM form?")
        return Finding("certificate", Verdict.FAIL, f"{path}: {done.stderr.strip()[:200]}", mend)
    ends = datetime.strptime(done.stdout.strip().partition("=")[2], "%b %d %H:%M:%S %Y %Z").replace(tzinfo=UTC)
    return judge_end("certificate", str(path), ends.timestamp(), now_ms)


def judge_end(name: str, what: str, ends_s: float, now_ms: int) -> Finding:
    """Say whether a certificate that ends then is good for long enough."""
    days = (ends_s - now_ms / 1000) / 86_400
    verdict = Verdict.FAIL if days < _FAIL_DAYS else Verdict.WARN if days < _WARN_DAYS else Verdict.OK
    mend = Text("更换证书", "renew it")
    return Finding(name, verdict, f"{what}: {days:.0f} days left", None if verdict is Verdict.OK else mend)


def _space(data: Path) -> Finding:
    disk = os.statvfs(data)
    free = disk.f_bavail * disk.f_frsize
    verdict = Verdict.FAIL if free < _FULL_BYTES else Verdict.WARN if free < _LOW_BYTES else Verdict.OK
    if disk.f_files and disk.f_favail < disk.f_files * _FEW_INODES:
        verdict = Verdict.FAIL
    mend = Text("清理磁盘或换更大的盘", "make room, or take a larger disk")
    found = f"{free / _GIB:.1f} GiB free, {disk.f_favail} inodes"
    return Finding("disk space", verdict, found, None if verdict is Verdict.OK else mend)


def _sync(data: Path) -> Finding:
    """Measure what every commit costs."""
    took_ms = []
    path = data / f".doctor-{os.getpid()}"
    try:
        with path.open("wb", buffering=0) as file:
            for _ in range(_SYNCS):
                began_s = time.monotonic()
                file.write(b"x" * 4096)
                os.fsync(file.fileno())
                took_ms.append(1000 * (time.monotonic() - began_s))
    except OSError as error:
        mend = Text("检查目录权限与磁盘", "see to its permissions, and to the disk")
        return Finding("disk writes", Verdict.FAIL, str(error), mend)
    finally:
        path.unlink(missing_ok=True)
    worst_ms = sorted(took_ms)[-2]
    verdict = Verdict.FAIL if worst_ms > _VERY_SLOW_MS else Verdict.WARN if worst_ms > _SLOW_MS else Verdict.OK
    mend = Text("换更快的本地盘（SSD），勿用网络盘", "take a faster local disk (SSD), no network drive")
    median_ms = sorted(took_ms)[_SYNCS // 2]
    found = f"a durable write takes {median_ms:.1f} ms, at times {worst_ms:.1f}"
    return Finding("disk writes", verdict, found, None if verdict is Verdict.OK else mend)


def _records(database: Path) -> Finding:
    try:
        with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            (revision,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.Error as error:
        mend = Text("从备份恢复（hazgate restore）", "restore a backup (hazgate restore)")
        return Finding("records", Verdict.FAIL, f"{database}: {error}", mend)
    if verdict != "ok":
        mend = Text("从备份恢复（hazgate restore）", "restore a backup (hazgate restore)")
        return Finding("records", Verdict.FAIL, f"{database}: {verdict}", mend)
    newest = newest_revision()
    if revision > newest:
        mend = Text("使用写入它的新版本", "start the later release that wrote it")
        return Finding("records", Verdict.FAIL, f"schema {revision}, this release knows {newest}", mend)
    note = "" if revision == newest else f", to be brought to {newest} at the next start"
    return Finding("records", Verdict.OK, f"sound, schema {revision}{note}")


def _write_ahead_log(database: Path) -> Finding:
    wal = database.with_name(f"{database.name}-wal")
    size = wal.stat().st_size if wal.exists() else 0
    mend = Text("检查是否有进程长期读取数据库", "somebody reads the database without an end?")
    fine = size < _WAL_BYTES
    found = f"{size / 1e6:.1f} MB"
    return Finding("write-ahead log", Verdict.OK if fine else Verdict.WARN, found, None if fine else mend)


def _user(data: Path) -> Finding:
    try:
        with (data / "lock").open("rb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return Finding("gateway", Verdict.OK, f"runs, process {lock.read(32).decode(errors='replace').strip()}")
    except OSError:
        return Finding("gateway", Verdict.WARN, "never ran here")
    return Finding("gateway", Verdict.WARN, "does not run", Text("启动网关", "start it"))


def _clock() -> Finding:
    """Say whether somebody keeps the clock right."""
    if Path("/run/systemd/timesync/synchronized").exists():
        return Finding("clock", Verdict.OK, "synchronised (systemd-timesyncd)")
    chronyc = shutil.which("chronyc")
    if chronyc:
        done = subprocess.run([chronyc, "-n", "waitsync", "1"], capture_output=True, check=False)  # noqa: S603 - as above
        if done.returncode == 0:
            return Finding("clock", Verdict.OK, "synchronised (chrony)")
    mend = Text("启用 NTP 校时（systemd-timesyncd 或 chrony）", "keep it by NTP (systemd-timesyncd or chrony)")
    return Finding("clock", Verdict.WARN, "nobody is known to keep it right", mend)
