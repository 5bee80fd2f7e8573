"""`hazgate simulate` and `hazgate replay` as people run them."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from hazgate.cli import build
from tests.support.servers import Broker, Mosquitto
from tests.support.waiting import eventually

HAZGATE = (sys.executable, "-c", "from hazgate.cli import main; main()")


def _run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*HAZGATE, *words], capture_output=True, text=True, timeout=60, check=False)


def _inside(*words: str) -> Result:
    """Run a command that publishes nothing in this process: much quicker."""
    return CliRunner().invoke(build(words[0]), words)


@pytest.fixture
def mosquitto(tmp_path: Path) -> Broker:
    return Mosquitto(tmp_path)


def test_the_shipped_scenarios_are_listed() -> None:
    listed = json.loads(_inside("simulate", "--list", "--json").stdout)
    assert [one["name"] for one in listed] == ["demo", "faults", "quiet"]


def test_a_dry_run_prints_the_same_samples_each_time_and_needs_no_broker() -> None:
    first, second = (_inside("simulate", "demo", "--seconds", "3", "--dry-run") for _ in range(2))
    assert first.exit_code == 0
    assert first.stdout == second.stdout
    lines = first.stdout.splitlines()
    assert lines[0] == "due_ms,time_ms,tag,value,quality,topic,payload"
    assert len(lines) > 200


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("simulate",), "name a scenario: demo, faults, quiet"),
        (("simulate", "nix"), "no such scenario"),
        (("simulate", "demo", "--speed", "fast"), "speed 'fast'"),
        (("simulate", "demo", "--seconds", "-1"), "--seconds -1"),
        (("simulate", "demo", "--broker", "http://x"), "expected mqtt://"),
        (("replay", "nothere.csv", "--map", "skab"), "recording nothere.csv: not found"),
        (("replay", __file__, "--map", "nix"), "map nix: not found"),
        (("replay", __file__, "--map", "skab"), "no such column"),
    ],
)
def test_wrong_use_ends_with_a_sentence_and_exit_2(words: tuple[str, ...], told: str) -> None:
    done = _inside(*words)
    assert done.exit_code == 2
    assert told in done.stderr


def test_a_scenario_is_sent_to_the_last_sample(mosquitto: Broker) -> None:
    with mosquitto:
        words = ("simulate", "quiet", "--seconds", "10", "--speed", "max", "--json", "--broker", mosquitto.address)
        done = _run(*words)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["scenario"], said["seed"], said["unsent_messages"]) == ("quiet", 11, 0)
    assert said["samples"] == said["messages"] > 800
    assert done.stderr == ""


def test_ctrl_c_ends_it_within_two_seconds(mosquitto: Broker) -> None:
    with mosquitto:
        words = (*HAZGATE, "simulate", "quiet", "--json", "--broker", mosquitto.address)
        before = mosquitto.log.count("New client connected")
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            eventually(lambda: mosquitto.log.count("New client connected") > before, 30.0)
            process.send_signal(signal.SIGINT)
            asked_s = time.monotonic()
            out, err = process.communicate(timeout=10)
        assert time.monotonic() - asked_s < 2.0
    assert process.returncode == 0, err
    assert json.loads(out)["stopped"] is True


def test_ctrl_c_ends_it_when_the_broker_never_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        words = (*HAZGATE, "simulate", "quiet", "--broker", f"127.0.0.1:{silent.getsockname()[1]}")
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            silent.settimeout(30.0)
            caller, _ = silent.accept()
            process.send_signal(signal.SIGINT)
            asked_s = time.monotonic()
            _, err = process.communicate(timeout=10)
            caller.close()
    assert time.monotonic() - asked_s < 2.0
    assert "Traceback" not in err


def test_a_recording_is_replayed_and_its_bad_rows_are_told(mosquitto: Broker, tmp_path: Path) -> None:
    data = tmp_path / "machine.csv"
    data.write_text(
        "timestamp,value\n2013-12-02 21:15:00,73.9\nnever,1\n2013-12-02 21:25:00,\n2013-12-02 21:30:00,75\n"
    )
    with mosquitto:
        done = _run("replay", str(data), "--map", "nab", "--speed", "max", "--json", "--broker", mosquitto.address)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["rows"], said["bad_rows"], said["bad_cells"], said["samples"]) == (3, 1, 1, 2)
    assert "machine.csv:3: timestamp: 'never'" in done.stderr
    assert "machine.csv:4: value: ''" in done.stderr
    assert "left out: 1 rows and 1 single cells" in done.stderr
