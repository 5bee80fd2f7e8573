"""The plant of the benchmarks: many edges with equal tags, limits on every tag."""

from __future__ import annotations

import math

from config.plant.model import (
    Condition,
    ConditionRule,
    Edge,
    EdgeKind,
    Enterprise,
    HazardUnit,
    InstrumentKind,
    Plant,
    Site,
    Tag,
    Text,
    Tier,
)
from config.units import Quantity

__all__ = ["HIGH", "SITE", "bench_plant", "edge_name", "tag_name"]

SITE = "bench"
HIGH = 80.0
"""H is raised here; HH at 90, L at 20, LL at 10, on a range of 0-100."""

_UNIT = "u1"


def edge_name(edge: int) -> str:
    """Return the id of the n-th edge."""
    return f"edge-{edge:04d}"


def tag_name(edge: int, tag: int) -> str:
    """Return the name of the n-th tag of an edge, as long as tag names in plants are."""
    return f"E{edge:04d}.T{tag:03d}.LEVEL"


def bench_plant(edges: int, tags_per_edge: int) -> Plant:
    """Return a plant of ``edges`` x ``tags_per_edge`` tags, each with HH, H, L, LL, STALE and BAD_PV in force."""
    return Plant(
        enterprise=Enterprise("bench", Text("基准测试", "Benchmark")),
        site=Site(SITE, Text("基准测试", "Benchmark"), 0.0, 0.0),
        hazard_units={_UNIT: HazardUnit(_UNIT, Text("单元", "Unit"), "67-56-1")},
        vessels={},
        edges={edge_name(n): Edge(edge_name(n), Text("边缘", "Edge"), EdgeKind.AGENT) for n in range(edges)},
        vehicles={},
        tags={
            tag_name(edge, tag): _tag(tag_name(edge, tag), edge_name(edge))
            for edge in range(edges)
            for tag in range(tags_per_edge)
        },
        digest=f"bench-{edges}-{tags_per_edge}",
    )


def _tag(name: str, edge: str) -> Tag:
    return Tag(
        name=name,
        description=Text("液位", "level"),
        quantity=Quantity.FRACTION,
        unit="%",
        range_low=0.0,
        range_high=100.0,
        kind=InstrumentKind.LEVEL_TRANSMITTER,
        position=None,
        period_ms=1_000,
        hold_ms=2_000,
        stale_after_ms=600_000,
        window_ms=300_000,
        edge=edge,
        hazard_unit=_UNIT,
        vessel="",
        vehicle="",
        cas="",
        source=None,
        conditions=tuple(
            ConditionRule(condition, tier, limit, deadband, 0, 0, enabled=True, basis="benchmark")
            for condition, tier, limit, deadband in (
                (Condition.HH, Tier.ORANGE, 90.0, 2.0),
                (Condition.H, Tier.BLUE, HIGH, 2.0),
                (Condition.L, Tier.BLUE, 20.0, 2.0),
                (Condition.LL, Tier.ORANGE, 10.0, 2.0),
                (Condition.STALE, Tier.BLUE, math.nan, 0.0),
                (Condition.BAD_PV, Tier.BLUE, math.nan, 0.0),
            )
        ),
    )
