"""What the doctor says of file systems, outboxes, history files and servers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from subprocess import PIPE

import pytest

from config.settings import HistoryAddress, RecordsAddress
from edge.outbox import Outbox
from gateway.broker import free_port
from gateway.history.duckdb_store import HistoryStore
from hazgate.doctor import Finding, Verdict
from hazgate.doctor_stores import file_system_of, look_at_history_server, look_at_records_server, look_at_stores
from tests.support.disks import small_disk
from tests.support.influx import Influx
from tests.support.postgresql import PostgreSql

MOUNTS = """\
21 1 8:1 / / rw - ext4 /dev/a rw
22 21 0:5 / /srv rw - xfs /dev/b rw
23 22 0:6 / /srv/far\\040away rw shared:1 - nfs4 host:/x rw
24 22 0:7 / /srv/box rw - overlay overlay rw
25 22 0:8 / /srv/box rw - ext4 /dev/c rw
"""


def by_name(data: Path) -> dict[str, Finding]:
    return {one.name: one for one in look_at_stores(data)}


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/", "ext4"), ("/srv/x", "xfs"), ("/srvx", "ext4"), ("/srv/far away/d", "nfs4"), ("/srv/box/d", "ext4")],
)
def test_the_file_system_is_the_one_seen_last_and_nearest(path: str, kind: str) -> None:
    assert file_system_of(Path(path), MOUNTS) == kind


def test_a_disk_that_forgets_is_warned_of(tmp_path: Path) -> None:
    with small_disk(tmp_path / "memory", "4m") as data:
        found = by_name(data)["file system"]
    assert (found.found, found.verdict) == ("tmpfs", Verdict.WARN)


def test_an_outbox_is_looked_through(tmp_path: Path) -> None:
    Outbox(tmp_path / "outbox.db", 1 << 30).close()
    assert by_name(tmp_path)["outbox"].found == "sound, 0 frames wait"
    with (tmp_path / "outbox.db").open("r+b") as file:
        file.write(b"\xaa" * 6_000)
    assert by_name(tmp_path)["outbox"].verdict is Verdict.FAIL


def test_a_history_is_opened_unless_the_gateway_has_it(tmp_path: Path) -> None:
    HistoryStore(tmp_path / "history.duckdb").close()
    assert by_name(tmp_path)["history"].found == "can be read, 0 samples"
    hold = [sys.executable, "-c", "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print(flush=True); input()"]
    with subprocess.Popen([*hold, str(tmp_path / "history.duckdb")], stdin=PIPE, stdout=PIPE) as gateway:
        try:
            assert gateway.stdout
            assert gateway.stdout.readline()
            found = by_name(tmp_path)["history"]
        finally:
            gateway.kill()
    assert (found.verdict, found.found) == (Verdict.OK, "in use by a running gateway, not looked into")
    (tmp_path / "history.duckdb").write_bytes(b"\xaa" * 20_000)
    assert by_name(tmp_path)["history"].verdict is Verdict.FAIL


def test_servers_are_asked(tmp_path: Path, postgresql: PostgreSql) -> None:
    assert look_at_records_server(postgresql.fresh()).verdict is Verdict.OK
    with Influx(tmp_path) as server:
        assert look_at_history_server(server.address()).verdict is Verdict.OK


def test_a_server_that_is_not_there_is_a_failure() -> None:
    port = free_port()
    nobody = RecordsAddress.parse(f"postgresql://me:secret@127.0.0.1:{port}/plant")
    assert look_at_records_server(nobody).verdict is Verdict.FAIL
    assert "secret" not in look_at_records_server(nobody).found
    assert look_at_history_server(HistoryAddress.parse(f"influx://127.0.0.1:{port}/b")).verdict is Verdict.FAIL
