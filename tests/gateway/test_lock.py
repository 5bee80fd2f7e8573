"""One process per data directory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.errors import RecordsError
from gateway.lock import own

HOLDER = """
import sys, pathlib
from gateway.lock import own
with own(pathlib.Path(sys.argv[1])):
    print("mine", flush=True)
    sys.stdin.read()
"""


def holder(data_dir: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(data_dir)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "mine\n"
    return process


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def test_a_second_process_is_refused_and_told_who_holds_it(tmp_path: Path) -> None:
    process = holder(tmp_path / "data")
    try:
        with pytest.raises(RecordsError, match=f"in use by process {process.pid}"), own(tmp_path / "data"):
            pass
    finally:
        end(process)


def test_a_killed_process_holds_nothing(tmp_path: Path) -> None:
    end(holder(tmp_path))
    with own(tmp_path):
        assert (tmp_path / "lock").read_text() == str(os.getpid())


def test_it_is_free_again_after_the_block_even_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), own(tmp_path):
        raise ZeroDivisionError
    with own(tmp_path), pytest.raises(RecordsError), own(tmp_path):
        pass
    with own(tmp_path):
        pass


def test_children_do_not_inherit_it(tmp_path: Path) -> None:
    script = "print('running', flush=True); input()"
    with own(tmp_path):
        child = subprocess.Popen(
            [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, close_fds=False
        )
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "running\n"
        with own(tmp_path):
            pass
    finally:
        end(child)


def test_a_directory_that_cannot_be_made_is_said_clearly(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(RecordsError, match="choose one that can be written"), own(tmp_path / "file" / "data"):
        pass
