"""A real browser for tests of pages: Chromium, driven over its debugging pipe."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.support.waiting import eventually

__all__ = ["CHROMIUM", "Page", "chromium"]

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

_FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --disable-dev-shm-usage --hide-scrollbars --remote-debugging-pipe"
)

_START = """
import fcntl, os, sys
# The browser reads from descriptor 3 and writes to 4; both are first moved out of each other's way.
read, write = (fcntl.fcntl(int(fd), fcntl.F_DUPFD, 10) for fd in sys.argv[1:3])
os.dup2(read, 3)
os.dup2(write, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


class BrowserError(AssertionError):
    """The browser refused what it was told."""


class Pipe:
    """The connection to the browser: messages with answers, and events in between."""

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self._to, self._from = to_browser, from_browser
        self._number = 0
        self._rest = b""
        self.pages: dict[str, Page] = {}

    def call(self, method: str, session: str = "", **parameters: object) -> dict[str, Any]:
        """Return the answer to a message."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise BrowserError(f"{method}: {answer['error']}")
                result: dict[str, Any] = answer["result"]
                return result
            page = self.pages.get(answer.get("sessionId", ""))
            if page is not None:
                page.note(answer.get("method", ""), answer.get("params", {}))

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            got = os.read(self._from, 1 << 20)
            if not got:
                raise AssertionError("the browser has ended")
            self._rest += got
        one, _, self._rest = self._rest.partition(b"\0")
        answer: dict[str, Any] = json.loads(one)
        return answer


class Page:
    """One tab."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe
        self.complaints: list[str] = []
        """What the console said in anger, exceptions included."""
        self._target: str = pipe.call("Target.createTarget", url="about:blank")["targetId"]
        self._session: str = pipe.call("Target.attachToTarget", targetId=self._target, flatten=True)["sessionId"]
        pipe.pages[self._session] = self
        for domain in ("Page", "Runtime", "Log"):
            self._call(f"{domain}.enable")

    def another(self) -> Page:
        """Open another tab."""
        return Page(self._pipe)

    def close(self) -> None:
        """Close the tab."""
        self._pipe.call("Target.closeTarget", targetId=self._target)

    def open(self, address: str, width: int = 1920, height: int = 1080, *, dark: bool = False) -> None:
        """Go to an address in a window of this size."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 800}
        self._call("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._call("Emulation.setEmulatedMedia", features=[scheme])
        self._call("Page.navigate", url=address)

    def evaluate(self, script: str) -> object:
        """Return the value of an expression in the page."""
        answer = self._call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise AssertionError(answer["exceptionDetails"])
        value: object = answer["result"].get("value")
        return value

    def until(self, script: str, within_s: float = 10.0) -> None:
        """Wait until an expression in the page is true."""
        eventually(lambda: self.evaluate(script), within_s)

    def without_scripts(self) -> None:
        """Switch JavaScript off for what is opened from now on."""
        self._call("Emulation.setScriptExecutionDisabled", value=True)

    def picture(self, path: Path, *, whole: bool = False) -> None:
        """Save what the tab shows."""
        data = self._call("Page.captureScreenshot", captureBeyondViewport=whole)["data"]
        path.write_bytes(base64.b64decode(data))

    def html(self) -> str:
        """Return what the tab holds, also with scripts switched off; nothing while it goes from page to page."""
        try:
            root = self._call("DOM.getDocument", depth=0)["root"]["nodeId"]
            html: str = self._call("DOM.getOuterHTML", nodeId=root)["outerHTML"]
        except BrowserError:
            return ""
        return html

    def note(self, method: str, parameters: dict[str, Any]) -> None:
        """Take an event of the browser."""
        if method == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(parameters["exceptionDetails"]))
        if method == "Log.entryAdded" and parameters["entry"]["level"] in {"error", "warning"}:
            self.complaints.append(json.dumps(parameters["entry"]))

    def _call(self, method: str, **parameters: object) -> dict[str, Any]:
        return self._pipe.call(method, self._session, **parameters)


@contextmanager
def chromium(profile: Path) -> Iterator[Page]:
    """Start Chromium with a fresh profile folder and end it, with all its processes, afterwards."""
    assert CHROMIUM is not None
    their_read, our_write = os.pipe()
    our_read, their_write = os.pipe()
    command = [CHROMIUM, *_FLAGS.split(), f"--user-data-dir={profile}", "about:blank"]
    process = subprocess.Popen(
        [sys.executable, "-c", _START, str(their_read), str(their_write), *command],
        pass_fds=(their_read, their_write),
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(their_read)
    os.close(their_write)
    try:
        yield Page(Pipe(our_write, our_read))
    finally:
        os.close(our_write)
        os.close(our_read)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
