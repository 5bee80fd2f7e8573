"""The plant file as it is written: every key, its type, what it means. The JSON Schema is made from this."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, WithJsonSchema, create_model

from config.plant.model import Condition, EdgeKind, InstrumentKind, SourceFormat, Tier, VesselKind
from config.units import LelTable, Quantity

__all__ = [
    "ConditionDocument",
    "EdgeDocument",
    "EnterpriseDocument",
    "EscalationDocument",
    "GasReferenceDocument",
    "HazardUnitDocument",
    "LimitsDocument",
    "PlantDocument",
    "PointDocument",
    "SiteDocument",
    "SourceDocument",
    "SuppressionDocument",
    "TagDocument",
    "TemplateDocument",
    "TextDocument",
    "VehicleDocument",
    "VesselDocument",
    "plant_schema",
]

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|min|h)")
_DURATION_MS = {"ms": 1, "s": 1_000, "min": 60_000, "h": 3_600_000}
_LONGEST_MS = 30 * 24 * 3_600_000


def _duration_ms(value: object) -> object:
    """Read ``500ms``, ``1s``, ``2min`` or ``1h`` as whole milliseconds."""
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        message = 'a duration with its unit, such as "500ms", "1s", "2min" or "1h"'
        raise ValueError(message)
    duration_ms = float(match[1]) * _DURATION_MS[match[2]]
    if not duration_ms.is_integer() or duration_ms > _LONGEST_MS:
        message = "whole milliseconds, at most 30 days"
        raise ValueError(message)
    return int(duration_ms)


def _tier(value: object) -> object:
    """Read ``orange`` or ``2``."""
    names = {tier.name.lower(): tier for tier in Tier}
    numbers = {tier.value: tier for tier in Tier}
    tier = names.get(value) if isinstance(value, str) else numbers.get(value) if type(value) is int else None
    if tier is None:
        message = "red (1), orange (2), yellow (3) or blue (4)"
        raise ValueError(message)
    return tier


def _condition(value: object) -> object:
    """Read the short forms of a condition: a number is its limit, true or false is whether it is enabled."""
    if isinstance(value, bool):
        return {"enabled": value}
    if isinstance(value, int | float):
        return {"limit": value}
    return value


def _keys(value: object) -> object:
    """Read ``a.b.c`` as the keys a, b and c; a list is taken as it is."""
    return value.split(".") if isinstance(value, str) and value else value


def _names(value: object) -> object:
    """Read one name as a list of one."""
    return [value] if isinstance(value, str) else value


Number: TypeAlias = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Words: TypeAlias = Annotated[str, Field(min_length=1, max_length=500)]
DurationMs: TypeAlias = Annotated[
    int,
    BeforeValidator(_duration_ms),
    WithJsonSchema({"type": "string", "pattern": r"^\d+(\.\d+)?\s*(ms|s|min|h)$", "examples": ["500ms", "1s", "2min"]}),
]
TierName: TypeAlias = Annotated[
    Tier, BeforeValidator(_tier), WithJsonSchema({"enum": ["red", "orange", "yellow", "blue", 1, 2, 3, 4]})
]
Keys: TypeAlias = Annotated[
    tuple[str, ...],
    BeforeValidator(_keys, json_schema_input_type=str | list[str]),
    Field(description="Keys to a value inside a JSON payload: `a.b.0`, or a list when a key contains a dot"),
]
Names: TypeAlias = Annotated[
    tuple[Words, ...],
    BeforeValidator(_names, json_schema_input_type=str | list[str]),
    Field(min_length=1, max_length=2),
]
PositionM: TypeAlias = Annotated[
    list[Number],
    Field(min_length=2, max_length=3, description="Metres east, north (of the site's origin) and above ground"),
]


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class TextDocument(_Document):
    """What operators read, in both languages."""

    zh: Words
    en: Words


class EnterpriseDocument(_Document):
    """Who runs the site."""

    id: str
    name: TextDocument
    district: str = ""
    """Code of the district it lies in: whom a regulator's account may see goes by it."""


class SiteDocument(_Document):
    """One fenced place."""

    id: str
    """Part of every MQTT topic: `[a-z0-9._-]{1,64}`."""
    name: TextDocument
    latitude_deg: Annotated[Number, Field(ge=-90, le=90)]
    longitude_deg: Annotated[Number, Field(ge=-180, le=180)]


class GasReferenceDocument(_Document):
    """What gas concentrations of this plant refer to."""

    lel_table: LelTable = LelTable.IEC
    """The LEL table by which the detectors are calibrated: IEC 60079-20-1 or NFPA."""
    air_temperature_c: Literal[20, 25] = 20
    """Reference air of mg/m3: 20 degC (24.04 L/mol, GBZ 2.1) or 25 degC (24.45 L/mol, NIOSH)."""


class HazardUnitDocument(_Document):
    """A production or storage unit in the sense of GB 18218."""

    name: TextDocument
    cas: str
    """The substance that makes it a hazard unit."""
    enterprise: str = ""
    """Id of who runs it, where that is not the plant's enterprise."""
    district: str = ""
    """Code of the district it lies in, where that is not the plant's."""


class VesselDocument(_Document):
    """A tank, reactor, cylinder store or truck compartment."""

    name: TextDocument
    kind: VesselKind
    hazard_unit: str | None = None
    """Required, except for a truck tank."""
    cas: str | None = None
    """Default: the substance of its hazard unit."""
    capacity_m3: Annotated[Number, Field(gt=0)]
    height_m: Annotated[Number, Field(gt=0)]
    """Inner height; of a lying vessel its diameter."""
    position: PositionM | None = None


class EdgeDocument(_Document):
    """One edge agent, or one group of plain sensors."""

    name: TextDocument
    kind: EdgeKind = EdgeKind.AGENT


class VehicleDocument(_Document):
    """A hazmat truck."""

    plate: Words
    name: TextDocument
    cas: str
    """What it carries."""
    edge: str


class ConditionDocument(_Document):
    """One alarm condition. Short forms: a number is the limit; false switches it off."""

    limit: Number | None = None
    """In the unit of the tag; of ROC+ and ROC- per minute, of FORECAST in minutes. Not for STALE and BAD_PV."""
    deadband: Annotated[Number, Field(ge=0)] | None = None
    """In the unit of the limit: clears only this far back from it."""
    on_delay: DurationMs | None = None
    off_delay: DurationMs | None = None
    tier: TierName | None = None
    enabled: StrictBool | None = None
    latch: StrictBool | None = None
    """Stays on the list until it is acknowledged, though its condition is over; default false."""
    partners: Names | None = None
    """Only for DEV: the tag to compare with, or two: then the median of the three counts."""
    basis: Words | None = None
    """Where the limit comes from: a clause, a data sheet, a calculation."""


Short: TypeAlias = Annotated[
    ConditionDocument | None,
    BeforeValidator(_condition, json_schema_input_type=float | bool | ConditionDocument | None),
]


class _LimitsDocument(_Document):
    """The conditions of a tag."""

    HH: Short = None
    H: Short = None
    L: Short = None
    LL: Short = None
    STALE: Short = None
    """No sample for longer than `stale_after`."""
    BAD_PV: Short = None
    """The value is unusable."""
    FORECAST: Short = None
    """At the present rate the next limit is reached within so many minutes."""
    DEV: Short = None
    """Differs from its partners by more than the limit."""
    FLATLINE: Short = None
    """Samples keep coming, but their range over the window is smaller than the limit."""


if TYPE_CHECKING:
    LimitsDocument: TypeAlias = _LimitsDocument
else:
    # Names that no class body can write.
    _rates = {
        "ROC+": (Short, Field(None, description="Rises by at least so much a minute, over the window.")),
        "ROC-": (Short, Field(None, description="Falls by at least so much a minute, over the window.")),
    }
    LimitsDocument = create_model("LimitsDocument", __base__=_LimitsDocument, __doc__=_LimitsDocument.__doc__, **_rates)


class SourceDocument(_Document):
    """Where an edge finds the tag on the plant side."""

    driver: Literal["mqtt_sensor", "canary"] | None = None
    """`canary`: the edge makes the reading itself, once a period, to show that the way is open; no other key then."""
    topic: Words | None = None
    """May contain {site}, {edge}, {tag}, {vessel}, {vehicle}. No wildcards."""
    format: SourceFormat | None = None
    """`json` (default) or `number`: the payload is the number itself."""
    path: Keys | None = None
    """To the value; default: the payload itself."""
    time_path: Keys | None = None
    """To the source time in epoch milliseconds; default: the time of receipt is taken."""
    quality_path: Keys | None = None
    """To 0 good, 1 uncertain, 2 bad; default: good."""
    current_loop: StrictBool | None = None
    """The reading is a loop current in mA: 4-20 mA span the tag's range and NAMUR NE 43 applies."""
    scale: Number | None = None
    offset: Number | None = None
    """Reading = number x scale + offset, then in `unit`."""
    unit: Words | None = None
    """Unit of the reading; default: the tag's."""
    qos: Annotated[int, Field(strict=True, ge=0, le=2)] | None = None


class TemplateDocument(_Document):
    """What tags of one kind share. A tag's own keys win; `limits` and `source` are merged key by key."""

    description: TextDocument | None = None
    """May contain {tag}, {vessel}, {vehicle}, {site}, {edge}."""
    kind: InstrumentKind | None = None
    quantity: Quantity | None = None
    unit: Words | None = None
    """The unit operators see and in which range and limits are written."""
    range: Annotated[list[Number], Field(min_length=2, max_length=2)] | None = None
    """Instrument range, low and high."""
    position: PositionM | None = None
    period: DurationMs | None = None
    """How often a sample is expected."""
    hold: DurationMs | None = None
    """How long a sample stands before it counts as a gap; default 2 x period."""
    stale_after: DurationMs | None = None
    """Silence that raises STALE; default 5 x period, at least 10 s."""
    window: DurationMs | None = None
    """How far back ROC+, ROC-, FORECAST and FLATLINE look; default 32 x period, at least 5 min."""
    edge: str | None = None
    """Default: the edge of the vehicle."""
    hazard_unit: str | None = None
    """Default: that of the vessel."""
    vessel: str | None = None
    vehicle: str | None = None
    cas: str | None = None
    """Default: the substance of the vessel or vehicle, for a gas detector else that of its hazard unit."""
    source: SourceDocument | None = None
    limits: LimitsDocument | None = None


class TagDocument(TemplateDocument):
    """One measured quantity at one place. description, kind, quantity, unit, range, period and edge must be given."""

    template: str | None = None


class EscalationDocument(_Document):
    """When the tier of alarms rises. `when` says by what kind of rule; each has its own keys."""

    when: Literal["k_of_n", "together", "unacknowledged"]
    """`k_of_n`: so many points of one hazard unit. `together`: conditions on one vessel. `unacknowledged`: too long."""
    tier: TierName | None = None
    """To which the alarms rise; of `unacknowledged` by default one tier up."""
    at_least: Annotated[int, Field(strict=True, ge=2)] | None = None
    """k_of_n: so many different tags."""
    conditions: Annotated[list[Condition], Field(min_length=1)] | None = None
    """k_of_n: any of these. together: all of these."""
    hazard_unit: str | None = None
    """k_of_n: only this one; default: each by itself."""
    kind: InstrumentKind | None = None
    """k_of_n: only instruments of this kind."""
    tags: Annotated[list[str], Field(min_length=1)] | None = None
    """k_of_n: only these tags."""
    vessel: str | None = None
    """together: only this one; default: each by itself."""
    on: Literal["vessel", "tag"] | None = None
    """together: on one vessel (default), or all on the same tag."""
    tiers: Annotated[list[TierName], Field(min_length=1)] | None = None
    """unacknowledged: alarms of these tiers."""
    after: DurationMs | None = None
    """unacknowledged: so long after the alarm was decided, or its tier last rose."""


class PointDocument(_Document):
    """One condition of one tag."""

    tag: str
    condition: Condition


class SuppressionDocument(_Document):
    """Alarms that are suppressed by design: evaluated and recorded, and not told."""

    name: TextDocument
    """Why, as operators read it."""
    tags: Annotated[list[str], Field(min_length=1)]
    """Whose alarms."""
    conditions: Annotated[list[Condition], Field(min_length=1)] | None = None
    """Which of them; default: all."""
    while_: Annotated[PointDocument | None, Field(alias="while")] = None
    """As long as this alarm is active; without it: when somebody says so, until a time."""


class PlantDocument(_Document):
    """A plant file."""

    version: Literal[1] = 1
    enterprise: EnterpriseDocument
    site: SiteDocument
    gas_reference: GasReferenceDocument = GasReferenceDocument()
    hazard_units: dict[str, HazardUnitDocument] = {}
    vessels: dict[str, VesselDocument] = {}
    edges: dict[str, EdgeDocument] = {}
    vehicles: dict[str, VehicleDocument] = {}
    templates: dict[str, TemplateDocument] = {}
    tags: dict[str, TagDocument] = {}
    escalations: dict[str, EscalationDocument] = {}
    suppressions: dict[str, SuppressionDocument] = {}


def plant_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a plant file, for editors and other tools."""
    schema = PlantDocument.model_json_schema(mode="validation")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "HazGate plant file", **schema}
