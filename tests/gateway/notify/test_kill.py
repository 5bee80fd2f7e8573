"""A notifier that is killed again and again: nothing is lost, and what comes twice has the same key."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert, select

from gateway.records.database import open_writer
from gateway.records.duty_tables import notification
from gateway.records.schema import alarm, alarm_event
from tests.support.rows import alarm_row, event_row
from tests.support.waiting import eventually

ROOT = Path(__file__).parents[3]


@contextmanager
def process(*words: str) -> Iterator[subprocess.Popen[str]]:
    started = subprocess.Popen([sys.executable, "-m", *words], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        yield started
    finally:
        started.kill()
        started.communicate()


def raise_some(engine: Engine, numbers: range) -> None:
    with engine.begin() as connection:
        rows = [alarm_row(f"n{number}", tier=1 + number % 4, alarmed_ms=1_000 + number) for number in numbers]
        connection.execute(insert(alarm), rows)
        events = [event_row(number + 1, f"n{number}") for number in numbers]
        connection.execute(insert(alarm_event), events)


def told(file: Path) -> dict[tuple[str, str], list[str]]:
    """(alarm, key) -> lines; a line that is not complete was never answered."""
    found = defaultdict(list)
    for line in file.read_text(encoding="utf-8").splitlines():
        said = json.loads(line)
        found[said["alarms"][0][0], said["key"]].append(line)
    return found


@pytest.mark.parametrize(("kills", "alarms"), [(4, 400), pytest.param(40, 6_000, marks=pytest.mark.soak)])
def test_killed_at_any_point_every_alarm_is_told_over_every_channel(tmp_path: Path, kills: int, alarms: int) -> None:
    chance, pause, file = random.Random(7), threading.Event(), tmp_path / "told"
    engine = open_writer(tmp_path)
    step = alarms // kills
    with process("hazgate.bench.receiver", str(file)) as receiver:
        assert receiver.stdout
        port = receiver.stdout.readline().strip()
        for number in range(kills):
            with process("tests.support.notifier_process", str(tmp_path), port) as notifier:
                assert notifier.stdout
                assert notifier.stdout.readline() == "ready\n"
                raise_some(engine, range(number * step, (number + 1) * step))
                pause.wait(chance.uniform(0.0, 0.25))
        with process("tests.support.notifier_process", str(tmp_path), port):
            states = select(notification.c.state).distinct()

            def done() -> bool:
                with engine.begin() as connection:
                    return set(connection.scalars(states)) == {"accepted"} and len(told(file)) == 2 * kills * step

            eventually(done, 60)
    found = told(file)
    keys = defaultdict(set)
    for alarm_id, key in found:
        keys[alarm_id].add(key)
    assert {alarm_id: len(some) for alarm_id, some in keys.items()} == {f"n{n}": 2 for n in range(kills * step)}
    engine.dispose()
