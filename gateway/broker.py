"""The embedded broker: a NATS server with its MQTT listener, run and watched as a child process."""

from __future__ import annotations

import asyncio
import fcntl
import os
import random
import shutil
import signal
import socket
import sys
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import psutil
import structlog

from config.clock import Clock
from config.settings import BrokerGuard
from gateway.entrance import Entrance
from gateway.errors import BrokerError, CredentialsError
from gateway.nats import PID_FILE, limit_queue

__all__ = ["EmbeddedBroker", "child_command", "free_port"]

START_WITHIN_S = 15.0
STOP_WITHIN_S = 1.5
PROBE_EVERY_S = 5.0
PROBES_MISSED = 3
"""This many probes in a row without an answer, and a server that still runs is ended and started again."""

RETRY_FIRST_S = 0.25
RETRY_LAST_S = 10.0
STEADY_AFTER_S = 30.0
"""A server that ran this long before it broke is started again without waiting."""

_PROGRAM = "nats-server"
_POLL_S = 0.02
_LOG_LINES = 12
_SBIN = "/usr/local/sbin:/usr/sbin"
"""Where Debian keeps servers, outside the PATH of ordinary users."""

log = structlog.get_logger(__name__)


def free_port() -> int:
    """Return a loopback port that was free just now.

    It lies below the range from which the kernel takes ports for outgoing connections: a client that tries again
    and again to reach a dead server there could otherwise end up connected to itself.

    Raises:
        BrokerError: None was found.
    """
    chance = random.SystemRandom()
    for _ in range(200):
        port = chance.randrange(15_000, 32_000)
        if _is_free("127.0.0.1", port):
            return port
    message = "no free loopback port between 15000 and 32000"
    raise BrokerError(message)


def child_command(program: str, *arguments: str) -> list[str]:
    """Return the command that runs a server as our child, ended by the kernel when we die without a goodbye.

    Raises:
        BrokerError: The program is neither beside the Python interpreter nor on PATH.
    """
    beside = Path(sys.executable).parent / program
    path = str(beside) if beside.exists() else shutil.which(program, path=f"{os.environ.get('PATH', '')}:{_SBIN}")
    if path is None:
        message = f"{program} is neither beside {sys.executable} nor on PATH; run scripts/setup to install it"
        raise BrokerError(message)
    setpriv = shutil.which("setpriv")
    leash = [setpriv, "--pdeathsig", "TERM", "--"] if setpriv else []
    return [*leash, path, *arguments]


class EmbeddedBroker:
    """An MQTT 3.1.1 broker of our own.

    Entering it as an asynchronous context starts the server, leaving ends it. `supervise` runs beside whatever uses
    the broker and starts the server again when it breaks::

        async with EmbeddedBroker(data_dir, clock=clock) as broker, asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(broker.supervise())
            ...
            watching.cancel()

    Args:
        data_dir: Its configuration, state and log go here; made when missing.
        clock: Times how long the server ran.
        host: Address the MQTT listener binds.
        port: 0 takes a free one.
        guard: Whom it lets in; None lets everybody do everything. A change of its files takes effect within seconds.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        clock: Clock,
        host: str = "127.0.0.1",
        port: int = 1883,
        guard: BrokerGuard | None = None,
    ) -> None:
        self.host = host
        self.port = port or free_port()
        self.restarts = 0
        """How often the server had to be started again."""
        self.error = ""
        """Why it does not run right now; empty when it does."""
        self._clock = clock
        self._state_dir = data_dir / "nats"
        self._entrance = Entrance(self._state_dir, guard or BrokerGuard(), clock.wall_ms())
        self._tls = guard is not None and guard.certificate is not None
        self._conf = data_dir / "nats.conf"
        self._log_file = data_dir / "nats.log"
        self._output = data_dir / "nats.out"
        self._lock: IO[bytes] | None = None
        self._process: asyncio.subprocess.Process | None = None

    @property
    def address(self) -> str:
        """``host:port`` a client on this machine connects to."""
        return f"{self._near_host}:{self.port}"

    @property
    def url(self) -> str:
        """The address with the scheme that tells whether TLS is spoken."""
        return f"{'mqtts' if self._tls else 'mqtt'}://{self.address}"

    @property
    def pid(self) -> int | None:
        """Of the running server; None when it does not run."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def start(self) -> None:
        """Start the server; return when clients can connect. Does nothing when it runs.

        Raises:
            BrokerError: It did not come up; says why and what the server said last.
        """
        if self.pid is not None:
            return
        try:
            await asyncio.to_thread(self._prepare)
            with self._output.open("wb") as output:
                self._process = await asyncio.create_subprocess_exec(
                    *child_command(_PROGRAM, "--config", str(self._conf)),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,  # Ctrl-C in the terminal is for us; we end the server in our own order
                )
            await self._come_up(self._process)
        except BaseException:
            await self.stop()
            raise
        self.error = ""

    async def supervise(self) -> None:
        """Start the server again whenever it ends or stops answering, with growing pauses, until cancelled."""
        retry_s = 0.0
        while True:
            since_s = self._clock.monotonic_s()
            self.error = await self._broken()
            log.warning("broker_broken", reason=self.error, port=self.port)
            if self._clock.monotonic_s() - since_s > STEADY_AFTER_S:
                retry_s = 0.0
            while self.error:
                await asyncio.sleep(retry_s)
                retry_s = min(max(2 * retry_s, RETRY_FIRST_S), RETRY_LAST_S)
                await self.stop()
                try:
                    await self.start()
                except BrokerError as error:
                    self.error = str(error)
                    log.error("broker_not_started", reason=self.error, retry_s=retry_s)
            self.restarts += 1

    async def stop(self) -> None:
        """End the server, within two seconds, and let others use its directory."""
        process = self._process
        if process is not None and process.returncode is None:
            process.terminate()
            try:
                async with asyncio.timeout(STOP_WITHIN_S):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def kill(self) -> None:
        """End the server with SIGKILL, as a crash would; for tests."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def _near_host(self) -> str:
        """The address under which this machine itself reaches the listener."""
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104  compared, not bound

    def _prepare(self) -> None:
        """Make room for a server: directory, configuration, no leftover, a free port.

        Raises:
            BrokerError: The directory cannot be written or the port is taken.
        """
        try:
            self._state_dir.mkdir(parents=True, exist_ok=True)
            self._lock = _locked(self._state_dir / "lock")
            _end_leftover(self._state_dir / PID_FILE)
            for ports_file in self._state_dir.glob("*.ports"):
                ports_file.unlink()
            self._entrance.write(self._conf, self.host, self.port, self._log_file)
        except (OSError, CredentialsError) as error:
            message = f"the embedded broker cannot use {self._state_dir}: {error}"
            raise BrokerError(message) from error
        if not _is_free(self.host, self.port):
            message = (
                f"the embedded broker cannot listen on {self.host}:{self.port}: the address is taken or not of this "
                "machine; end what uses it or choose another port"
            )
            raise BrokerError(message)

    async def _come_up(self, process: asyncio.subprocess.Process) -> None:
        """Return when the server lets clients connect and its queue is bounded.

        Raises:
            BrokerError: It ended, or took too long.
        """
        try:
            async with asyncio.timeout(START_WITHIN_S):
                while not await asyncio.to_thread(self._serves, process.pid):
                    if process.returncode is not None:
                        raise BrokerError(self._last_words(f"the embedded broker ended with {process.returncode}"))
                    await asyncio.sleep(_POLL_S)
        except TimeoutError:
            raise BrokerError(self._last_words(f"the embedded broker was not up in {START_WITHIN_S} s")) from None

    def _serves(self, pid: int) -> bool:
        """Say whether clients can connect and the queue is bounded.

        Raises:
            BrokerError: The queue could not be bounded.
        """
        return self._answers() and limit_queue(self._state_dir, pid, self._entrance.insiders)

    def _answers(self) -> bool:
        """Say whether clients can connect."""
        return self._entrance.probe(self._near_host, self.port).answers()

    def _renew(self) -> None:
        """Let the running server read changed accounts and certificates; who is no longer known is cut off."""
        if self.pid is None or not self._entrance.changed():
            return
        try:
            self._entrance.write(self._conf, self.host, self.port, self._log_file)
        except (OSError, CredentialsError) as error:
            log.error("broker_accounts_unreadable", reason=str(error))
            return
        os.kill(self.pid, signal.SIGHUP)
        log.info("broker_accounts_renewed", port=self.port)

    async def _broken(self) -> str:
        """Return, with the reason, when the server has ended or no longer lets clients connect."""
        process, missed = self._process, 0
        if process is None:
            return "it was never started"
        while missed < PROBES_MISSED:
            try:
                async with asyncio.timeout(PROBE_EVERY_S):
                    code = await process.wait()
                return self._last_words(f"the embedded broker ended with {code}")
            except TimeoutError:
                await asyncio.to_thread(self._renew)
                answers = await asyncio.to_thread(self._answers)
                missed = 0 if answers else missed + 1
        return self._last_words("the embedded broker lets nobody connect")

    def _last_words(self, what: str) -> str:
        """Return ``what`` with the last lines the server wrote."""
        said: list[str] = []
        for path in (self._log_file, self._output):
            if path.exists():
                said += path.read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_LINES:]
        return "\n  ".join([f"{what}; it said last (all of it: {self._log_file}):", *said])


def _is_free(host: str, port: int) -> bool:
    """Say whether a server could listen there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _locked(path: Path) -> IO[bytes]:
    """Return the file, open and locked until it is closed or this process ends in whatever way.

    Raises:
        BrokerError: Another process holds it.
    """
    file = path.open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        message = (
            f"another process already runs the embedded broker of {path.parent.parent}; end it, or use its address"
        )
        raise BrokerError(message) from None
    return file


def _end_leftover(pid_file: Path) -> None:
    """End the server an earlier, killed gateway left behind in this state directory."""
    try:
        process = psutil.Process(int(pid_file.read_text(encoding="ascii")))
        if process.name() != _PROGRAM or str(pid_file.parent.parent.resolve()) not in " ".join(process.cmdline()):
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_WITHIN_S)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(STOP_WITHIN_S)
    except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
        return
