"""What a scenario does, told: every release, pump, valve and fault as a line with its time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from config.chemicals import load_chemicals
from config.plant.model import Plant, Text
from simulators.faults import FaultKind
from simulators.scenario import FaultPart, PumpPart, ReleasePart, Scenario, ValvePart

__all__ = ["Scene", "tell_story"]

_FAULTS = {
    FaultKind.STUCK: Text("读数卡死", "is stuck"),
    FaultKind.DRIFT: Text("读数漂移", "drifts"),
    FaultKind.SPIKE: Text("读数出现尖峰", "shows spikes"),
    FaultKind.DROPOUT: Text("失联，不再上报", "falls silent"),
    FaultKind.OVER_RANGE: Text("超量程", "is over its range"),
    FaultKind.FAULT_CURRENT: Text("回路断线（NAMUR NE 43 故障电流）", "loop breaks (NAMUR NE 43 fault current)"),
    FaultKind.DUPLICATE: Text("重复上报", "sends everything twice"),
    FaultKind.REORDER: Text("上报乱序", "sends out of order"),
    FaultKind.CLOCK_SKEW: Text("时钟偏差", "has a wrong clock"),
}
_LINES = {"fill": Text("进料", "filling"), "drain": Text("出料", "draining")}


@dataclass(frozen=True, slots=True)
class Scene:
    """Something the scenario does."""

    at_s: float
    """Seconds from its start."""
    text: Text
    trouble: bool
    """It makes things worse."""


def tell_story(scenario: Scenario, plant: Plant) -> tuple[Scene, ...]:
    """Return all a scenario does, in the order of time."""
    scenes = [
        *(scene for release in scenario.releases for scene in _of_release(release, plant)),
        *(_of_pump(pump, plant) for pump in scenario.pumps),
        *(_of_valve(valve, plant) for valve in scenario.valves),
        *(scene for fault in scenario.faults for scene in _of_fault(fault)),
    ]
    return tuple(sorted(scenes, key=lambda scene: scene.at_s))


def _of_release(release: ReleasePart, plant: Plant) -> Iterator[Scene]:
    chemical = load_chemicals()[release.cas]
    vessel = plant.vessels.get(release.vessel)
    where = vessel.id if vessel else f"({release.x_m:g}, {release.y_m:g}) m"
    rate = f"{release.rate_kg_s:g} kg/s"
    begins = Text(f"{where} {chemical.name.zh}泄漏 {rate}", f"{chemical.name.en} leaks at {where}, {rate}")
    ends = Text(f"{where} 泄漏止住（{rate}）", f"that leak at {where} ({rate}) is stopped")
    yield Scene(release.start_s, begins, trouble=True)
    yield Scene(release.start_s + release.duration_s, ends, trouble=False)


def _of_pump(pump: PumpPart, plant: Plant) -> Scene:
    line, name = _LINES[pump.line], plant.vessels[pump.vessel].name
    if pump.flow_m3_h == 0.0:
        text = Text(f"{pump.vessel} {name.zh} 停止{line.zh}", f"{line.en} {pump.vessel} stops")
        return Scene(pump.at_s, text, trouble=False)
    flow = f"{pump.flow_m3_h:g} m³/h"
    text = Text(f"{pump.vessel} {name.zh} 开始{line.zh} {flow}", f"{line.en} {pump.vessel} begins, {flow}")
    return Scene(pump.at_s, text, trouble=pump.line == "fill")


def _of_valve(valve: ValvePart, plant: Plant) -> Scene:
    line, name, opening = _LINES[valve.line], plant.vessels[valve.vessel].name, f"{valve.opening:.0%}"
    return Scene(
        valve.at_s,
        Text(f"{valve.vessel} {name.zh} {line.zh}阀开度 {opening}", f"{line.en} valve of {valve.vessel} at {opening}"),
        trouble=False,
    )


def _of_fault(fault: FaultPart) -> Iterator[Scene]:
    told = _FAULTS[fault.kind]
    yield Scene(fault.from_s, Text(f"{fault.tag} {told.zh}", f"{fault.tag} {told.en}"), trouble=True)
    if fault.to_s is not None:
        yield Scene(fault.to_s, Text(f"{fault.tag} 恢复正常", f"{fault.tag} works again"), trouble=False)
