#!/usr/bin/env python3
"""Cries when nothing is heard of a HazGate gateway any more. For another machine; needs nothing but Python.

The gateway tells this receiver, once in every period of a canary tag, that a reading has come all the way from an edge
(`hazgate gateway --canary-url http://HERE:8099/canary`). When none comes for --after-s seconds, --on-silence is
run (with the text as its last argument), again every --again-s, and once more when it is over.

    python3 canary_receiver.py --listen 0.0.0.0:8099 --after-s 180 --on-silence /usr/local/bin/call-the-duty-officer

GET / answers 200 while readings come, 503 in silence, with the last of them as JSON.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MAX_BYTES = 10_000


class Watch:
    """When anything was last heard, and whether its silence has been cried.

    One canary of many that falls silent is an alarm of the gateway (`STALE`); this is for the day when that is silent.
    """

    def __init__(self, after_s: float, again_s: float, command: str) -> None:
        self.after_s = after_s
        self._again_s = again_s
        self._command = shlex.split(command)
        self._lock = threading.Lock()
        self._heard_s = time.monotonic()
        self._last: dict[str, object] = {}
        self._cried_s: float | None = None

    def hear(self, document: dict[str, object]) -> None:
        """Take a sign of life."""
        with self._lock:
            self._heard_s, self._last = time.monotonic(), document
            over = self._cried_s is not None
            self._cried_s = None
        if over:
            self._say("OVER: readings come again / 信号恢复")

    def look(self) -> None:
        """Cry if it is time to."""
        now_s = time.monotonic()
        with self._lock:
            silent_s = now_s - self._heard_s
            due = silent_s >= self.after_s and (self._cried_s is None or now_s - self._cried_s >= self._again_s)
            if due:
                self._cried_s = now_s
        if due:
            self._say(f"SILENCE: nothing heard for {silent_s:.0f} s / 已 {silent_s:.0f} 秒无信号")

    def state(self) -> tuple[bool, dict[str, object]]:
        """Say whether all is well, and what was heard last."""
        with self._lock:
            silent_s = time.monotonic() - self._heard_s
            return silent_s < self.after_s, {"silent_s": round(silent_s, 1), "last": self._last}

    def _say(self, text: str) -> None:
        print(f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')} {text}", flush=True)
        if self._command:
            try:
                subprocess.run([*self._command, text], check=False, timeout=60)  # noqa: S603 - the operator's own command
            except (OSError, subprocess.TimeoutExpired) as error:
                print(f"cannot cry: {error}", file=sys.stderr, flush=True)


def handler(watch: Watch) -> type[BaseHTTPRequestHandler]:
    """Return what answers HTTP."""

    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            """Tell the state."""
            well, document = watch.state()
            self._answer(200 if well else 503, document)

        def do_POST(self) -> None:
            """Take a sign of life."""
            length = self.headers.get("Content-Length") or ""
            # Digits only: a negative length would mean "whatever comes", and memory without an end.
            fits = length.isdecimal() and int(length) <= MAX_BYTES
            try:
                document = json.loads(self.rfile.read(int(length))) if fits and self.path == "/canary" else None
            except ValueError:
                document = None
            if not isinstance(document, dict) or "sent_ms" not in document:
                self._answer(400, {"error": "expected POST /canary with a JSON object that has sent_ms"})
                return
            watch.hear(document)
            self._answer(200, {"ok": True})

        def _answer(self, status: int, document: dict[str, object]) -> None:
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing of every request."""

    return Handler


def main() -> None:
    """Listen and watch for ever."""
    parser = argparse.ArgumentParser(description="Cries when nothing is heard of a HazGate gateway any more.")
    parser.add_argument("--listen", default="127.0.0.1:8099", help="host:port")
    parser.add_argument("--after-s", type=float, default=180.0, help="silence that is worth a cry")
    parser.add_argument("--again-s", type=float, default=600.0, help="cry again in so long")
    parser.add_argument("--on-silence", default="", help="command to run; the text is its last argument")
    given = parser.parse_args()
    host, _, port = given.listen.rpartition(":")
    watch = Watch(given.after_s, given.again_s, given.on_silence)
    server = ThreadingHTTPServer((host, int(port)), handler(watch))
    print(f"listening on {host}:{server.server_address[1]}", flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    pause = threading.Event()
    while not pause.wait(min(1.0, given.after_s / 4)):
        watch.look()


if __name__ == "__main__":
    main()
