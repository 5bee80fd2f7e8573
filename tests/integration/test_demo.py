"""`hazgate demo` as people and scripts run it: judged, stopped at any moment, killed, and with a part that breaks."""

from __future__ import annotations

import json
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.support.nursery import Nursery, Program
from tests.support.waiting import eventually

STOP_WITHIN_S = 3.0
INTERRUPTED = 130
"""Before the command itself has been loaded."""


@contextmanager
def demo(folder: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    """Run a demo on a data directory; afterwards nothing of it may be left, however it ended."""
    command = [sys.executable, "-m", "hazgate", "demo", "--data", str(folder / "data"), "--http", "127.0.0.1:0", *words]
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()
        eventually(lambda: not family(process.pid, folder), STOP_WITHIN_S)


def family(pid: int, folder: Path) -> list[str]:
    """Return the command lines of all that a demo has started, also when it is no more."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        leashed = "hazgate.leash" in words and str(pid) in words
        if process.pid != pid and (leashed or any(str(folder) in word for word in words)):
            found.append(" ".join(words)[:200])
    return found


def until_said(process: subprocess.Popen[str], pattern: str) -> str:
    """Read what a process says until a line matches; returns it."""
    assert process.stdout
    said = []
    for line in process.stdout:
        said.append(line)
        if re.search(pattern, line):
            return line
    pytest.fail(f"ended without saying {pattern}; it said:\n{''.join(said)}")


@pytest.mark.timeout(180)
def test_a_short_demo_is_judged_and_reported(tmp_path: Path) -> None:
    report_file = tmp_path / "demo.json"
    with demo(tmp_path, "--seconds", "20", "--report", str(report_file)) as process:
        said, _ = process.communicate(timeout=150)
        assert process.returncode == 0, said
    report = json.loads(report_file.read_text(encoding="utf-8"))
    wanted = "samples_sent samples_stored lost duplicates alarms_expected alarms_raised missed false sample_to_alarm_ms"
    assert list(report)[:9] == wanted.split()
    assert report["samples_sent"] == report["samples_stored"] > 1500
    assert (report["lost"], report["duplicates"], report["missed"], report["false"]) == (0, 0, 0, 0)
    assert report["alarms_expected"] >= 4
    assert 0 < report["sample_to_alarm_ms"]["p50"] <= report["sample_to_alarm_ms"]["max"] < 2000
    assert report["seed"] == 7
    assert report["machine"]["python"]
    assert "通过 PASSED" in said
    assert "LPG detector HIGH" in said
    with demo(tmp_path, "--seconds", "20") as again:
        said, _ = again.communicate(timeout=60)
    assert again.returncode == 2, "alarms of the first demo are still active: a second one cannot be judged"
    assert "holds an earlier demo" in said


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_the_whole_scenario_passes(tmp_path: Path) -> None:
    told = tmp_path / "report.json"
    with demo(tmp_path / "demo", "--seconds", "95", "--report", str(told)) as process:
        said, _ = process.communicate(timeout=250)
        assert process.returncode == 0, said
    report = json.loads(told.read_text(encoding="utf-8"))
    assert (report["alarms_expected"], report["missed"], report["false"], report["lost"]) == (11, 0, 0, 0)


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_ctrl_c_at_any_moment_ends_everything_and_the_data_opens_again(nursery: Nursery, tmp_path: Path) -> None:
    chance = random.SystemRandom()
    moments_s = [2.6 * (at + chance.random()) for at in range(3)]
    print(f"moments {moments_s}")  # noqa: T201 - pytest shows it with a failure
    for at, moment_s in enumerate(moments_s):
        folder = tmp_path / str(at)
        with demo(folder) as process:
            with pytest.raises(subprocess.TimeoutExpired):
                process.communicate(timeout=moment_s)
            process.send_signal(signal.SIGINT)
            asked_s = time.monotonic()
            said, _ = process.communicate(timeout=20)
            took_s = time.monotonic() - asked_s
            assert not family(process.pid, folder)
            assert took_s < STOP_WITHIN_S, said
            stopped = process.returncode == 0 and "Stopped by you" in said
            assert stopped or (moment_s < 1.0 and process.returncode in {INTERRUPTED, -signal.SIGINT}), said
        opens_again(nursery, folder)


def opens_again(nursery: Nursery, folder: Path) -> None:
    """Start a gateway on the data directory a demo left."""
    (folder / "data").mkdir(parents=True, exist_ok=True)
    words = (
        "gateway",
        "--no-accounts",
        "--data",
        str(folder / "data" / "gateway"),
        "--http",
        "127.0.0.1:0",
        "--broker",
        "127.0.0.1:9",
    )
    with Program(nursery, folder / "again.log", words) as gateway:
        eventually(lambda: '"event": "resumed"' in gateway.log or not gateway.running, 20.0)
        assert gateway.running, gateway.log
        assert gateway.stop() == 0


@pytest.mark.timeout(120)
def test_a_killed_demo_leaves_nobody_behind(tmp_path: Path) -> None:
    with demo(tmp_path) as process:
        until_said(process, r"kept [1-9]")
        assert len(family(process.pid, tmp_path)) == 7, "six children and the broker's server"
        process.kill()
        process.wait()
        eventually(lambda: not family(process.pid, tmp_path), STOP_WITHIN_S)


@pytest.mark.timeout(120)
def test_a_part_that_ends_is_named_with_what_it_said_last(tmp_path: Path) -> None:
    with demo(tmp_path) as process:
        until_said(process, r"kept [1-9]")
        gateway = next(child for child in psutil.Process(process.pid).children() if "gateway" in child.cmdline()[4:6])
        gateway.kill()
        said, _ = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "gateway was killed by signal 9" in said
    assert "resumed" in said
