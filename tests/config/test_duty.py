"""The duty file: what it means, and everything wrong in it by file and line."""

from __future__ import annotations

from datetime import time
from pathlib import Path

import pytest

from config.duty.handling import DEFAULT_HANDLING
from config.duty.load import load_duty, read_duty
from config.duty.model import DEFAULT_DUTY, Step
from config.errors import PlantError

EXAMPLE = Path(__file__).parents[2] / "config" / "duties" / "example.yaml"


def problems(text: str) -> list[tuple[int, str]]:
    with pytest.raises(PlantError) as caught:
        read_duty(text, "duty.yaml")
    return [(problem.line, problem.key) for problem in caught.value.problems]


def test_the_example_is_good() -> None:
    duty = load_duty(EXAMPLE)
    assert duty.ladders["urgent"].tiers == {1, 2}
    assert duty.ladders["urgent"].steps[1] == Step("plant_manager", ("phone",), 300_000)
    assert duty.rosters["control_room"].teams["乙"] == ("li",)
    assert duty.ladders["calm"].quiet is not None
    assert duty.ladders["calm"].quiet.begin == time(22)
    assert duty.handling.shelving == DEFAULT_HANDLING.shelving
    assert duty.handling.re_alarm_ms == {1: 1_800_000, 2: 3_600_000, 3: 7_200_000}


def test_an_empty_file_means_the_default() -> None:
    assert read_duty("{}", "duty.yaml") == DEFAULT_DUTY


def test_every_mistake_is_named_with_its_line() -> None:
    text = """\
people:
  a: {name: A, fone: "1"}
roles:
  officer: {roster: rom}
  manager: {people: [b]}
rosters:
  room:
    time_zone: Asia/Nowhere
    pattern: four_teams_three_shifts
    begins: 2026-13-01
    teams: {x: [a]}
channels:
  desk: {}
ladders:
  one:
    tiers: [purple]
    steps: [{role: oficer, channels: [desk, disk], wait: 5}]
self_test: {at: 25:00, channels: [desk], role: officer}
"""
    assert problems(text) == [
        (2, "people.a.fone"),
        (4, "roles.officer.roster"),
        (5, "roles.manager.people[0]"),
        (7, "rosters.room"),
        (8, "rosters.room.time_zone"),
        (10, "rosters.room.begins"),
        (11, "rosters.room.teams"),
        (16, "ladders.one.tiers[0]"),
        (17, "ladders.one.steps[0].wait"),
        (18, "self_test.at"),
    ]


def test_red_alarms_stay_forbidden_to_shelve_whatever_is_written() -> None:
    duty = read_duty("handling: {shelve_forbidden: [blue]}", "duty.yaml")
    assert duty.handling.shelving.forbidden_tiers == {1, 4}


def test_an_own_pattern_needs_hours_and_teams() -> None:
    text = """\
people: {a: {name: A}}
rosters:
  r:
    begins: 2026-11-02
    hours: {day: {start: "08:00", end: "20:00"}}
    teams: {x: [a]}
    pattern:
      x: [day, null, nite]
      y: [day]
"""
    assert problems(text) == [(7, "rosters.r.pattern"), (8, "rosters.r.pattern.x[2]"), (9, "rosters.r.pattern.y")]
