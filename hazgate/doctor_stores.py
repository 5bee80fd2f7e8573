"""Looks at what keeps the data: the file system, an outbox, the history's file, servers for records and history."""

from __future__ import annotations

import re
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import duckdb
import urllib3

from config.plant.model import Text
from config.settings import HistoryAddress, RecordsAddress
from gateway.app import HISTORY_FILE
from hazgate.doctor import Finding, Verdict

__all__ = ["file_system_of", "look_at_history_server", "look_at_records_server", "look_at_stores"]

OUTBOX_FILE = "outbox.db"
_WITHIN_S = 5.0
_HTTP_OK = 300
_FORGETS = {"tmpfs", "ramfs", "overlay"}
_FAR = re.compile(r"nfs|cifs|smb|9p|sshfs|ceph|gluster|davfs")


def look_at_stores(data: Path) -> Iterator[Finding]:
    """Look at the file system of a data directory and at the files that only a gateway or only an edge has."""
    yield _file_system(data)
    if (data / OUTBOX_FILE).exists():
        yield _outbox(data / OUTBOX_FILE)
    if (data / HISTORY_FILE).exists():
        yield _history(data / HISTORY_FILE)


def look_at_records_server(address: RecordsAddress) -> Finding:
    """Say whether anybody listens where the records should be."""
    try:
        socket.create_connection((address.host, address.port), _WITHIN_S).close()
    except OSError as error:
        return Finding("records server", Verdict.FAIL, f"{address.shown}: {error}", _ADDRESS)
    return Finding("records server", Verdict.OK, f"{address.shown}: reachable")


def look_at_history_server(address: HistoryAddress) -> Finding:
    """Say whether a history server answers."""
    http = urllib3.PoolManager(retries=False, timeout=_WITHIN_S)
    try:
        status = http.request("GET", f"{address.url}/ping", headers=address.headers()).status
    except urllib3.exceptions.HTTPError as error:
        return Finding("history server", Verdict.FAIL, f"{address.url}: {error}", _ADDRESS)
    finally:
        http.clear()
    verdict = Verdict.OK if status < _HTTP_OK else Verdict.FAIL
    found = f"{address.url}: answers {status}"
    return Finding("history server", verdict, found, None if verdict is Verdict.OK else _ADDRESS)


def file_system_of(path: Path, mounts: str) -> str:
    """Return the type of the file system a path lies on.

    Args:
        path: Absolute, without links.
        mounts: What ``/proc/self/mountinfo`` says.
    """
    best, kind = -1, "unknown"
    for line in mounts.splitlines():
        left, _, right = line.partition(" - ")
        point = Path(re.sub(r"\\(\d{3})", lambda octal: chr(int(octal[1], 8)), left.split(" ")[4]))
        if path.is_relative_to(point) and len(point.parts) >= best:  # of two at one place the later one is seen
            best, kind = len(point.parts), right.split(" ")[0]
    return kind


_ADDRESS = Text("检查地址、防火墙与服务是否运行", "see to address and firewall, and whether it runs")


def _file_system(data: Path) -> Finding:
    try:
        kind = file_system_of(data.resolve(), Path("/proc/self/mountinfo").read_text(encoding="utf-8"))
    except OSError as error:
        return Finding("file system", Verdict.WARN, f"unknown: {error}")
    mend: Text | None = None
    if kind in _FORGETS:
        mend = Text("重启后数据会丢失：换成本地盘或命名卷", "it forgets: take a local disk, or a named volume")
    elif _FAR.search(kind):
        mend = Text(
            "网络盘的锁与落盘不可靠：换成本地盘",
            "locks and syncs of network drives cannot be relied on: take a local disk",
        )
    return Finding("file system", Verdict.WARN if mend else Verdict.OK, kind, mend)


def _outbox(outbox: Path) -> Finding:
    try:
        with closing(sqlite3.connect(f"{outbox.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            (frames,) = connection.execute("SELECT count(*) FROM frame").fetchone()
    except sqlite3.Error as error:
        verdict, frames = str(error), 0
    if verdict != "ok":
        # The edge does it by itself at its next start, and says so.
        mend = Text(
            "重启边缘代理：它会移开并重建", "start the edge again: it moves the file aside and begins a new one"
        )
        return Finding("outbox", Verdict.FAIL, f"{outbox}: {verdict}", mend)
    return Finding("outbox", Verdict.OK, f"sound, {frames} frames wait")


def _history(history: Path) -> Finding:
    try:
        with duckdb.connect(str(history), read_only=True) as connection:
            (samples,) = connection.execute("SELECT count(*) FROM sample").fetchone() or (0,)
    except duckdb.IOException as error:
        if "lock" in str(error):
            return Finding("history", Verdict.OK, "in use by a running gateway, not looked into")
        return Finding("history", Verdict.FAIL, f"{history}: {error}", _HISTORY)
    except duckdb.Error as error:
        return Finding("history", Verdict.FAIL, f"{history}: {error}", _HISTORY)
    return Finding("history", Verdict.OK, f"can be read, {samples} samples")


_HISTORY = Text("从备份恢复，或移开文件重新开始", "restore a backup, or move the file aside to begin a new history")
