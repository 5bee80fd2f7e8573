"""Plants for tests: a small one with every condition, and files of any size."""

from __future__ import annotations

from pathlib import Path

from config.plant.load import read_plant
from config.plant.model import Plant

__all__ = ["MINI_PLANT", "mini_plant", "plant_text", "write_plant"]

_HEAD = """\
version: 1
enterprise: {id: acme, name: {zh: "测试企业", en: "Test enterprise"}}
site: {id: SITE, name: {zh: "测试厂", en: "Test site"}, latitude_deg: 36.85, longitude_deg: 118.05}
hazard_units:
  meoh: {name: {zh: "甲醇罐区", en: "Methanol tank farm"}, cas: 67-56-1}
  cl2: {name: {zh: "液氯储存区", en: "Chlorine store"}, cas: 7782-50-5}
"""

MINI_PLANT = (
    _HEAD.replace("SITE", "mini")
    + """\
vessels:
  T-1: {name: {zh: "1号罐", en: "Tank 1"}, kind: vertical_tank, hazard_unit: meoh, capacity_m3: 100, height_m: 10}
edges:
  edge-a: {name: {zh: "甲网关", en: "Edge A"}}
  edge-b: {name: {zh: "直连", en: "Plain sensors"}, kind: direct}
vehicles:
  TRUCK-1: {plate: "鲁C·T0001", name: {zh: "甲醇罐车", en: "Methanol tanker"}, cas: 67-56-1, edge: edge-a}
tags:
  T-1.LEVEL:  # every condition, with delays
    description: {zh: "1号罐液位", en: "Tank 1 level"}
    kind: level_transmitter
    quantity: level
    unit: m
    range: [0, 10]
    period: 1s
    edge: edge-a
    vessel: T-1
    source: {topic: "plant/{site}/{tag}", path: v, time_path: t, quality_path: q}
    limits:
      HH: {limit: 9, deadband: 0.25, on_delay: 2s, off_delay: 3s}
      H: {limit: 8, deadband: 0.5, on_delay: 2s, off_delay: 3s}
      L: {limit: 2, deadband: 0.5, on_delay: 2s, off_delay: 3s}
      LL: {limit: 1, deadband: 0.25, on_delay: 2s, off_delay: 3s}
      STALE: {tier: yellow}
      BAD_PV: {off_delay: 2s}
  T-1.TEMP:  # one condition, no delays, no deadband
    description: {zh: "1号罐温度", en: "Tank 1 temperature"}
    kind: temperature_transmitter
    quantity: temperature
    unit: degC
    range: [-20, 80]
    period: 1s
    edge: edge-a
    vessel: T-1
    source: {topic: "plant/{site}/{tag}", format: number}
    limits:
      H: {limit: 40, deadband: 0, on_delay: 0s, off_delay: 0s}
      BAD_PV: {off_delay: 0s}
  GD-1:  # limits from the catalogue: 0.339 and 0.678 ppm
    description: {zh: "1号氯气检测器", en: "Chlorine detector 1"}
    kind: gas_detector
    quantity: toxic_gas
    unit: ppm
    range: [0, 5]
    position: [12, 34, 0.5]
    period: 1s
    edge: edge-a
    hazard_unit: cl2
    source: {topic: "plant/{site}/{tag}", path: mA, time_path: t, current_loop: true}
  TRUCK-1.SPEED:
    description: {zh: "罐车车速", en: "Tanker speed"}
    kind: speed_sensor
    quantity: speed
    unit: km/h
    range: [0, 160]
    period: 2s
    vehicle: TRUCK-1
    source: {topic: "plant/{site}/{tag}", path: data.value, time_path: data.time, unit: m/s}
    limits: {H: {limit: 80, deadband: 5, on_delay: 10s, off_delay: 10s}}
  PLAIN.PRESS:  # a plain sensor
    description: {zh: "直连压力", en: "Plain pressure"}
    kind: pressure_transmitter
    quantity: pressure
    unit: MPa
    range: [0, 1.6]
    period: 1s
    edge: edge-b
    limits: {H: {limit: 1.2, deadband: 0.1, on_delay: 0s, off_delay: 0s}, STALE: false}
"""
)
"""The file behind `mini_plant`."""


def mini_plant() -> Plant:
    """Return a plant of five tags: site ``mini``, an agent ``edge-a``, a direct edge ``edge-b``."""
    return read_plant(MINI_PLANT, "mini.yaml")


def plant_text(
    tags: int = 500, *, site: str = "big", edges: tuple[str, ...] = ("edge-a",), period: str = "1s", stale: bool = True
) -> str:
    """Return a plant file of level tags ``T00001.LEVEL``..., ten lines each, dealt to the edges in turn.

    Args:
        tags: How many.
        site: Id of the site.
        edges: Ids of the (agent) edges.
        period: Sampling period of every tag.
        stale: Whether STALE is enabled.
    """
    lines = [_HEAD.replace("SITE", site) + "edges:"]
    lines += [f"  {edge}: {{name: {{zh: 网关, en: Edge}}}}" for edge in edges]
    lines.append("tags:")
    for number in range(1, tags + 1):
        lines.append(f"""\
  T{number:05}.LEVEL:
    description: {{zh: "{number}号罐液位", en: "Tank {number} level"}}
    kind: level_transmitter
    quantity: level
    unit: m
    range: [0, 10]
    period: {period}
    edge: {edges[number % len(edges)]}
    source: {{topic: "plant/{{site}}/{{tag}}", path: v, time_path: t, quality_path: q}}
    limits: {{HH: 9, H: 8, L: 2, LL: 1, STALE: {str(stale).lower()}}}""")
    return "\n".join(lines) + "\n"


def write_plant(folder: Path, tags: int = 500, *, site: str = "big", edges: tuple[str, ...] = ("edge-a",)) -> Path:
    """Write `plant_text` to ``plant.yaml`` in ``folder`` and return its path."""
    path = folder / "plant.yaml"
    path.write_text(plant_text(tags, site=site, edges=edges), encoding="utf-8")
    return path
