"""The scenarios that are shipped, and how any scenario file is loaded with its plant."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from config.errors import Problem
from config.plant.load import DEMO_PLANT, load_plant
from config.plant.model import Condition, Plant, Tag
from config.plant.yaml_lines import LinedYaml
from simulators.errors import ScenarioError
from simulators.faults import cannot_carry
from simulators.files import problem_at, read_model
from simulators.physics.substances import SUBSTANCES
from simulators.scenario import Scenario

__all__ = ["SCENARIOS", "Loaded", "check_scenario", "find_scenario", "load_scenario", "shipped"]

SCENARIOS = Path(__file__).parent / "scenarios"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A scenario with the plant it plays on."""

    scenario: Scenario
    plant: Plant
    file: Path
    plant_file: Path


def shipped() -> tuple[str, ...]:
    """Return the names of the scenarios that come with the program."""
    return tuple(sorted(path.stem for path in SCENARIOS.glob("*.yaml")))


def find_scenario(name_or_file: str) -> Path:
    """Return the file of a shipped scenario, or the file that is named.

    Raises:
        ScenarioError: There is neither.
    """
    if name_or_file in shipped():
        return SCENARIOS / f"{name_or_file}.yaml"
    path = Path(name_or_file)
    if path.is_file():
        return path
    problem = Problem(name_or_file, 0, "(file)", "no such scenario", f"{', '.join(shipped())}, or a YAML file")
    raise ScenarioError((problem,))


def load_scenario(name_or_file: str) -> Loaded:
    """Load a scenario and its plant, and check that they fit.

    Args:
        name_or_file: A name from `shipped`, or the path of a file.

    Raises:
        ScenarioError: With every problem found.
        PlantError: Its plant file is wrong.
    """
    path = find_scenario(name_or_file)
    scenario, document, problems = read_model(path, Scenario)
    if scenario is None:
        raise ScenarioError(problems)
    plant_file = DEMO_PLANT if scenario.plant == "demo" else path.parent / scenario.plant
    if not plant_file.is_file():
        problem = problem_at(
            document, str(path), ("plant",), f"no file {scenario.plant!r}", "demo, or a file beside it"
        )
        raise ScenarioError((problem,))
    plant = load_plant(plant_file)
    problems = check_scenario(scenario, plant, document, str(path))
    if problems:
        raise ScenarioError(problems)
    return Loaded(scenario, plant, path, plant_file)


def check_scenario(
    scenario: Scenario, plant: Plant, document: LinedYaml | None = None, file: str = "(scenario)"
) -> tuple[Problem, ...]:
    """Return what of a scenario does not fit a plant: names it does not have, faults its tags cannot show."""
    lines = document or LinedYaml()
    found = (*_unknown_names(scenario, plant), *_wrong_tags(scenario, plant))
    return tuple(problem_at(lines, file, where, what, allowed) for where, what, allowed in found)


_Finding = tuple[tuple[str | int, ...], str, str]


def _unknown_names(scenario: Scenario, plant: Plant) -> Iterator[_Finding]:
    """Find vessels, vehicles and substances that are not there."""
    uses = [
        *((("tanks", key), key, plant.vessels) for key in scenario.tanks),
        *((("trucks", key), key, plant.vehicles) for key in scenario.trucks),
        *((("steady", key), key, plant.tags) for key in scenario.steady),
        *((("pumps", i, "vessel"), pump.vessel, plant.vessels) for i, pump in enumerate(scenario.pumps)),
        *((("valves", i, "vessel"), valve.vessel, plant.vessels) for i, valve in enumerate(scenario.valves)),
        *((("releases", i, "vessel"), r.vessel, plant.vessels) for i, r in enumerate(scenario.releases) if r.vessel),
        *((("releases", i, "cas"), r.cas, SUBSTANCES) for i, r in enumerate(scenario.releases)),
    ]
    for where, name, known in uses:
        if name not in known:
            yield where, f"{name!r} is not there", f"one of {', '.join(list(known)[:20])}"
    for key, tank in scenario.tanks.items():
        vessel = plant.vessels.get(key)
        if vessel and tank.level_m is not None and tank.level_m > vessel.height_m:
            yield ("tanks", key, "level_m"), f"{tank.level_m:g} m", f"at most its height, {vessel.height_m:g} m"


def _wrong_tags(scenario: Scenario, plant: Plant) -> Iterator[_Finding]:
    """Find patterns without a tag, faults that cannot be shown and conditions that cannot be raised."""
    for position, fault in enumerate(scenario.faults):
        tags = _matching(plant, fault.tag)
        if not tags:
            yield ("faults", position, "tag"), f"{fault.tag!r} is no tag of the plant", "a tag, or a pattern of some"
        for tag in tags:
            if why := cannot_carry(tag, fault.kind):
                yield ("faults", position, "kind"), f"{fault.kind} on {tag.name}: {why}", "another fault or tag"
    for position, demand in enumerate(scenario.expect.must_raise):
        tags = [tag for tag in _matching(plant, demand.tag) if _can_raise(tag, demand.condition)]
        if len(tags) < demand.count:
            allowed = f"a pattern of at least {demand.count} tags on which {demand.condition} is enabled"
            yield ("expect", "must_raise", position, "tag"), f"{demand.tag!r} names {len(tags)} such tags", allowed
    for name in ("may_raise", "must_not_raise"):
        for position, rule in enumerate(getattr(scenario.expect, name)):
            if not _matching(plant, rule.tag):
                yield ("expect", name, position, "tag"), f"{rule.tag!r} is no tag of the plant", "a tag or pattern"


def _matching(plant: Plant, pattern: str) -> list[Tag]:
    return [tag for name, tag in plant.tags.items() if fnmatchcase(name, pattern)]


def _can_raise(tag: Tag, condition: Condition) -> bool:
    return any(rule.condition is condition and rule.enabled for rule in tag.conditions)
