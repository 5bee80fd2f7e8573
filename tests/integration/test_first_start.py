"""A gateway started for the first time: one password, told once; the way in; and back in when all is lost."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.support.plants import MINI_PLANT
from tests.support.waiting import eventually

TOLD = re.compile(r"one-time password (\S+) ")
OWN = "correct horse 42 battery"


@contextmanager
def running(folder: Path, run: str) -> Iterator[tuple[str, str]]:
    """Run ``hazgate up``; yields its address and what it wrote on stderr until it was ready."""
    plant = folder / "plant.yaml"
    plant.write_text(MINI_PLANT, encoding="utf-8")
    where = ("--plant", str(plant), "--data", str(folder / "data"), "--http", "127.0.0.1:0", "--port", "0")
    out, err = folder / f"{run}.out", folder / f"{run}.err"
    with out.open("w") as said, err.open("w") as warned:
        process = subprocess.Popen([sys.executable, "-m", "hazgate", "up", *where], stdout=said, stderr=warned)
    try:
        eventually(lambda: "Ctrl-C" in out.read_text() or process.poll() is not None, 60.0)
        address = re.search(r"API +(\S+)/api/v1", out.read_text())
        assert address, out.read_text() + err.read_text()
        eventually(lambda: httpx.get(f"{address[1]}/readyz").status_code == httpx.codes.OK, 30.0, every_s=0.1)
        yield address[1], err.read_text(encoding="utf-8")
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()


def sign_in(client: httpx.Client, password: str) -> httpx.Response:
    return client.post("/api/v1/session", json={"name": "admin", "password": password})


def test_one_password_is_told_once_and_kept_nowhere(tmp_path: Path) -> None:
    with running(tmp_path, "first") as (address, told), httpx.Client(base_url=address) as client:
        assert httpx.get(f"{address}/api/v1/tags").status_code == 401
        found = TOLD.findall(told)
        assert len(found) == 1
        me = sign_in(client, found[0]).json()
        assert (me["role"], me["permissions"], me["must_change_password"]) == ("admin", [], True)
        assert client.get("/api/v1/tags").status_code == 403, "a password of one's own first"
        change = {"password": found[0], "new": OWN}
        csrf = {"X-CSRF-Token": me["csrf"]}
        assert client.post("/api/v1/session/password", json=change, headers=csrf).status_code == 204
        assert "accounts.edit" in sign_in(client, OWN).json()["permissions"]
        assert len(client.get("/api/v1/tags").json()["items"]) == 5
        session = client.cookies["hazgate"]
    with running(tmp_path, "second") as (address, told_again), httpx.Client(base_url=address) as client:
        assert TOLD.findall(told_again) == []
        assert sign_in(client, found[0]).status_code == 401
        client.cookies.set("hazgate", session)
        assert client.get("/api/v1/me").json()["account"] == "admin", "a session outlives a restart"
        data = str(tmp_path / "data" / "gateway")
        words = [sys.executable, "-m", "hazgate", "user", "reset", "admin", "--data", data]
        broken = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60)
        assert client.get("/api/v1/me").status_code == 401, "what was signed in before is out at once"
        assert sign_in(client, broken.stdout.strip()).json()["must_change_password"] is True
    secrets = [found[0], OWN, session, broken.stdout.strip()]
    for path in tmp_path.rglob("*"):
        if path.is_file() and path.name != "first.err":
            content = path.read_bytes()
            assert not [one for one in secrets if one.encode() in content], path


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1"])
def test_without_accounts_nobody_listens_where_others_are(tmp_path: Path, host: str) -> None:
    words = [sys.executable, "-m", "hazgate", "up", "--plant", "demo", "--data", str(tmp_path), "--port", "0"]
    done = subprocess.run(
        [*words, "--http", f"{host}:0", "--no-accounts"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode != 0
    assert "listen on 127.0.0.1" in done.stderr or "cannot listen" in done.stderr
    assert "Traceback" not in done.stderr
