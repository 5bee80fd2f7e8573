"""`hazgate up`: broker and gateway in one command."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil
import pytest

from gateway.broker import answers_mqtt
from tests.support.plants import MINI_PLANT
from tests.support.waiting import eventually


def command(folder: Path, *words: str) -> list[str]:
    plant = folder / "plant.yaml"
    plant.write_text(MINI_PLANT, encoding="utf-8")
    data = str(folder / "data")
    http = ("--http", "127.0.0.1:0")
    return [
        sys.executable,
        "-m",
        "hazgate",
        "up",
        "--no-accounts",
        "--plant",
        str(plant),
        "--data",
        data,
        *http,
        *words,
    ]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_both_run_say_where_and_end_within_three_seconds(number: signal.Signals, tmp_path: Path) -> None:
    said_file = tmp_path / "said"
    with said_file.open("w", encoding="utf-8") as said:
        process = subprocess.Popen(command(tmp_path, "--port", "0"), stdout=said, stderr=subprocess.STDOUT)
    try:
        eventually(lambda: "Ctrl-C" in said_file.read_text(encoding="utf-8") or process.poll() is not None, 60.0)
        text = said_file.read_text(encoding="utf-8")
        assert "hazgate edge --edge edge-a" in text
        api, mqtt = re.search(r"API +(\S+)/api/v1", text), re.search(r"mqtt://127.0.0.1:(\d+)", text)
        assert api, text
        assert mqtt, text
        assert answers_mqtt("127.0.0.1", int(mqtt[1]))
        eventually(lambda: httpx.get(f"{api[1]}/readyz").status_code == httpx.codes.OK, 30.0, every_s=0.1)
        children = psutil.Process(process.pid).children(recursive=True)
        assert children
        process.send_signal(number)
        asked_s = time.monotonic()
        assert process.wait(20) == 0
        assert time.monotonic() - asked_s < 3.0
        assert not any(child.is_running() for child in children)
    finally:
        process.kill()
        process.wait()


def test_a_taken_address_is_told_in_a_sentence(tmp_path: Path) -> None:
    words = command(tmp_path, "--port", "0")
    words[words.index("127.0.0.1:0")] = "192.0.2.1:80"  # an address no machine has
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "hazgate up: cannot listen on 192.0.2.1:80" in done.stderr
    assert "Traceback" not in done.stderr
