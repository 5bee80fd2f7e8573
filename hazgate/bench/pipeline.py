"""The pipeline under load: broker, gateway and load generator as three processes on this machine."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import signal
import subprocess
import tempfile
import threading
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from config.clock import Clock
from config.mosquitto import mosquitto_conf
from gateway.app import HISTORY_FILE
from gateway.broker import child_command, free_port
from gateway.errors import BrokerError
from gateway.history.duckdb_store import count_rows
from gateway.nats import nats_conf
from gateway.probe import answers_mqtt
from hazgate.bench.load import Case, Load
from hazgate.leash import leashed

__all__ = [
    "CASES",
    "BenchError",
    "Stores",
    "machine",
    "quantiles",
    "run_broker",
    "run_case",
    "run_gateway_process",
    "wait_for",
]

CASES = {
    "frames": Case("frames", edges=100, tags_per_edge=100, frame_samples=100, samples_per_s=300_000, alarming_tags=100),
    "single": Case("single", edges=50, tags_per_edge=100, frame_samples=1, samples_per_s=5_000, alarming_tags=100),
}

_WARM_UP_S = 3.0
_WAIT_S = 60.0
_SERVER_WAIT = 15.0
"""Seconds for each second of load."""
_TRIES = 200
_TRY_S = 0.05
_TICKS = 2


class BenchError(Exception):
    """A benchmark could not be run; says what is missing."""


@dataclass(frozen=True, slots=True)
class Stores:
    """Where the gateway under test keeps things; empty: SQLite and DuckDB in its data directory."""

    records: str = ""
    """``postgresql://...``: a database without anything in it."""
    history: str = ""
    """``influx://...``: likewise."""


def run_case(
    case: Case, broker: str, stores: Stores, seconds: float, clock: Clock, say: Callable[[str], None]
) -> dict[str, Any]:
    """Run one case against a fresh gateway on a fresh broker.

    Args:
        case: What to send.
        broker: ``mosquitto`` or ``embedded``.
        stores: Where the gateway keeps things.
        seconds: How long to send.
        clock: For source times and the schedule.
        say: Told what is going on, for people.

    Returns:
        The figures, ready for JSON.

    Raises:
        BenchError: The broker is not installed, or a process did not come up.
    """
    with tempfile.TemporaryDirectory(prefix="hazgate-bench-") as name:
        work = Path(name)
        with (
            run_broker(broker, work) as (port, broker_pid),
            run_gateway_process(case, port, work, stores) as (address, gateway),
        ):
            wait_for(lambda: _get(address, "/readyz") is not None, "the gateway to be ready", clock)
            say(f"{case.name}: warming up")
            warm = Load(case, "127.0.0.1", port, clock).run(_WARM_UP_S)
            cpu_s = (_cpu_s(gateway.pid), _cpu_s(broker_pid))
            say(f"{case.name}: {case.samples_per_s} samples/s in frames of {case.frame_samples} for {seconds:.0f} s")
            with _watched(gateway.pid) as peak:
                outcome = Load(case, "127.0.0.1", port, clock).run(seconds)
            used_s = (_cpu_s(gateway.pid) - cpu_s[0], _cpu_s(broker_pid) - cpu_s[1])
            ended_at = _position(address, "log")
            # A history server is fed at a bounded rate: at full load it is minutes behind, and the log holds the rest.
            caught_up_s = _WAIT_S + (_SERVER_WAIT * seconds if stores.history else 0.0)
            wait_for(
                lambda: _position(address, "history") >= ended_at - _TICKS, "history to catch up", clock, caught_up_s
            )
            # What is left may be ticks or the last few samples: history looks twice a second, so give it three ticks.
            ended_at = _position(address, "log")
            wait_for(lambda: _position(address, "log") > ended_at + _TICKS, "the gateway to tick", clock)
            counted = sum(edge["counts"]["samples_stored"] for edge in _get(address, "/api/v1/ledger")["edges"])
        history = work / "gateway" / HISTORY_FILE
        # A server's rows are not counted here: what the gateway has handed over up to the end is what it counts itself.
        stored = counted if stores.history else count_rows(history)
        history_bytes = 0 if stores.history else history.stat().st_size
    sent = warm.samples_sent + outcome.samples_sent
    return {
        "case": case.name,
        "broker": broker,
        "records": stores.records.partition(":")[0] or "sqlite",
        "history": stores.history.partition(":")[0] or "duckdb",
        "asked_samples_per_s": case.samples_per_s,
        "samples_per_s": round(outcome.samples_sent / outcome.seconds),
        "messages_per_s": round(outcome.frames_sent / outcome.seconds),
        "seconds": round(outcome.seconds, 1),
        "edges": case.edges,
        "tags": case.edges * case.tags_per_edge,
        "samples_per_frame": case.frame_samples,
        "sent": sent,
        "counted_stored": counted,
        "stored_in_history": stored,
        "lost": sent - stored,
        "history_bytes_per_sample": round(history_bytes / max(stored, 1), 1),
        "frames_resent": outcome.frames_resent,
        "alarms": len(outcome.delays_ms),
        "sample_to_alarm_ms": quantiles(outcome.delays_ms),
        "generator_behind_s": round(outcome.late_s, 3),
        "gateway_cpu_cores": round(used_s[0] / outcome.seconds, 2),
        "broker_cpu_cores": round(used_s[1] / outcome.seconds, 2),
        "gateway_rss_mb": peak[0] >> 20,
    }


def machine() -> dict[str, Any]:
    """Say what the figures were measured on, and with what."""
    return {
        "cores": os.cpu_count(),
        "cpu": _cpu_model(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30),
        "system": platform.platform(),
        "python": platform.python_version(),
        **{name: version(name) for name in ("hazgate", "numpy", "paho-mqtt", "duckdb", "sqlalchemy", "msgspec")},
    }


@contextlib.contextmanager
def run_broker(kind: str, work: Path) -> Iterator[tuple[int, int]]:
    """Run a broker; yields its port and process id."""
    port = free_port()
    state = work / "broker"
    state.mkdir()
    conf = work / "broker.conf"
    is_mosquitto = kind == "mosquitto"
    text = mosquitto_conf(port) if is_mosquitto else nats_conf(state, "127.0.0.1", port)
    conf.write_text(text, encoding="utf-8")
    try:
        command = child_command("mosquitto" if is_mosquitto else "nats-server", "-c", str(conf))
    except BrokerError as error:
        raise BenchError(str(error)) from error
    with (work / "broker.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)  # noqa: S603 - ours
    try:
        deadline = threading.Event()
        for _ in range(_TRIES):
            if answers_mqtt("127.0.0.1", port):
                break
            deadline.wait(_TRY_S)
        else:
            raise BenchError(f"{kind} did not come up: {(work / 'broker.log').read_text()[-500:]}")
        yield port, process.pid
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def run_gateway_process(
    case: Case, port: int, work: Path, stores: Stores, more: Mapping[str, object] | None = None
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run the gateway under test; yields the address of its API."""
    asked = {
        "data_dir": str(work / "gateway"),
        "broker": f"127.0.0.1:{port}",
        "edges": case.edges,
        "tags_per_edge": case.tags_per_edge,
        "records": stores.records,
        "history": stores.history,
        **(more or {}),
    }
    with (work / "gateway.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - ours
            leashed("hazgate.bench.gateway", json.dumps(asked)),
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    try:
        address = process.stdout.readline().strip() if process.stdout else ""
        if not address:
            raise BenchError(f"the gateway did not come up: {(work / 'gateway.log').read_text()[-1000:]}")
        yield address, process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def _watched(pid: int) -> Iterator[list[int]]:
    """Note the peak of a process's resident memory, in bytes, while the block runs."""
    peak = [0]
    ended = threading.Event()

    def watch() -> None:
        process = psutil.Process(pid)
        while not ended.wait(_TRY_S):
            peak[0] = max(peak[0], process.memory_info().rss)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield peak
    finally:
        ended.set()
        watcher.join()


def _position(address: str, of: str) -> int:
    health = _get(address, "/api/v1/health")
    return int(health[f"{of}_position"]) if health else -1


def _get(address: str, path: str) -> Any:  # noqa: ANN401 - JSON
    """Return a JSON answer, None when there is none (yet)."""
    try:
        with urllib.request.urlopen(f"{address}{path}", timeout=5) as answer:  # noqa: S310 - our own gateway
            return json.load(answer)
    except OSError:
        return None


def wait_for(condition: Callable[[], bool], what: str, clock: Clock, within_s: float = _WAIT_S) -> None:
    """Wait until something holds.

    Raises:
        BenchError: It did not, in time.
    """
    deadline_s = clock.monotonic_s() + within_s
    pause = threading.Event()
    while not condition():
        if clock.monotonic_s() > deadline_s:
            raise BenchError(f"waited {within_s:.0f} s in vain for {what}")
        pause.wait(_TRY_S)


def _cpu_s(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def _cpu_model() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def quantiles(delays_ms: list[float]) -> dict[str, float]:
    """Return median, 99 % and the longest."""
    if not delays_ms:
        return {"p50": 0.0, "p99": 0.0, "max": 0.0}
    p50, p99 = np.percentile(delays_ms, (50, 99))
    return {"p50": round(float(p50), 1), "p99": round(float(p99), 1), "max": round(max(delays_ms), 1)}
