"""Children of one command: they log, they end when asked or are ended, and none outlives its parent."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from hazgate.demo.place import data_directory, http_port
from hazgate.demo.processes import ChildEndedError, Fleet
from tests.support.waiting import eventually, eventually_async

STUBBORN = """
import signal, sys, threading
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("here", flush=True)
threading.Event().wait()
"""
GRANDPARENT = """
import signal, subprocess, sys, threading
child = subprocess.Popen([sys.executable, "-c", "import threading; threading.Event().wait()"])
print(child.pid, flush=True)
threading.Event().wait()
"""
PARENT = """
import subprocess, sys, threading
from hazgate.leash import leashed
child = subprocess.Popen(leashed("stubborn"), start_new_session=True)
print(child.pid, flush=True)
threading.Event().wait()
"""


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory of modules that children can run."""
    folder = tmp_path / "modules"
    folder.mkdir()
    for name, text in (("stubborn", STUBBORN), ("grandparent", GRANDPARENT), ("failing", "print('why'); exit(3)")):
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", f"{folder}{os.pathsep}{Path(__file__).parents[2]}")
    return folder


@pytest.mark.usefixtures("modules")
async def test_a_child_that_does_not_end_is_killed(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path / "logs")
    child = await fleet.start("one", "stubborn")
    await eventually_async(lambda: child.last_lines() == ["here"])
    assert await fleet.stop(within_s=0.1) == ["one"]
    assert child.process.returncode == -signal.SIGKILL


@pytest.mark.usefixtures("modules")
async def test_what_children_have_started_ends_with_them(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path / "logs")
    child = await fleet.start("one", "grandparent")
    await eventually_async(child.last_lines)
    grandchild = psutil.Process(int(child.last_lines()[0]))
    await fleet.stop()
    await eventually_async(lambda: not alive(grandchild))


@pytest.mark.usefixtures("modules")
async def test_a_child_that_ends_by_itself_is_named_with_its_last_words(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path / "logs")
    await fleet.start("one", "failing")
    with pytest.raises(ChildEndedError, match=r"one ended with 3; .*one.log ends:\n  why"):
        await fleet.watch("one")
    assert await fleet.stop() == []


@pytest.mark.usefixtures("modules")
async def test_a_child_whose_end_is_not_known_yet_is_found(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path / "logs")
    assert await fleet.fallen(5.0) is None, "there is none"
    await fleet.start("stays", "stubborn")
    assert await fleet.fallen(0.01) is None
    child = await fleet.start("falls", "stubborn")
    os.kill(child.pid, signal.SIGKILL)
    assert await fleet.fallen(5.0) is child
    await fleet.stop(within_s=0.01)


@pytest.mark.usefixtures("modules")
def test_a_leashed_child_dies_with_its_parent_however_that_dies() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    with parent.stdout:
        child = psutil.Process(int(parent.stdout.readline()))
        assert parent.stdout.readline() == "here\n"
        parent.kill()
        parent.wait()
    eventually(lambda: not alive(child))


def test_a_child_whose_parent_is_gone_already_does_not_begin() -> None:
    command = [sys.executable, "-m", "hazgate.leash", "1", "this", "--help"]
    assert subprocess.run(command, check=False, timeout=20).returncode == 1


def test_a_temporary_directory_is_removed_unless_it_is_wanted_and_later_when_it_was_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with data_directory(None) as home:
        assert home.path.is_dir()
    assert not home.path.exists()
    with data_directory(None) as failed:
        failed.wanted = True
    assert failed.path.is_dir()
    with data_directory(None) as running, data_directory(None):
        assert not failed.path.exists()
        assert running.path.is_dir()


def test_a_chosen_directory_is_kept_and_belongs_to_one_demo(tmp_path: Path) -> None:
    with data_directory(tmp_path / "mine") as home:
        assert home.path.is_dir()
        with pytest.raises(OSError, match="another demo is using it"), data_directory(tmp_path / "mine"):
            pass
    assert home.path.is_dir()


def test_a_busy_port_is_replaced_by_a_free_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        taken = busy.getsockname()[1]
        assert http_port("127.0.0.1", taken) != taken
    assert http_port("127.0.0.1", taken) == taken


def alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
