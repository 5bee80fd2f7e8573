"""Run a module as a child that the kernel ends when its parent dies, however the parent dies.

``python -m hazgate.leash PARENT MODULE [ARGUMENTS]`` with the parent's process id. SIGKILL, because whatever runs here
keeps its promises when killed, and because a child that hangs must go, too.
"""

from __future__ import annotations

import ctypes
import os
import runpy
import signal
import sys

__all__ = ["leashed", "main"]

_PR_SET_PDEATHSIG = 1


def leashed(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module of this program as a child of this process.

    Start it from the main thread: the kernel watches the thread that starts it.
    """
    return [sys.executable, "-m", "hazgate.leash", str(os.getpid()), module, *arguments]


def main() -> None:
    """Tie this process to its parent, then become the module."""
    parent, module = int(sys.argv[1]), sys.argv[2]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
        if os.getppid() != parent:  # it died before the kernel knew that we care
            sys.exit(1)
    del sys.argv[1:3]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
