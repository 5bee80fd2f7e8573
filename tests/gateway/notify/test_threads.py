"""The notifier in its threads: a slow channel delays no other, all end when asked; findings become alarms."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from sqlalchemy import insert

from config.clock import SystemClock
from config.duty.model import Ladder, Step
from gateway.live import AlarmNotice, Hub
from gateway.notify import sender
from gateway.notify.notifier import Notifier
from gateway.notify.outbox import Outbox
from gateway.notify.port import ChannelError
from gateway.records.database import open_reader, open_writer
from gateway.records.queries import Queries
from gateway.records.schema import alarm, alarm_event
from gateway.system import Finding
from gateway.threads import Crew
from tests.support.channels import RecordingChannel
from tests.support.duties import MINUTE_MS, make_duty
from tests.support.gateway_rig import Rig
from tests.support.plants import mini_plant
from tests.support.rows import alarm_row, event_row
from tests.support.waiting import eventually


class Beacon(RecordingChannel):
    beats = 0

    def heartbeat(self) -> None:
        self.beats += 1
        if self.beats > 1:
            raise ChannelError("no answer")


def test_a_slow_channel_delays_no_other_and_the_hub_wakes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "_HEARTBEAT_S", 0.01)
    engine, reader = open_writer(tmp_path), open_reader(tmp_path)
    slow, quick, hub = RecordingChannel(), Beacon(), Hub()
    slow.gate = threading.Event()
    duty = make_duty(Ladder("all", frozenset({2}), (Step("officer", ("a", "b"), MINUTE_MS),)))
    channels = {"a": slow, "b": quick}
    notifier = Notifier(mini_plant(), duty, channels, Outbox(engine, reader), Queries(reader), SystemClock())
    ends = notifier.follow(hub)
    crew = Crew(lambda: None)
    for name, work in notifier.threads().items():
        crew.start(name, work)
    for number in (1, 2):
        row = alarm_row(f"n{number}")
        with engine.begin() as connection:
            connection.execute(insert(alarm), row)
            connection.execute(insert(alarm_event), event_row(number, f"n{number}"))
        hub.tell(AlarmNotice(number, "raised", row))
        eventually(lambda number=number: len(quick.sent) == number, 3)  # type: ignore[misc]
        assert slow.sent == []
    eventually(lambda: any(one.fault == "NOTIFY_BEACON" and one.wrong for one in notifier.findings()), 3)
    slow.gate.set()
    eventually(lambda: len(slow.sent) == 2, 3)
    ends()
    crew.stop.set()
    notifier.wake()
    assert crew.join(5) == []
    assert (slow.closed, quick.closed, crew.failed) == (True, True, "")
    engine.dispose()
    reader.dispose()


def test_what_the_notifier_finds_wrong_becomes_an_alarm_of_the_system(tmp_path: Path) -> None:
    rig = Rig(tmp_path, mini_plant())
    rig.board.findings = lambda: [Finding("NOTIFY_FAILED", wrong=True, detail="sms: no credit")]
    rig.play(3.0)
    assert [(row["tag"], row["basis"]) for row in rig.rows("alarm")] == [("SYS.NOTIFY_FAILED", "sms: no credit")]
    rig.close()
