"""Child processes of one command: each with its log file, none of which outlives the command."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil

from hazgate.leash import leashed

__all__ = ["Child", "ChildEndedError", "Fleet"]

END_WITHIN_S = 1.2
"""For ending when asked; then a process is killed."""
_LAST_LINES = 12
_TAIL_BYTES = 16_384


class ChildEndedError(Exception):
    """A process ended that should not have; says which, how, and what it said last."""


@dataclass(slots=True)
class Child:
    """One process, started."""

    name: str
    log_file: Path
    process: asyncio.subprocess.Process

    @property
    def pid(self) -> int:
        """Of the process, also when it has ended."""
        return self.process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self.process.returncode is None

    def last_lines(self, count: int = _LAST_LINES) -> list[str]:
        """Return what it said last."""
        with contextlib.suppress(OSError), self.log_file.open("rb") as log:
            log.seek(max(0, self.log_file.stat().st_size - _TAIL_BYTES))
            return log.read().decode("utf-8", errors="replace").splitlines()[-count:]
        return []

    def obituary(self) -> ChildEndedError:
        """Return the error that says how it ended."""
        code = self.process.returncode
        how = f"was killed by signal {-code}" if code is not None and code < 0 else f"ended with {code}"
        return ChildEndedError("\n  ".join([f"{self.name} {how}; {self.log_file} ends:", *self.last_lines()]))


class Fleet:
    """The child processes of one command.

    Every child has a session of its own (Ctrl-C in the terminal reaches only us, who end them in order) and hangs on
    a leash (`hazgate.leash`), so that a killed command leaves nobody behind.

    Args:
        log_dir: A file per process goes here; made when missing.
    """

    def __init__(self, log_dir: Path) -> None:
        self._log_dir = log_dir
        self.children: dict[str, Child] = {}

    async def start(self, name: str, module: str, *arguments: str, talks: bool = False) -> Child:
        """Start a module of this program as a child.

        Args:
            name: Of the child and its log file.
            module: Run as ``python -m``.
            arguments: Of the module.
            talks: The caller writes to its standard input and reads its standard output; else this goes to the
                log, too.
        """
        self._log_dir.mkdir(parents=True, exist_ok=True)
        log_file = self._log_dir / f"{name}.log"
        with log_file.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *leashed(module, *arguments),
                stdin=asyncio.subprocess.PIPE if talks else asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE if talks else log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )
        child = Child(name, log_file, process)
        self.children[name] = child
        return child

    async def watch(self, name: str) -> None:
        """Wait until a child has ended.

        Raises:
            ChildEndedError: That is what happened.
        """
        child = self.children[name]
        await child.process.wait()
        raise child.obituary()

    async def fallen(self, within_s: float) -> Child | None:
        """Return a child that has ended, waiting a little for one: its sockets close before it counts as ended."""
        async with asyncio.TaskGroup() as tasks:
            waiting = [tasks.create_task(child.process.wait()) for child in self.children.values()]
            if waiting:
                await asyncio.wait(waiting, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
            for one in waiting:
                one.cancel()
        return next((child for child in self.children.values() if not child.running), None)

    async def stop(self, *names: str, within_s: float = END_WITHIN_S) -> list[str]:
        """Ask children to end, and kill those that do not.

        Args:
            names: Which; all when none is named.
            within_s: How long they may take.

        Returns:
            Those that had to be killed.
        """
        children = [self.children[name] for name in names or self.children]
        family = _descendants(children)
        for child in children:
            if child.running:
                child.process.terminate()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                for child in children:
                    await child.process.wait()
        late = [child for child in children if child.running]
        for child in late:
            child.process.kill()
        for child in children:
            await child.process.wait()
        _kill(family)
        return [child.name for child in late]


def _descendants(children: Iterable[Child]) -> list[psutil.Process]:
    """Return what children have started themselves."""
    found: list[psutil.Process] = []
    for child in children:
        with contextlib.suppress(psutil.Error):
            found += psutil.Process(child.pid).children(recursive=True)
    return found


def _kill(processes: Iterable[psutil.Process]) -> None:
    """End what is left of some processes; psutil tells a process from a later one with the same id."""
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.kill()
