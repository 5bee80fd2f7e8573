"""The plant as the rest of the program sees it: validated, cross-referenced, in canonical units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import TypeAlias

from config.units import LelTable, Quantity, ReferenceAir

__all__ = [
    "CONDITIONS",
    "LIMIT_KINDS",
    "WINDOWED",
    "Condition",
    "ConditionRule",
    "Edge",
    "EdgeKind",
    "Enterprise",
    "Escalation",
    "EscalationScope",
    "HazardUnit",
    "InstrumentKind",
    "KOfN",
    "LimitKind",
    "Plant",
    "Position",
    "Site",
    "Source",
    "SourceFormat",
    "Suppression",
    "Tag",
    "Text",
    "Tier",
    "Together",
    "Unacknowledged",
    "Vehicle",
    "Vessel",
    "VesselKind",
]


class Tier(IntEnum):
    """Four-colour warning tiers (红橙黄蓝); 1 is the worst. Never to be mixed with the static risk colours."""

    RED = 1
    ORANGE = 2
    YELLOW = 3
    BLUE = 4


class Condition(StrEnum):
    """Alarm conditions, named as in ISA-18.2 / IEC 62682 practice."""

    HH = "HH"
    H = "H"
    L = "L"
    LL = "LL"
    STALE = "STALE"
    BAD_PV = "BAD_PV"
    ROC_HIGH = "ROC+"
    ROC_LOW = "ROC-"
    FORECAST = "FORECAST"
    DEV = "DEV"
    FLATLINE = "FLATLINE"
    SYSTEM = "SYSTEM"
    """Of the gateway itself or an edge, not of a tag; see `gateway.system`. No rule of a plant file, no engine."""


class LimitKind(StrEnum):
    """What the limit (and the deadband) of a condition is a number of."""

    NONE = "none"
    VALUE = "value"
    """The tag's unit, on its scale."""
    DIFFERENCE = "difference"
    """The tag's unit, as a difference: an offset of the scale does not matter."""
    PER_MINUTE = "per_minute"
    """A difference per minute."""
    MINUTES = "minutes"


LIMIT_KINDS: Mapping[Condition, LimitKind] = {
    Condition.SYSTEM: LimitKind.NONE,
    Condition.HH: LimitKind.VALUE,
    Condition.H: LimitKind.VALUE,
    Condition.L: LimitKind.VALUE,
    Condition.LL: LimitKind.VALUE,
    Condition.STALE: LimitKind.NONE,
    Condition.BAD_PV: LimitKind.NONE,
    Condition.ROC_HIGH: LimitKind.PER_MINUTE,
    Condition.ROC_LOW: LimitKind.PER_MINUTE,
    Condition.FORECAST: LimitKind.MINUTES,
    Condition.DEV: LimitKind.DIFFERENCE,
    Condition.FLATLINE: LimitKind.DIFFERENCE,
}

WINDOWED = (Condition.ROC_HIGH, Condition.ROC_LOW, Condition.FORECAST, Condition.FLATLINE)
"""Conditions that look at the window of a tag, not only at its last sample."""


CONDITIONS: tuple[Condition, ...] = tuple(one for one in Condition if one is not Condition.SYSTEM)
"""The order of conditions in every array and snapshot; new ones are appended, never inserted."""


class InstrumentKind(StrEnum):
    """What measures."""

    GAS_DETECTOR = "gas_detector"
    LEVEL_TRANSMITTER = "level_transmitter"
    TEMPERATURE_TRANSMITTER = "temperature_transmitter"
    PRESSURE_TRANSMITTER = "pressure_transmitter"
    FLOW_TRANSMITTER = "flow_transmitter"
    SPEED_SENSOR = "speed_sensor"
    OTHER = "other"


class VesselKind(StrEnum):
    """What holds a substance; one kind of record for all (design 8)."""

    SPHERE = "sphere"
    VERTICAL_TANK = "vertical_tank"
    HORIZONTAL_TANK = "horizontal_tank"
    CYLINDER_STORE = "cylinder_store"
    REACTOR = "reactor"
    TRUCK_TANK = "truck_tank"


class EdgeKind(StrEnum):
    """How the readings of an edge reach the gateway."""

    AGENT = "agent"
    """A HazGate edge agent with its outbox: nothing is lost."""
    DIRECT = "direct"
    """Plain sensors that publish points straight to the broker: best effort."""


class SourceFormat(StrEnum):
    """How a plant-side MQTT payload carries its number."""

    NUMBER = "number"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Text:
    """What operators read, in both languages."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Position:
    """Metres east and north of the site's origin, metres above ground."""

    x_m: float
    y_m: float
    z_m: float = 0.0


@dataclass(frozen=True, slots=True)
class Enterprise:
    """Who runs the site."""

    id: str
    name: Text
    district: str = ""
    """Code of the district it lies in; empty: not said."""


@dataclass(frozen=True, slots=True)
class Site:
    """One fenced place."""

    id: str
    name: Text
    latitude_deg: float
    longitude_deg: float


@dataclass(frozen=True, slots=True)
class HazardUnit:
    """A production or storage unit in the sense of GB 18218."""

    id: str
    name: Text
    cas: str
    """The substance that makes it a hazard unit."""
    enterprise: str = ""
    """Id of who runs it; empty: the plant's."""
    district: str = ""
    """Code of the district it lies in; empty: the plant's."""


@dataclass(frozen=True, slots=True)
class Vessel:
    """A tank, reactor, cylinder store or truck compartment."""

    id: str
    name: Text
    kind: VesselKind
    hazard_unit: str
    """Empty for a truck tank."""
    cas: str
    capacity_m3: float
    height_m: float
    position: Position | None


@dataclass(frozen=True, slots=True)
class ConditionRule:
    """One condition on one tag, in the canonical unit of the tag's quantity."""

    condition: Condition
    tier: Tier
    limit: float
    """What it is a number of says `LIMIT_KINDS`; NaN for STALE and BAD_PV."""
    deadband: float
    """Of the same kind as a difference; >= 0."""
    on_delay_ms: int
    off_delay_ms: int
    enabled: bool
    basis: str
    """Where the limit comes from, e.g. ``GB/T 50493-2019: 25 %LEL``."""
    latch: bool = False
    """An alarm stays on the list until it is acknowledged, though its condition is over."""
    partners: tuple[str, ...] = ()
    """DEV: the one tag it is compared with, or the two with which it makes three of a kind."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where an edge finds a tag on the plant side (driver `mqtt_sensor`)."""

    driver: str
    topic: str
    format: SourceFormat
    path: tuple[str, ...]
    """Keys (or decimal indexes) to the value inside a JSON payload; empty for the payload itself."""
    time_path: tuple[str, ...]
    """Keys to the source time (epoch ms) inside a JSON payload; empty: the time of receipt is taken."""
    quality_path: tuple[str, ...]
    """Keys to 0/1/2 inside a JSON payload; empty: good."""
    current_loop: bool
    """The number is a loop current in mA: 4-20 mA spans the tag's range, NAMUR NE 43 applies."""
    scale: float
    offset: float
    """Reading in ``unit`` = number x scale + offset (before current-loop scaling is not applied to both)."""
    unit: str
    """Unit of the reading after scale and offset; converted to the canonical unit by the edge."""
    qos: int


@dataclass(frozen=True, slots=True)
class Tag:
    """One measured quantity at one place."""

    name: str
    description: Text
    quantity: Quantity
    unit: str
    """The unit operators see; everything inside is in the canonical unit of ``quantity``."""
    range_low: float
    range_high: float
    """Instrument range, canonical unit."""
    kind: InstrumentKind
    position: Position | None
    period_ms: int
    """How often a sample is expected."""
    hold_ms: int
    """How long a sample stands for the process before it counts as a gap: on- and off-delays stop there."""
    stale_after_ms: int
    """Silence longer than this raises STALE."""
    window_ms: int
    """Over how long the conditions of `WINDOWED` look back."""
    edge: str
    hazard_unit: str
    vessel: str
    """Empty when the tag watches an area."""
    vehicle: str
    """Empty when the tag is not on a vehicle."""
    cas: str
    """Substance a gas detector is calibrated for, or the vessel's; may be empty."""
    source: Source | None
    conditions: tuple[ConditionRule, ...]
    """At most one of each condition, in the order of `CONDITIONS`."""


class EscalationScope(StrEnum):
    """Where the conditions of a `Together` must meet."""

    VESSEL = "vessel"
    TAG = "tag"


@dataclass(frozen=True, slots=True)
class KOfN:
    """So many different points of one hazard unit in alarm: the tier of these alarms rises."""

    id: str
    tier: Tier
    at_least: int
    conditions: tuple[Condition, ...]
    """Any of them."""
    hazard_unit: str
    """Empty: every unit by itself."""
    kind: InstrumentKind | None
    """None: of any kind."""
    tags: tuple[str, ...]
    """Empty: all."""
    when: str = field(default="k_of_n", init=False)

    def concerns(self, tag: Tag) -> bool:
        """Say whether a tag is one of the points."""
        return (
            bool(tag.hazard_unit)
            and self.hazard_unit in ("", tag.hazard_unit)
            and self.kind in (None, tag.kind)
            and (not self.tags or tag.name in self.tags)
        )


@dataclass(frozen=True, slots=True)
class Together:
    """All these conditions active on one vessel, or on one tag: the tier of these alarms rises."""

    id: str
    tier: Tier
    conditions: tuple[Condition, ...]
    """All of them."""
    vessel: str
    """Empty: every vessel (with `on` tag: every tag, also those on no vessel) by itself."""
    on: EscalationScope
    when: str = field(default="together", init=False)

    def concerns(self, tag: Tag) -> bool:
        """Say whether a tag can take part."""
        if self.vessel:
            return tag.vessel == self.vessel
        return self.on is EscalationScope.TAG or bool(tag.vessel)


@dataclass(frozen=True, slots=True)
class Unacknowledged:
    """An active alarm that nobody acknowledged in time: its tier rises."""

    id: str
    tier: Tier | None
    """None: one tier up."""
    tiers: tuple[Tier, ...]
    """Alarms of these tiers."""
    after_ms: int
    """Since the alarm was decided or its tier last rose; gateway clock."""
    when: str = field(default="unacknowledged", init=False)


Escalation: TypeAlias = KOfN | Together | Unacknowledged


@dataclass(frozen=True, slots=True)
class Suppression:
    """Points that are suppressed by design (ISA-18.2 state H): evaluated and recorded, and not told."""

    id: str
    name: Text
    """Why."""
    points: tuple[tuple[str, Condition], ...]
    """(tag, condition) of what is suppressed."""
    while_alarm: tuple[str, Condition] | None
    """As long as this alarm is active and told; None: when somebody says so, until a time."""


@dataclass(frozen=True, slots=True)
class Edge:
    """One edge agent, or one group of plain sensors."""

    id: str
    name: Text
    kind: EdgeKind


@dataclass(frozen=True, slots=True)
class Vehicle:
    """A hazmat truck."""

    id: str
    plate: str
    name: Text
    cas: str
    edge: str


@dataclass(frozen=True, slots=True)
class Plant:
    """Everything one gateway watches. Mappings are ordered as in the file."""

    enterprise: Enterprise
    site: Site
    hazard_units: Mapping[str, HazardUnit]
    vessels: Mapping[str, Vessel]
    edges: Mapping[str, Edge]
    vehicles: Mapping[str, Vehicle]
    tags: Mapping[str, Tag]
    digest: str
    """SHA-256 of the validated content; names the rules a snapshot belongs to."""
    lel_table: LelTable = LelTable.IEC
    """The LEL table by which %LEL of this plant is meant."""
    reference_air: ReferenceAir = ReferenceAir.AIR_20C
    """The air in which mg/m3 of this plant is stated."""
    escalations: Mapping[str, Escalation] = field(default_factory=dict)
    """When tiers rise; by name, in the order of the file. Of two that hold, the worse tier wins, then the first."""
    suppressions: Mapping[str, Suppression] = field(default_factory=dict)
    """What is suppressed by design; by name, in the order of the file."""
