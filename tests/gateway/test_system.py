"""Troubles of the system itself: which become alarms, when, and that a full disk can still be told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from config.contract.messages import AlarmState, EdgeStatus, decode, encode
from config.contract.topics import Kind, edge_topic
from config.plant.model import Condition
from gateway import pipeline
from gateway.messages import message
from gateway.records.database import open_writer
from gateway.system import FAULTS, Trouble, Watch, edge_of, fault_of
from tests.support import disks
from tests.support.frames import frame
from tests.support.gateway_rig import Edge, Rig, Step
from tests.support.plants import mini_plant

PLANT = mini_plant()
T0 = 1_763_770_000_000
MINUTE = 60_000


@pytest.fixture(autouse=True)
def no_real_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "_RECOVER_WAIT_S", 0.001)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    opened = Rig(tmp_path, PLANT)
    yield opened
    opened.close()


def of_the_system(rig: Rig) -> list[dict[str, Any]]:
    return [row for row in rig.rows("alarm") if row["condition"] == "SYSTEM"]


def test_a_trouble_becomes_an_alarm_when_it_has_lasted() -> None:
    watch = Watch(PLANT)
    watch.see("HISTORY_BEHIND", T0, wrong=True, detail="refused")
    assert watch.troubles(T0 + MINUTE - 1) == {}
    watch.see("HISTORY_BEHIND", T0 + MINUTE, wrong=True, detail="still refused")
    assert watch.troubles(T0 + MINUTE) == {"SYS.HISTORY_BEHIND": Trouble("HISTORY_BEHIND", T0, "still refused")}
    watch.see("HISTORY_BEHIND", T0 + MINUTE + 1, wrong=False)
    assert watch.troubles(T0 + MINUTE + 1) == {}


def test_what_is_told_once_counts_for_a_while() -> None:
    watch = Watch(PLANT)
    watch.see("CLOCK_JUMPED", T0, wrong=True, detail="+600.0 s")
    assert set(watch.troubles(T0)) == set(watch.troubles(T0 + 10 * MINUTE - 1)) == {"SYS.CLOCK_JUMPED"}
    assert watch.troubles(T0 + 10 * MINUTE) == {}


def test_agents_are_watched_and_plain_sensors_are_not() -> None:
    watch = Watch(PLANT)
    for edge in ("edge-a", "edge-b", "unknown"):
        watch.hear(edge, EdgeStatus(online=False), T0)
    assert set(watch.troubles(T0 + MINUTE)) == {"SYS.EDGE_OFFLINE.edge-a"}
    watch.hear("edge-a", EdgeStatus(online=True, faults=("outbox_full",)), T0 + MINUTE)
    assert set(watch.troubles(T0 + MINUTE)) == {"SYS.EDGE_SHEDS.edge-a"}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_has_a_name_that_leads_back_to_it(fault: str) -> None:
    assert fault_of(f"SYS.{fault}") is FAULTS[fault] is fault_of(f"SYS.{fault}.edge-a.b")
    assert (edge_of(f"SYS.{fault}"), edge_of(f"SYS.{fault}.edge-a.b")) == ("", "edge-a.b")
    assert fault_of(f"T.{fault}") is None


def test_an_offline_edge_is_alarmed_told_and_stays_until_somebody_has_seen_it(rig: Rig) -> None:
    status = edge_topic("mini", "edge-a", Kind.STATUS)
    offline, online = (encode(EdgeStatus(online=on)) for on in (False, True))
    rig.play(rig.put(status, offline), 62.0)
    (row,) = of_the_system(rig)
    assert (row["tag"], row["condition"], row["tier"], row["state"], row["edge"]) == (
        "SYS.EDGE_OFFLINE.edge-a", "SYSTEM", 2, "active", "edge-a",
    )  # fmt: skip
    (told,) = [payload for topic, payload in rig.transport.retained.items() if topic.endswith(row["alarm_id"])]
    assert "甲网关" in decode(told, AlarmState).message_zh
    assert "edge agent offline" in decode(told, AlarmState).message_en
    rig.play(3.0)
    assert [row["state"] for row in of_the_system(rig)] == ["active"], "a restart knows it"
    rig.play(rig.put(status, online), 3.0)
    assert [row["state"] for row in of_the_system(rig)] == ["returned"]


def test_a_step_of_the_clock_is_an_alarm(rig: Rig) -> None:
    def step(rig: Rig) -> None:
        rig.clock.step_wall_ms(600_000)

    rig.play(2.0, step, 2.0)
    (row,) = of_the_system(rig)
    assert (row["tag"], row["basis"]) == ("SYS.CLOCK_JUMPED", "+600.0 s")
    assert "+600.0 s" in message(row, PLANT, "zh")
    assert row["condition"] == Condition.SYSTEM


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with disks.small_disk(tmp_path / "disk", "8m") as disk:
        yield disk


def test_a_full_disk_takes_nothing_in_tells_it_and_goes_on_by_itself(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    open_writer(small_disk).dispose()  # the log of the migrations, megabytes that could be written over, is gone then
    rig = Rig(small_disk, PLANT, reserve_bytes=500_000, checkpointing=True)
    frames = [frame(seq, *(("T-1.LEVEL", T0 + 1_000 * seq + at, 5.0) for at in range(500))) for seq in range(1, 101)]
    edge = Edge(frames)

    def resend(rig: Rig) -> None:
        edge.send(rig.transport, 10)

    def fill(_rig: Rig) -> None:
        disks.fill(ballast)

    def make_room(_rig: Rig) -> None:
        disks.grow(small_disk, "30m")

    resending: list[Step] = [resend, 0.5] * 30
    rig.play(resend, 0.5, fill, *resending)
    stuck = edge.kept(rig.transport)
    assert stuck < len(frames), "the disk is full: what is not kept is not confirmed"
    healthy = rig.board.health.records_ok
    assert not healthy
    (row,) = of_the_system(rig)
    assert (row["tag"], row["tier"], row["state"]) == ("SYS.RECORDS_FULL", 1, "active")
    assert [topic for topic in rig.transport.retained if topic.endswith(row["alarm_id"])], "and it is told"

    rig.play(make_room, 2.0, *resending)
    assert edge.kept(rig.transport) == len(frames)
    assert rig.board.health.records_error == ""
    assert [row["state"] for row in of_the_system(rig)] == ["returned"]
    assert len(rig.samples()) == 50_000
    assert len(set(rig.samples())) == 50_000
    rig.close()
