"""History servers as processes: InfluxDB 1.6 behind a shim that maps the v2 write path as 1.8 does, VictoriaMetrics."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import threading
from abc import ABC, abstractmethod
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import urllib3

from config.settings import HistoryAddress
from gateway.broker import child_command, free_port
from tests.support.waiting import eventually

__all__ = ["HistoryServer", "Influx", "Shim", "Victoria"]

PROGRAMS = Path(__file__).parents[2] / ".venv" / "debian" / "usr" / "bin"
START_WITHIN_S = 15.0

INFLUX_CONF = """
reporting-disabled = true
bind-address = "127.0.0.1:{rpc}"
[meta]
  dir = "{dir}/meta"
[data]
  dir = "{dir}/data"
  wal-dir = "{dir}/wal"
  wal-fsync-delay = "0s"
  query-log-enabled = false
[http]
  bind-address = "127.0.0.1:{port}"
  log-enabled = false
[monitor]
  store-enabled = false
[subscriber]
  enabled = false
[continuous_queries]
  enabled = false
"""


class HistoryServer(ABC):
    """A server process on a free port of 127.0.0.1. Use it as a context manager; leaving kills it."""

    program: str

    def __init__(self, work_dir: Path) -> None:
        self.port = free_port()
        self.folder = work_dir / f"{self.program}-{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """``http://host:port``."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and return when it answers."""
        path = PROGRAMS / self.program
        if not path.exists():
            pytest.skip(f"no {self.program}: scripts/setup python3 test could not get its Debian package")
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "log").open("ab") as log:
            command = child_command(str(path), *self._arguments())
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        eventually(self._answers, START_WITHIN_S, every_s=0.05)

    def kill(self) -> None:
        """End it with SIGKILL: whatever it had only in memory is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def hang(self) -> None:
        """Let it accept connections and never answer."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """End that."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        os.kill(self._process.pid, number)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.folder / "log").read_text(encoding="utf-8")[-2000:]
        try:
            return urllib3.request("GET", f"{self.url}{self._health}", retries=False, timeout=1.0).status < 300
        except urllib3.exceptions.HTTPError:
            return False

    _health = "/ping"

    @abstractmethod
    def _arguments(self) -> list[str]: ...

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None and self._process.poll() is None:
            self.go_on()
        self.kill()


class Influx(HistoryServer):
    """Debian's InfluxDB 1.6: genuine line protocol, InfluxQL and errors, durable; no v2 write path."""

    program = "influxd"

    def _arguments(self) -> list[str]:
        conf = self.folder / "influx.conf"
        conf.write_text(INFLUX_CONF.format(rpc=free_port(), port=self.port, dir=self.folder), encoding="utf-8")
        return ["-config", str(conf)]

    def make(self, database: str) -> None:
        """Make a database."""
        self.query(f'CREATE DATABASE "{database}"')

    def query(self, text: str, **fields: str) -> Any:  # noqa: ANN401 - JSON
        """Ask in InfluxQL, past everything under test."""
        answer = urllib3.request("POST", f"{self.url}/query", fields={"q": text, **fields})
        return answer.json()

    def write(self, database: str, lines: str) -> None:
        """Write past everything under test."""
        answer = urllib3.request("POST", f"{self.url}/write?db={database}&precision=ms", body=lines.encode())
        assert answer.status == 204, answer.data

    def address(self, database: str = "hazgate") -> HistoryAddress:
        """Return the address for the v1 API."""
        return HistoryAddress(url=self.url, bucket=database, api="v1")


class Victoria(HistoryServer):
    """Debian's VictoriaMetrics: takes v2 writes, forgets the last seconds when killed, swallows bad lines."""

    program = "victoria-metrics"
    _health = "/health"

    def _arguments(self) -> list[str]:
        return [
            f"-storageDataPath={self.folder}/data",
            f"-httpListenAddr=127.0.0.1:{self.port}",
            "-retentionPeriod=100y",
            "-search.latencyOffset=0s",
            "-dedup.minScrapeInterval=1ms",
        ]

    def address(self) -> HistoryAddress:
        """Return the address for the v2 API."""
        return HistoryAddress(url=self.url, bucket="hazgate", org="hazgate")

    def count(self, name: str) -> int:
        """Count the samples of a field, as they are found now."""
        query = urlencode({"match[]": f'{{__name__="{name}"}}'})
        answer = urllib3.request("GET", f"{self.url}/api/v1/export?{query}")
        return sum(len(json.loads(line)["timestamps"]) for line in answer.data.splitlines())


class Shim:
    """``/api/v2/write`` for a server that has only ``/write``, as InfluxDB 1.8 maps it; everything else goes through.

    Use it as a context manager.

    Args:
        server: Behind it.
    """

    def __init__(self, server: Influx) -> None:
        self.server = server
        self.faults: deque[tuple[int, dict[str, str]]] = deque()
        """Answers to the next writes: (status, headers), instead of passing them on."""
        self.writes = 0
        self._http = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"shim": self}))
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), name="shim", daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._http.server_address[1])

    def address(self, database: str = "hazgate") -> HistoryAddress:
        """Return the address for the v2 API."""
        return HistoryAddress(url=f"http://127.0.0.1:{self.port}", bucket=database, org="hazgate")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - the library's own
        """Give each connection a thread that `tests/conftest.py` knows: it ends with the connection."""
        serve = self.process_request_thread
        threading.Thread(target=serve, args=(request, client_address), name="shim", daemon=True).start()


class _Handler(BaseHTTPRequestHandler):
    shim: Shim
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._pass("GET", self.path, None)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        url = urlsplit(self.path)
        if url.path != "/api/v2/write":
            self._pass("POST", self.path, body)
            return
        self.shim.writes += 1
        if self.shim.faults:
            self._answer(*self.shim.faults.popleft(), b'{"code":"unavailable","message":"scripted"}')
            return
        asked = {name: values[0] for name, values in parse_qs(url.query).items()}
        target = urlencode({"db": asked["bucket"], "precision": asked.get("precision", "ns")})
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        self._pass("POST", f"/write?{target}", body)

    def _pass(self, method: str, target: str, body: bytes | None) -> None:
        try:
            answer = urllib3.request(method, f"{self.shim.server.url}{target}", body=body, retries=False, timeout=10.0)
        except urllib3.exceptions.HTTPError:
            self._answer(503, {}, b'{"code":"unavailable","message":"no server"}')
            return
        self._answer(answer.status, {}, answer.data)

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if status != 204:
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass
