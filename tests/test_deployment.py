"""The files for deployment say what is true: every command line exists, everything named is there."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from config.access import accounts
from config.plant.load import DEMO_PLANT, load_plant
from gateway.broker import child_command, free_port
from gateway.credentials import Hashes, write_book
from gateway.probe import Probe
from hazgate.cli import COMMANDS, build
from tests.support.waiting import eventually

ROOT = Path(__file__).parents[1]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
UNITS = sorted((ROOT / "docs" / "systemd").glob("*.service"))
WITHOUT_HEALTH = {"simulator"}
"""Has no health of its own: it publishes, or has ended."""


def check_words(words: list[str]) -> None:
    """Let our own command line read a command without running it."""
    assert words[0] in COMMANDS, words
    command: Any = typer.main.get_command(build(words[0]))
    context = command.context_class(command, info_name="hazgate")
    while hasattr(command, "resolve_command") and words and not words[0].startswith("-"):
        name, command, words = command.resolve_command(context, words)
        assert command is not None, name
        context = command.context_class(command, info_name=name, parent=context)
    command.parse_args(context, list(words))


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_restarts_is_nobody_in_particular_and_says_how_it_does(name: str) -> None:
    service = SERVICES[name]
    assert service["restart"] == "unless-stopped"
    assert service["user"] not in {"root", "0", "0:0"}
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert ("test" in service["healthcheck"]) or name in WITHOUT_HEALTH
    assert service["logging"]["options"]["max-size"]
    for other, wanted in service.get("depends_on", {}).items():
        assert wanted == {"condition": "service_healthy"}
        assert "test" in SERVICES[other]["healthcheck"]


@pytest.mark.parametrize("name", SERVICES)
def test_everything_a_service_names_is_there(name: str) -> None:
    service = SERVICES[name]
    for secret in service.get("secrets", ()):
        assert secret in COMPOSE["secrets"]
    for volume in service.get("volumes", ()):
        source = volume.partition(":")[0]
        assert (ROOT / source).exists() if source.startswith(".") else source in COMPOSE["volumes"]
    for word in service.get("command", ()):
        for secret in re.findall(r"/run/secrets/(\w+)", str(word)):
            assert secret in service["secrets"]
        assert not re.search(r"://[^/\s]*:[^/@\s]*@", str(word)), "no password on a command line"
    for port in service.get("ports", ()):
        assert port.startswith("127.0.0.1:")


def test_secrets_reach_neither_the_repository_nor_the_image() -> None:
    folders = {Path(secret["file"]).parts[0] for secret in COMPOSE["secrets"].values()}
    assert folders == {"secrets"}
    assert "/secrets/" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert "secrets" in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("name", [name for name, one in SERVICES.items() if "build" in one and "entrypoint" not in one])
def test_the_commands_of_compose_are_ours(name: str) -> None:
    words = [str(word) for word in SERVICES[name]["command"]]
    check_words(words)
    if "edge" in words:
        plant = yaml.safe_load((ROOT / "config" / "plants" / "demo.yaml").read_text(encoding="utf-8"))
        edge = next(word.partition("=")[2] for word in words if word.startswith("--edge="))
        assert plant["edges"][edge]["kind"] == "agent"


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_the_commands_of_systemd_are_ours(unit: Path) -> None:
    text = unit.read_text(encoding="utf-8").replace("%d", "/run/credentials").replace("%i", "tankfarm")
    lines = re.findall(r"^ExecStart(?:Pre)?=(.*)$", text, re.MULTILINE)
    assert lines
    for line in lines:
        program, *words = shlex.split(line)
        assert program.endswith("/hazgate")
        check_words(words)


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_no_unit_opens_a_broker_or_reaches_one_over_the_network_without_an_account(unit: Path) -> None:
    (line,) = re.findall(r"^ExecStart=(.*)$", unit.read_text(encoding="utf-8"), re.MULTILINE)
    if "--mqtt-host" in line:
        assert "--broker-credentials" in line
        assert "--broker-certificates" in line
        assert "--mqtt-anonymous" not in line
    for address in re.findall(r"broker (mqtts?://\S+)", line):
        assert "@" in address or "//127.0.0.1:" in address
        assert "@127.0.0.1:" in address or "//127.0.0.1:" in address or address.startswith("mqtts://")


@pytest.mark.parametrize("name", [name for name, one in SERVICES.items() if "build" in one])
def test_every_client_of_the_composed_broker_has_an_account(name: str) -> None:
    plant = load_plant(DEMO_PLANT)
    for word in SERVICES[name]["command"]:
        found = re.fullmatch(r"--(plant-)?broker=mqtt://(\w+)@broker:1883", str(word))
        assert found or "broker=" not in str(word), word
        if found:
            assert found[2] in accounts(plant)
            secret = f"broker_{found[2]}"
            assert f"--{found[1] or ''}broker-password-file=/run/secrets/{secret}" in SERVICES[name]["command"]
            assert COMPOSE["secrets"][secret]["file"].endswith(f"/passwords/{found[2]}")


def test_the_composed_mosquitto_starts_and_lets_in_whom_it_knows(tmp_path: Path) -> None:
    """Its shell command, run here with other paths."""
    write_book(tmp_path, {"tankfarm": Hashes.of("word")}, accounts(load_plant(DEMO_PLANT)))
    port = free_port()
    shell, _, line = SERVICES["broker"]["command"]
    changes = {
        "/run/secrets/mosquitto_passwd": str(tmp_path / "mosquitto.passwd"),
        "/run/secrets/mosquitto_acl": str(tmp_path / "mosquitto.acl"),
        "/etc/hazgate/mosquitto.conf": str(ROOT / "config" / "mosquitto.conf"),
        "/tmp/m.conf": str(tmp_path / "m.conf"),
        "listener 1883": f"listener {port} 127.0.0.1",
        "exec mosquitto": "exec " + shlex.join(child_command("mosquitto")),
        " }": "; echo user root; }" if os.geteuid() == 0 else " }",
    }
    for old, new in changes.items():
        assert old in line
        line = line.replace(f";{old}" if old == " }" else old, new)
    process = subprocess.Popen([shell, "-c", line])
    try:
        eventually(Probe("127.0.0.1", port, "tankfarm", "word").answers, 15.0)
        assert not Probe("127.0.0.1", port).answers()
        assert not Probe("127.0.0.1", port, "tankfarm", "other").answers()
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_systemd_takes_the_units(unit: Path, tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("no systemd-analyze")
    text = unit.read_text(encoding="utf-8").replace("/opt/hazgate/bin/hazgate", shutil.which("true") or "/bin/true")
    copy = tmp_path / unit.name.replace("@", "@tankfarm" if "@" in unit.name else "@")
    copy.write_text(text.replace("User=hazgate\nGroup=hazgate\n", "User=daemon\n"), encoding="utf-8")
    done = subprocess.run([analyze, "verify", "--man=no", str(copy)], capture_output=True, text=True, check=False)
    complaints = [line for line in done.stderr.splitlines() if unit.name.partition(".")[0].rstrip("@") in line]
    assert not complaints, complaints


def test_the_dockerfile_passes_its_linter() -> None:
    linter = Path(sys.executable).parent / "hadolint"
    if not linter.exists():
        pytest.skip("no hadolint for this machine")
    done = subprocess.run([str(linter), str(ROOT / "Dockerfile")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_image_holds_every_room_and_runs_as_nobody_in_particular() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    copied = set(re.findall(r"^COPY (\w+) \1$", text, re.MULTILINE))
    assert copied == {"alerting", "config", "edge", "gateway", "hazgate", "simulators"}
    assert "USER 10001:10001" in text
