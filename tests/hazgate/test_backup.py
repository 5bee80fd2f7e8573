"""A backup restored is the gateway as it was; what came after is named as missing, and nothing stalls."""

from __future__ import annotations

import gzip
import io
import json
import os
import sqlite3
import tarfile
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway import pipeline
from gateway.history.duckdb_store import HistoryStore
from gateway.lock import own
from hazgate.cli import build
from tests.support.disks import small_disk
from tests.support.frames import frame
from tests.support.gateway_rig import Rig
from tests.support.plants import mini_plant

T0 = 1_763_770_000_000
PLANT = mini_plant()


@pytest.fixture(autouse=True)
def no_real_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "_RECOVER_WAIT_S", 0.001)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    opened = Rig(tmp_path / "gateway", PLANT, with_history=True)
    yield opened
    opened.close()


def hazgate(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(build(words[0]), list(words))
    return done.exit_code, done.output


def temperature(seq: int, value: float, *, oldest: bool = False):  # type: ignore[no-untyped-def]  # noqa: ANN201 - a frame
    return frame(seq, ("T-1.TEMP", T0 + 1_000 * seq, value), oldest=oldest)


def test_a_restored_gateway_goes_on_and_names_what_it_has_lost(rig: Rig, tmp_path: Path) -> None:
    rig.play(*[rig.send(temperature(seq, 45.0)) for seq in range(1, 6)], 1.0)
    rig.close()
    archive = tmp_path / "b.tar.gz"
    code, said = hazgate("backup", "--data", str(rig.data_dir), "--to", str(archive), "--json")
    assert code == 0, said
    assert set(json.loads(said)["files"]) == {"records.sqlite", "history.duckdb"}

    rig.restart()
    rig.play(*[rig.send(temperature(seq, 20.0)) for seq in range(6, 11)], 1.0)
    assert [kind for _, kind, _ in rig.events()] == ["raised", "cleared"]
    rig.close()
    assert hazgate("restore", str(archive), "--data", str(rig.data_dir))[0] == 1, "never over what is there"
    code, said = hazgate("restore", str(archive), "--data", str(rig.data_dir), "--force")
    assert code == 0, said
    (aside,) = rig.data_dir.glob("before-*")
    assert {"records.sqlite", "history.duckdb"} <= {path.name for path in aside.iterdir()}

    rig.restart()
    assert [kind for _, kind, _ in rig.events()] == ["raised"], "as it was"
    # The edge has deleted what it was told is kept; it says so with the oldest frame it still has.
    rig.play(rig.send(temperature(12, 46.0)), 0.5, rig.send(temperature(11, 46.0, oldest=True)), 0.5)
    rig.play(rig.send(temperature(12, 46.0)), 2.0)
    ledger = rig.ledger()
    assert (ledger["samples_stored"], ledger["frames_missing"]) == (7, 5)
    assert [(row["state"], row["version"]) for row in rig.rows("alarm")] == [("active", 1)]
    rig.close()
    with closing(HistoryStore(rig.data_dir / "history.duckdb")) as history:
        assert len(history.stretch(list(PLANT.tags).index("T-1.TEMP"), 0, 1 << 60).time_ms) == 7


def test_a_running_gateway_is_backed_up_without_its_history(rig: Rig, tmp_path: Path) -> None:
    rig.play(rig.send(temperature(1, 20.0)), 1.0)
    archive = tmp_path / "b.tar.gz"
    words = ("backup", "--data", str(rig.data_dir), "--to", str(archive))
    with own(rig.data_dir):
        code, said = hazgate(*words)
        assert code == 1
        assert "--records-only" in said
        assert not archive.exists()
        code, said = hazgate(*words, "--records-only", "--json")
    assert code == 0, said
    assert list(json.loads(said)["files"]) == ["records.sqlite"]
    assert hazgate("restore", str(archive), "--data", str(tmp_path / "new"))[0] == 0


def test_a_damaged_backup_touches_nothing(rig: Rig, tmp_path: Path) -> None:
    rig.play(rig.send(temperature(1, 20.0)), 1.0)
    rig.close()
    archive = tmp_path / "b.tar.gz"
    assert hazgate("backup", "--data", str(rig.data_dir), "--to", str(archive))[0] == 0
    raw = bytearray(gzip.decompress(archive.read_bytes()))
    at = raw.index(b"SQLite format 3")
    raw[at + 40_000] ^= 0xFF
    archive.write_bytes(gzip.compress(bytes(raw), 1))
    before = sorted(path.name for path in rig.data_dir.iterdir())
    code, said = hazgate("restore", str(archive), "--data", str(rig.data_dir), "--force")
    assert code == 1
    assert "checksum" in said
    assert sorted(path.name for path in rig.data_dir.iterdir()) == before
    archive.write_bytes(b"nonsense")
    assert hazgate("restore", str(archive), "--data", str(tmp_path / "new"))[0] == 1
    assert not (tmp_path / "new").exists()


def test_a_directory_without_records_is_named(tmp_path: Path) -> None:
    code, said = hazgate("backup", "--data", str(tmp_path), "--to", str(tmp_path / "b.tar.gz"))
    assert code == 1
    assert "no records.sqlite there" in said


@pytest.fixture
def archive(rig: Rig, tmp_path: Path) -> Path:
    """A good backup."""
    rig.play(rig.send(temperature(1, 20.0)), 1.0)
    rig.close()
    path = tmp_path / "b.tar.gz"
    assert hazgate("backup", "--data", str(rig.data_dir), "--to", str(path))[0] == 0
    return path


def test_a_volume_is_restored_in_place(archive: Path, tmp_path: Path) -> None:
    with small_disk(tmp_path / "volume", "200m") as volume:
        code, said = hazgate("restore", str(archive), "--data", str(volume))
        assert code == 0, said
        code, said = hazgate("restore", str(archive), "--data", str(volume), "--force", "--json")
        assert code == 0, said
        assert sorted(path.name for path in Path(json.loads(said)["aside"]).iterdir()) == [
            "history.duckdb",
            "records.sqlite",
        ]
        assert not (volume / ".restoring").exists()


def test_what_root_restores_belongs_to_the_gateway(archive: Path, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("not root: only root restores what is another one's")
    data = tmp_path / "of-somebody"
    data.mkdir()
    os.chown(data, 12_345, 12_346)
    assert hazgate("restore", str(archive), "--data", str(data))[0] == 0
    assert {(path.stat().st_uid, path.stat().st_gid) for path in data.iterdir()} == {(12_345, 12_346)}


def test_a_running_gateway_is_not_restored(archive: Path, rig: Rig) -> None:
    with own(rig.data_dir):
        before = sorted(path.name for path in rig.data_dir.iterdir())
        code, said = hazgate("restore", str(archive), "--data", str(rig.data_dir), "--force")
        assert sorted(path.name for path in rig.data_dir.iterdir()) == before
    assert code == 1
    assert "in use by process" in said


def test_a_backup_that_was_cut_is_refused_wherever_it_was_cut(archive: Path, tmp_path: Path) -> None:
    raw = archive.read_bytes()
    for part in (0.0, 0.1, 0.5, 0.9):
        archive.write_bytes(raw[: round(part * len(raw))])
        code, said = hazgate("restore", str(archive), "--data", str(tmp_path / "new"))
        assert (code, said.startswith("hazgate restore: ")) == (1, True), said
        assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("files", [{}, {"history.duckdb": b"x"}, {"../evil": b"x"}, None])
def test_what_is_no_backup_is_refused(files: dict[str, bytes] | None, tmp_path: Path) -> None:
    archive = tmp_path / "b.tar.gz"
    manifest = {"format": 1, "made_ms": 0, "software": "1", "revision": "0001", "position": 0}
    sums = None if files is None else {name: sha256(content).hexdigest() for name, content in files.items()}
    with tarfile.open(archive, "w:gz") as made:
        for name, content in {
            "manifest.json": json.dumps({**manifest, "files": sums}).encode(),
            **(files or {}),
        }.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            made.addfile(entry, io.BytesIO(content))
    code, said = hazgate("restore", str(archive), "--data", str(tmp_path / "new"))
    assert code == 1, said
    assert not (tmp_path / "new").exists()
    assert not (tmp_path / "evil").exists()


def test_a_backup_of_a_later_release_is_refused(archive: Path, rig: Rig, tmp_path: Path) -> None:
    with closing(sqlite3.connect(rig.data_dir / "records.sqlite")) as records, records:
        records.execute("UPDATE alembic_version SET version_num = '9999'")
    assert hazgate("backup", "--data", str(rig.data_dir), "--to", str(archive))[0] == 0
    code, said = hazgate("restore", str(archive), "--data", str(tmp_path / "new"))
    assert code == 1
    assert "schema 9999" in said


def test_postgresql_is_sent_to_its_own_tool(tmp_path: Path) -> None:
    words = ("backup", "--to", str(tmp_path / "b.dump"), "--records", "postgresql://me:secret@db:5433/plant")
    code, said = hazgate(*words)
    assert code == 2
    assert "pg_dump --host db --port 5433 --username me --format=custom" in said
    assert "secret" not in said
    assert hazgate("backup", "--to", str(tmp_path / "b.tar.gz"))[0] == 2, "nothing named at all"
