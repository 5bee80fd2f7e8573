"""The files for deployment say what is true: every command line exists, everything named is there."""

from __future__ import annotations

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

from hazgate.cli import COMMANDS, build

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
    folders = {Path(secret["file"]).parent.name for secret in COMPOSE["secrets"].values()}
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
    (line,) = re.findall(r"^ExecStart=(.*)$", unit.read_text(encoding="utf-8"), re.MULTILINE)
    program, *words = shlex.split(line.replace("%d", "/run/credentials").replace("%i", "tankfarm"))
    assert program.endswith("/hazgate")
    check_words(words)


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
