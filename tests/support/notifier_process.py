"""A notifier alone, to be killed: ``python -m tests.support.notifier_process FOLDER PORT``."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from config.clock import SystemClock
from config.duty.model import Ladder, Step, Storm
from gateway.notify.notifier import Notifier
from gateway.notify.outbox import Outbox
from gateway.records.database import open_desk, open_reader
from gateway.records.queries import Queries
from gateway.threads import Crew
from hazgate.bench.receiver import PostChannel
from tests.support.duties import MINUTE_MS, make_duty
from tests.support.plants import mini_plant

__all__ = ["main"]


def main() -> None:
    """Tell until killed."""
    folder, port = Path(sys.argv[1]), int(sys.argv[2])
    steps = (Step("officer", ("a", "b"), 60 * MINUTE_MS),)
    duty = make_duty(Ladder("all", frozenset({1, 2, 3, 4}), steps, storm=Storm(over=100_000)))
    desk, reader = open_desk(folder), open_reader(folder)
    channels = {"a": PostChannel(port), "b": PostChannel(port)}
    notifier = Notifier(mini_plant(), duty, channels, Outbox(desk, reader), Queries(reader), SystemClock())
    ended = threading.Event()
    crew = Crew(ended.set)
    for name, work in notifier.threads().items():
        crew.start(name, work)
    print("ready", flush=True)  # noqa: T201 - read by the parent
    while not ended.wait(0.02):
        notifier.wake()


if __name__ == "__main__":
    main()
