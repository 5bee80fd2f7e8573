"""What the demo shows: the story, the folded stream, and the picture on terminals of all sizes."""

from __future__ import annotations

import io

import msgspec
import pytest
from rich.console import Console

from config.plant.load import DEMO_PLANT, load_plant
from hazgate.demo.answers import (
    AlarmEvent,
    AlarmItem,
    EdgeItem,
    EdgeLedger,
    Health,
    Ledger,
    Name,
    Rise,
    Snapshot,
    Tick,
    Values,
)
from hazgate.demo.client import Event
from hazgate.demo.picture import Picture
from hazgate.demo.player import Progress
from hazgate.demo.story import tell_story
from hazgate.demo.view import Terms, clock_text, plain_figures, plain_moment, render
from simulators.library import load_scenario

START_MS = 1_000_000
HEALTH = Health(
    broker_connected=True, history_lag=2, history_ok=True, samples_per_s=91.0, delay_p50_ms=60.0, delay_p99_ms=120.0
)


def alarm(
    number: int = 1, tier: int = 2, *, version: int = 1, cleared_ms: int | None = None, condition: str = "HH"
) -> AlarmItem:
    return AlarmItem(
        alarm_id=f"id{number}",
        tag=f"GD-{number}",
        description=Name(f"检测器{number}", f"Detector {number}"),
        condition=condition,
        tier=tier,
        base_tier=tier,
        state="active" if cleared_ms is None else "cleared",
        inhibited=None,
        message=Name("高高报警 55 %LEL", "HIGH HIGH 55 %LEL"),
        onset_ms=START_MS + 5000,
        raised_ms=START_MS + 5000,
        cleared_ms=cleared_ms,
        decided_ms=START_MS + 5100,
        value=55.0,
        limit=50.0,
        unit="%LEL",
        version=version,
    )


def event(name: str, data: msgspec.Struct) -> Event:
    return Event(name, msgspec.json.encode(data))


def progress(at_ms: int, samples: int = 0, *, connected: bool = True) -> Progress:
    return Progress(
        started_ms=START_MS, at_ms=at_ms, samples=samples, repeated=0, resent=0, unsent=0, connected=connected
    )


def ledger(stored: int, *, duplicate: int = 0, shed: int = 0) -> Ledger:
    counts = {"samples_stored": stored, "samples_duplicate": duplicate, "samples_shed": shed}
    return Ledger(holds=True, edges=[EdgeLedger("a", counts), EdgeLedger("b", {})])


def shown(picture: Picture, columns: int = 120, lines: int = 36) -> str:
    loaded = load_scenario("demo")
    terms = Terms(loaded.plant, loaded.scenario, 7, 60.0, "http://127.0.0.1:8080", "somewhere")
    console = Console(file=io.StringIO(), width=columns, height=lines, force_terminal=False)
    up = {"broker": True, "gateway": True, "simulator": False}
    console.print(render(terms, picture, up, START_MS + 20_000, (columns, lines)))
    return str(console.file.getvalue())  # type: ignore[attr-defined]  # the StringIO given above


def test_the_story_of_the_shipped_scenario_names_every_trouble_in_order() -> None:
    loaded = load_scenario("demo")
    story = tell_story(loaded.scenario, loaded.plant)
    assert [scene.at_s for scene in story] == sorted(scene.at_s for scene in story)
    told = [scene.text.en for scene in story if scene.trouble]
    assert any("leaks at V-101" in line for line in told)
    assert any("filling T-302 begins" in line for line in told)
    assert "GD-113 loop breaks (NAMUR NE 43 fault current)" in told
    assert "V-203.PRESS falls silent" in told


@pytest.mark.parametrize("name", ["faults", "quiet"])
def test_every_shipped_scenario_has_a_story(name: str) -> None:
    loaded = load_scenario(name)
    assert len(tell_story(loaded.scenario, loaded.plant)) >= len(loaded.scenario.faults)


def test_scenes_are_told_when_the_simulator_has_come_to_them() -> None:
    loaded = load_scenario("demo")
    picture = Picture(story=tell_story(loaded.scenario, loaded.plant))
    picture.play(progress(2_000))
    assert picture.moments == []
    picture.play(progress(4_100))
    assert [moment.at_ms - START_MS for moment in picture.moments] == [3000, 4000, 4000]
    picture.play(progress(4_200))
    assert len(picture.moments) == 3


def test_alarms_come_and_go_and_are_remembered() -> None:
    picture = Picture()
    picture.play(progress(4_000))
    picture.hear(event("alarm", AlarmEvent("raised", alarm())))
    assert list(picture.alarms) == ["id1"]
    picture.hear(event("alarm", AlarmEvent("cleared", alarm(version=2, cleared_ms=START_MS + 9000))))
    assert (picture.alarms, list(picture.run)) == ({}, ["id1"])
    assert [moment.kind for moment in picture.moments] == ["raised", "cleared"]
    assert "▽ 2 橙" in plain_moment(picture.moments[1], START_MS)


def test_a_rise_stays_on_the_list_and_is_told_at_its_time() -> None:
    picture = Picture()
    picture.play(progress(4_000))
    picture.hear(event("alarm", AlarmEvent("raised", alarm())))
    risen = msgspec.structs.replace(alarm(tier=1, version=2), base_tier=2, rise=Rise(START_MS + 7000))
    picture.hear(event("alarm", AlarmEvent("tier_raised", risen)))
    assert [one.tier for one in picture.alarms.values()] == [1]
    assert [moment.at_ms - START_MS for moment in picture.moments] == [5000, 7000]
    assert "▲ 1 红" in plain_moment(picture.moments[1], START_MS)


def test_a_snapshot_replaces_what_was_known_and_a_tick_without_edges_keeps_them() -> None:
    edges = [EdgeItem("tankfarm", Name("罐区", "Tanks"), online=True, tags=1, stale_tags=0)]
    picture = Picture()
    picture.hear(event("alarm", AlarmEvent("raised", alarm(1))))
    picture.hear(event("snapshot", Snapshot([alarm(2)], Values(["GD-2"], [55.0], [False]), edges, HEALTH)))
    picture.hear(event("tick", Tick(None, HEALTH)))
    picture.hear(event("values", Values(["GD-2", "GD-3"], [56.0, 3.0], [False, True])))
    picture.hear(Event("reset", b"{}"))
    assert list(picture.alarms) == ["id2"]
    assert [edge.edge for edge in picture.edges] == ["tankfarm"]
    assert list(picture.trends["GD-2"]) == [55.0, 56.0]
    assert list(picture.trends["GD-3"]) == [None], "a stale value is not shown as the present one"


def test_counts_are_those_since_the_demo_began() -> None:
    picture = Picture()
    picture.count(ledger(1000))
    picture.play(progress(1_000, samples=100))
    picture.count(ledger(1090, duplicate=2, shed=3))
    assert (picture.kept, picture.doubled, picture.given_up, picture.in_flight) == (90, 2, 3, 5)


@pytest.mark.parametrize(("columns", "lines"), [(80, 24), (120, 36), (200, 60), (70, 18)])
def test_the_picture_fits_every_terminal(columns: int, lines: int) -> None:
    picture = Picture()
    picture.play(progress(20_000, samples=1830))
    picture.count(ledger(0))
    picture.hear(event("tick", Tick(None, HEALTH)))
    for number in range(1, 80):
        picture.hear(event("alarm", AlarmEvent("raised", alarm(number, tier=1 + number % 4))))
    drawn = shown(picture, columns, lines).splitlines()
    assert len(drawn) <= lines + 1
    assert any("1 红" in line for line in drawn)
    assert any("还有" in line for line in drawn), "it says that there are more"


def test_the_picture_shows_figures_alarms_verdict_and_address() -> None:
    picture = Picture()
    picture.count(ledger(0))
    picture.play(progress(20_000, samples=1830))
    picture.count(ledger(1825))
    picture.hear(event("snapshot", Snapshot([alarm(), alarm(2, 3, condition="STALE")], Values([], [], []), [], HEALTH)))
    drawn = shown(picture, 160)
    for wanted in (
        "91/s",
        "p99 120",
        "sent 1,830",
        "kept 1,825",
        "in flight 5",
        "2 橙 ORANGE  1",
        "GD-1",
        "高高报警 HIGH HIGH",
        "50 %LEL",
        "数据中断 NO DATA",
        "http://127.0.0.1:8080/",
        "missed",
        "00:20 / 01:00",
    ):
        assert wanted in drawn, wanted


def test_before_anything_is_known_the_picture_says_that_it_waits() -> None:
    drawn = shown(Picture())
    assert "waiting for the gateway" in drawn
    assert "starting" in drawn


def test_the_plain_line_has_the_same_figures() -> None:
    picture = Picture()
    picture.count(ledger(0))
    picture.play(progress(65_000, samples=10))
    picture.count(ledger(9))
    line = plain_figures(picture)
    assert line.startswith("01:05")
    assert "sent 10 kept 9 in flight 1 lost 0" in line


def test_durations_are_written_as_clocks() -> None:
    assert [clock_text(seconds) for seconds in (-1, 59.9, 60, 3661)] == ["00:00", "00:59", "01:00", "1:01:01"]


def test_the_demo_plant_is_the_one_the_scenario_plays_on() -> None:
    assert load_scenario("demo").plant.digest == load_plant(DEMO_PLANT).digest
