"""Scenario files, and the shipped ones played through the edge's reading and the alarm core."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from config.plant.load import DEMO_PLANT, load_plant
from simulators.errors import ScenarioError
from simulators.library import Loaded, load_scenario, shipped
from simulators.stream import messages
from simulators.verdict import judge
from simulators.world import World
from tests.support.offline import alarms_of, read_messages

START_MS = 1_800_000_000_000


def _play(loaded: Loaded, seed: int, seconds: float | None = None) -> None:
    ran_s = loaded.scenario.duration_s if seconds is None else seconds
    stream = messages(loaded.plant, loaded.scenario, START_MS, seed=seed, seconds=ran_s)
    verdict = judge(loaded.scenario, alarms_of(loaded.plant, stream, START_MS, ran_s), START_MS, ran_s)
    assert verdict.missed == ()
    assert verdict.false == ()
    assert verdict.expected == len(loaded.scenario.expect.must_raise)


@pytest.mark.parametrize("seed", [1, 2, 3, 7])
@pytest.mark.parametrize("name", shipped())
def test_a_shipped_scenario_raises_what_it_states_whatever_the_seed(name: str, seed: int) -> None:
    _play(load_scenario(name), seed)


def test_the_demo_clears_everything_and_stays_quiet_when_it_runs_longer() -> None:
    loaded = load_scenario("demo")
    _play(loaded, loaded.scenario.seed, 120.0)


def test_the_demo_is_decided_before_fifty_seconds() -> None:
    demo = load_scenario("demo").scenario
    assert {demand.condition for demand in demo.expect.must_raise} == {*("H", "HH", "FORECAST", "BAD_PV", "STALE")}
    assert max(demand.window[1] for demand in demo.expect.must_raise) <= 50.0


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not() -> None:
    loaded = load_scenario("demo")

    def play(seed: int) -> list[tuple[int, str, bytes]]:
        stream = messages(loaded.plant, loaded.scenario, START_MS, seed=seed, seconds=20)
        return [(message.due_ms, message.topic, message.payload) for message in stream]

    assert play(7) == play(7)
    assert play(7) != play(8)


def test_a_tag_more_does_not_change_what_the_others_say(tmp_path: Path) -> None:
    loaded = load_scenario("quiet")
    text = DEMO_PLANT.read_text(encoding="utf-8")
    more = text.replace("  GD-101: {", "  GD-100: {template: lpg_detector, position: [5, 5, 0.5]}\n  GD-101: {")
    (tmp_path / "more.yaml").write_text(more, encoding="utf-8")
    bigger = load_plant(tmp_path / "more.yaml")
    before = [m.payload for m in messages(loaded.plant, loaded.scenario, START_MS, seconds=10)]
    after = list(messages(bigger, loaded.scenario, START_MS, seconds=10))
    assert [m.payload for m in after if m.samples[0].tag != "GD-100"] == before
    assert len(after) == len(before) + 10


def test_samples_are_as_many_and_as_far_apart_as_the_plant_says() -> None:
    loaded = load_scenario("quiet")
    times: dict[str, list[int]] = {}
    for message in messages(loaded.plant, loaded.scenario, START_MS, seconds=30):
        for sample in message.samples:
            times.setdefault(sample.tag, []).append(sample.time_ms - START_MS)
    assert set(times) == set(loaded.plant.tags)
    for name, moments in times.items():
        period_ms = loaded.plant.tags[name].period_ms
        assert len(moments) == 30_000 // period_ms
        assert {later - earlier for earlier, later in pairwise(moments)} == {period_ms}
        assert 0 <= moments[0] < period_ms


def test_what_is_said_to_be_sent_is_what_the_edge_reads() -> None:
    loaded = load_scenario("faults")
    stream = messages(loaded.plant, loaded.scenario, START_MS)
    count = 0
    for message, samples in read_messages(loaded.plant, stream, START_MS):
        for said, read in zip(message.samples, samples, strict=True):
            count += 1
            assert (said.tag, said.time_ms, said.value) == (read.tag, read.time_ms, read.value)
            assert (said.quality == 2) == (read.severity == 2)
    assert count > 5000


def test_no_liquid_is_lost_in_the_whole_demo() -> None:
    loaded = load_scenario("demo")
    world = World(loaded.plant, loaded.scenario, 7)
    for _ in range(1000):
        world.advance()
    assert all(abs(tank.imbalance_m3) < 1e-6 for tank in world.tanks.values())
    leaked_kg = 0.25 * 31 + 1.75 * 20
    assert world.tanks["V-101"].leaked_m3 * 500 == pytest.approx(leaked_kg, rel=0.02)
    assert world.tanks["T-302"].filled_m3 == pytest.approx(600 / 3600 * 32 * 30, rel=0.01)


def test_the_gas_comes_downwind_nearest_first() -> None:
    loaded = load_scenario("demo")
    world = World(loaded.plant, loaded.scenario, 7)
    reached: dict[str, float] = {}
    for _ in range(400):
        world.advance()
        for name in ("GD-101", "GD-102", "GD-103", "GD-105", "GD-106"):
            if name not in reached and world.value(name) > 25.0:
                reached[name] = world.at_s
    assert list(reached) == ["GD-103", "GD-105", "GD-106"]


MINIMAL = "name: x\ntitle: x\nduration_s: 10\n"


def _problems(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "wrong.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ScenarioError) as caught:
        load_scenario(str(path))
    return [str(problem).replace(str(path), "wrong.yaml") for problem in caught.value.problems]


def test_every_mistake_in_a_file_is_told_with_its_line(tmp_path: Path) -> None:
    text = (
        "name: Not Allowed\ntitle: x\nduration_s: -1\nweathr: {}\n"
        "faults:\n  - {tag: V-101.TEMP, kind: drift, from_s: 3}\n"
    )
    problems = _problems(tmp_path, text)
    assert len(problems) == 4
    assert any(problem.startswith("wrong.yaml:1: name") for problem in problems)
    assert any(problem.startswith("wrong.yaml:3: duration_s") for problem in problems)
    assert any(problem.startswith("wrong.yaml:4: weathr: this key is not known") for problem in problems)
    assert any("wrong.yaml:6: faults[0]" in problem and "needs per_s" in problem for problem in problems)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("tanks: {V-999: {level_m: 1}}", "'V-999' is not there"),
        ("tanks: {V-101: {level_m: 99}}", "at most its height, 12.3 m"),
        ("pumps: [{at_s: 1, vessel: V-9, line: fill, flow_m3_h: 1}]", "'V-9' is not there"),
        ("releases: [{cas: 1-1-1, x_m: 0, y_m: 0, rate_kg_s: 1, start_s: 0, duration_s: 1}]", "'1-1-1' is not there"),
        ("faults: [{tag: NOPE, kind: stuck, from_s: 1}]", "'NOPE' is no tag of the plant"),
        ("faults: [{tag: T-301.TEMP, kind: clock_skew, ahead_s: 1, from_s: 1}]", "its source sends no time"),
        ("faults: [{tag: GD-101, kind: stuck, per_s: 1, from_s: 1}]", "stuck does not take per_s"),
        ("faults: [{tag: GD-101, kind: stuck, from_s: 5, to_s: 5}]", "to_s must be after from_s (5)"),
        ("expect: {must_raise: [{tag: GD-101, condition: L, window: [0, 1]}]}", "names 0 such tags"),
        ("expect: {may_raise: [{tag: 'Q*'}]}", "'Q*' is no tag of the plant"),
        ("plant: nowhere.yaml", "no file 'nowhere.yaml'"),
    ],
)
def test_what_does_not_fit_the_plant_is_told(tmp_path: Path, line: str, told: str) -> None:
    (problem,) = _problems(tmp_path, f"{MINIMAL}{line}\n")
    assert problem.startswith("wrong.yaml:4: ")
    assert told in problem


def test_a_scenario_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(ScenarioError, match="demo, faults, quiet"):
        load_scenario("nix")
