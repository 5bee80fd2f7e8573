"""Real MQTT brokers as test helpers: started on a free loopback port, killed and restarted at will, always ended."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import Self

from config.clock import SystemClock
from config.mosquitto import mosquitto_conf
from config.settings import BrokerGuard
from gateway.broker import child_command, free_port
from gateway.entrance import Entrance
from gateway.nats import limit_queue
from gateway.probe import Probe

__all__ = ["BROKERS", "Broker", "Mosquitto", "Nats"]

START_WITHIN_S = 15.0
POLL_S = 0.02


class Broker(ABC):
    """A broker process with an address that stays the same from start to start.

    Use it as a context manager; entering starts it, leaving ends it whatever happened.
    """

    kind: str

    def __init__(self, work_dir: Path, *, guard: BrokerGuard | None = None) -> None:
        self.host = "127.0.0.1"
        self.guard = guard or BrokerGuard()
        self.port = free_port()
        self.state_dir = work_dir / f"{self.kind}-{self.port}"
        self._log_file = work_dir / f"{self.kind}-{self.port}.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """``host:port``."""
        return f"{self.host}:{self.port}"

    @property
    def log(self) -> str:
        """All the broker said since it was made, over all its starts."""
        return self._log_file.read_text(encoding="utf-8", errors="replace") if self._log_file.exists() else ""

    @property
    def pid(self) -> int | None:
        """Of the running process; None when it does not run."""
        return self._process.pid if self.running and self._process else None

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it and return when a client can connect. Does nothing when it runs."""
        if self.running:
            return
        self.state_dir.mkdir(parents=True, exist_ok=True)
        with self._log_file.open("ab") as log:
            self._process = subprocess.Popen(
                self._command(), stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
        for _ in range(int(START_WITHIN_S / POLL_S)):
            if self._serves(self._process.pid):
                return
            try:
                code = self._process.wait(POLL_S)
            except subprocess.TimeoutExpired:
                continue
            message = f"{self.kind} ended with {code}; it said:\n{self.log[-2000:]}"
            raise RuntimeError(message)
        self.kill()
        message = (
            f"{self.kind} let nobody connect to {self.address} in {START_WITHIN_S} s; it said:\n{self.log[-2000:]}"
        )
        raise RuntimeError(message)

    def _serves(self, _pid: int) -> bool:
        """Say whether clients can connect; a guarded broker, whether somebody listens."""
        if self.guard == BrokerGuard():
            return Probe(self.host, self.port).answers()
        try:
            socket.create_connection((self.host, self.port), timeout=1.0).close()
        except OSError:
            return False
        return True

    def reload(self) -> None:
        """Let it read changed accounts and certificates (SIGHUP)."""
        if self._process is not None:
            self._process.send_signal(signal.SIGHUP)

    def stop(self) -> None:
        """End it the polite way (SIGTERM)."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(5.0)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it with SIGKILL: whatever it had only in memory is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def restart(self) -> None:
        """Stop and start again on the same port."""
        self.stop()
        self.start()

    def wipe(self) -> None:
        """Remove what it keeps on disk, so that the next start knows no session and no message."""
        if self.running:
            message = "stop or kill the broker before wiping what it keeps"
            raise RuntimeError(message)
        shutil.rmtree(self.state_dir, ignore_errors=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    @abstractmethod
    def _command(self) -> list[str]:
        """Write the configuration and return the command that starts the broker with it."""


class Mosquitto(Broker):
    """Debian's Mosquitto with the configuration HazGate ships.

    Args:
        work_dir: For its configuration, log and state.
        persistent: Save sessions and retained messages when it is stopped; without it every start is from nothing.
    """

    kind = "mosquitto"

    def __init__(self, work_dir: Path, *, persistent: bool = False, guard: BrokerGuard | None = None) -> None:
        super().__init__(work_dir, guard=guard)
        self._persistent = persistent

    def _command(self) -> list[str]:
        saved = self.state_dir if self._persistent else None
        text = mosquitto_conf(self.port, host=self.host, persistence_dir=saved, guard=self.guard)
        if os.geteuid() == 0:
            text += "user root\n"  # else it becomes the user mosquitto, who may not enter pytest's directories
        conf = self.state_dir / "mosquitto.conf"
        conf.write_text(text, encoding="utf-8")
        return child_command("mosquitto", "-c", str(conf))


class Nats(Broker):
    """The embedded broker's server, without the supervisor that starts it again. Keeps its state until wiped."""

    kind = "nats"

    def __init__(self, work_dir: Path, *, guard: BrokerGuard | None = None) -> None:
        super().__init__(work_dir, guard=guard)
        self._entrance = Entrance(self.state_dir, self.guard, SystemClock().wall_ms())

    def reload(self) -> None:
        self._write()
        super().reload()

    def _write(self) -> Path:
        conf = self.state_dir / "nats.conf"
        self._entrance.write(conf, self.host, self.port)
        return conf

    def _command(self) -> list[str]:
        return child_command("nats-server", "--config", str(self._write()))

    def _serves(self, pid: int) -> bool:
        probe = self._entrance.probe(self.host, self.port)
        return probe.answers() and limit_queue(self.state_dir, pid, self._entrance.insiders)


BROKERS: dict[str, type[Broker]] = {"mosquitto": Mosquitto, "embedded": Nats}
"""Test id -> broker; the fixture `broker` runs a test on each."""
