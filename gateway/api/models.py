"""What the API answers: tags, history, alarms, plant. Times are UTC epoch milliseconds."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from config.plant.model import Condition, EdgeKind, InstrumentKind, Tier, VesselKind
from config.units import Quantity
from gateway.handling import Stage, Verdict
from gateway.lifecycle import Life

__all__ = [
    "AlarmDetail",
    "AlarmItem",
    "AlarmMoment",
    "AlarmPage",
    "AlarmTimeline",
    "ConditionView",
    "EventKind",
    "HazardUnitView",
    "History",
    "HistoryMinMax",
    "HistoryRaw",
    "Inhibited",
    "Model",
    "Name",
    "OtherAlarm",
    "PlaceView",
    "PlantView",
    "QualityName",
    "Reading",
    "RiseView",
    "SiteView",
    "State",
    "TagDetail",
    "TagItem",
    "TagPage",
    "VehicleView",
    "VesselView",
]

QualityName = Literal["good", "uncertain", "bad"]
Inhibited = Literal["shelved", "suppressed", "out_of_service"]
State = Literal["active", "returned", "latched", "cleared"]
EventKind = Literal[
    "raised", "tier_raised", "re_alarmed", "returned", "latched", "cleared", "superseded", "retrospective",
    "acknowledged", "unacknowledged", "reset", "commented", "assigned", "arrived", "verified", "measured", "closed",
    "shelved", "unshelved", "suppressed", "unsuppressed", "removed", "in_service", "overdue",
]  # fmt: skip
"""What can happen to an alarm; see docs/alarm-lifecycle.md."""


class Model(BaseModel):
    """Base of every answer: what is not declared is not sent."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Name(Model):
    """A text in both languages."""

    zh: str
    en: str


class PlaceView(Model):
    """Metres east and north of the site's origin, metres above ground."""

    x_m: float
    y_m: float
    z_m: float


class Reading(Model):
    """The last evaluated sample of a tag."""

    time_ms: int = Field(description="Source time")
    received_ms: int = Field(description="Gateway clock")
    age_ms: int = Field(description="Gateway clock now, minus source time; negative when the source clock is ahead")
    value: float | None = Field(description="In `unit` of the tag; null when there was no number")
    canonical_value: float | None = Field(description="In `canonical_unit` of the tag")
    quality: QualityName
    reason: str = Field(description="Why it is not good, e.g. `over_range`; `none` when it is")
    stale: bool = Field(description="Older than the tag's allowance: never to be shown as good")


class TagItem(Model):
    """One measured quantity at one place, with its latest value."""

    tag: str
    description: Name
    quantity: Quantity
    unit: str = Field(description="Of `value`")
    canonical_unit: str = Field(description="Of `canonical_value`")
    kind: InstrumentKind
    edge: str
    hazard_unit: str
    vessel: str
    vehicle: str
    cas: str
    latest: Reading | None = Field(description="null when no sample was ever evaluated")


class TagPage(Model):
    """Tags in the order of the plant description."""

    items: tuple[TagItem, ...]
    next_cursor: str | None = Field(description="null on the last page")


class ConditionView(Model):
    """One alarm condition of a tag."""

    condition: Condition
    tier: Tier
    limit: float | None = Field(description="null for STALE and BAD_PV")
    deadband: float
    limit_unit: str = Field(description="Of limit and deadband: the unit of the tag, that a minute, or min")
    on_delay_ms: int
    off_delay_ms: int
    enabled: bool
    latch: bool = Field(description="Stays on the list until it is acknowledged and reset, though it is over")
    partners: tuple[str, ...] = Field(description="DEV: the tags it is compared with")
    basis: str = Field(description="Where the limit comes from")


class TagDetail(TagItem):
    """A tag with its instrument and its alarm conditions."""

    range_low: float
    range_high: float
    position: PlaceView | None
    chemical: Name | None
    period_ms: int
    hold_ms: int
    stale_after_ms: int
    conditions: tuple[ConditionView, ...]


class _HistoryColumns(Model):
    tag: str
    unit: str
    from_ms: int = Field(description="Inclusive")
    to_ms: int = Field(description="Exclusive")


class HistoryRaw(_HistoryColumns):
    """Every stored sample of the span; columns of equal length in time order."""

    mode: Literal["raw"] = "raw"
    time_ms: tuple[int, ...]
    received_ms: tuple[int, ...]
    value: tuple[float | None, ...]
    quality: tuple[QualityName, ...]
    late: tuple[bool, ...] = Field(description="Arrived after a newer sample had been evaluated")


class HistoryMinMax(_HistoryColumns):
    """The span folded into buckets of equal width; columns of equal length, empty buckets left out.

    Samples of bad quality count but take no part in the numbers, which are null when a bucket has no other.
    """

    mode: Literal["min_max"] = "min_max"
    bucket_ms: int
    start_ms: tuple[int, ...]
    minimum: tuple[float | None, ...]
    maximum: tuple[float | None, ...]
    first: tuple[float | None, ...]
    last: tuple[float | None, ...]
    count: tuple[int, ...]
    quality: tuple[QualityName, ...] = Field(description="The worst of the bucket")


History = Annotated[HistoryRaw | HistoryMinMax, Field(discriminator="mode")]


class OtherAlarm(Model):
    """An alarm that had a part in something."""

    tag: str
    condition: Condition


class RiseView(Model):
    """Why the tier of an alarm rose."""

    rule: str = Field(description="Name of the escalation in the plant description")
    when: Literal["k_of_n", "together", "unacknowledged"]
    from_tier: Tier
    to_tier: Tier
    at_ms: int = Field(description="Gateway clock")
    others: tuple[OtherAlarm, ...] = Field(description="The other alarms that made it so, at most 20 of them")
    alarms: int = Field(description="How many made it so, this one included")
    message: Name = Field(description="The reason in one line")


class AlarmItem(Model):
    """One alarm: from the moment its condition held until it cleared."""

    alarm_id: str
    tag: str
    description: Name = Field(description="Of the tag")
    condition: Condition
    tier: Tier = Field(description="1 red, 2 orange, 3 yellow, 4 blue; it may rise, never fall")
    base_tier: Tier = Field(description="As it was raised")
    state: State = Field(description="`returned`, `latched`: its condition is over, it waits for somebody")
    life: Life = Field(description="State of its point by ISA-18.2; see docs/alarm-lifecycle.md")
    inhibited: Inhibited | None = Field(description="Recorded and not told; on lists of its own")
    stage: Stage = Field(description="How far its handling has come")
    assigned_to: str | None
    verdict: Verdict | None = Field(description="What it turned out to be")
    hands: tuple[str, ...] = Field(description="Accounts that had a hand in it")
    measured_ms: int | None = Field(description="First measure, gateway clock")
    acknowledge_due_ms: int | None = Field(description="By then somebody should have seen it")
    measure_due_ms: int | None = Field(description="By then somebody should have done something")
    overdue: tuple[Literal["acknowledge", "measure"], ...] = Field(description="What is late")
    closed_ms: int | None = Field(description="Reviewed and closed, gateway clock")
    closed_by: str | None = Field(description="null: by itself, or not yet")
    alarmed_ms: int = Field(description="When it was last told as new, gateway clock")
    acknowledged: bool = Field(description="Somebody has seen it, in this tier")
    acknowledged_ms: int | None = Field(description="Gateway clock")
    acknowledged_by: str | None
    rise: RiseView | None = Field(description="The last rise of its tier; null when it never rose")
    message: Name = Field(description="The alarm in one line")
    hazard_unit: str
    vessel: str
    vehicle: str
    edge: str
    onset_ms: int = Field(description="When the condition began to hold, source time")
    raised_ms: int = Field(description="When its on-delay was over")
    cleared_ms: int | None = Field(description="When its condition was over, also while it waits for somebody")
    received_ms: int = Field(description="When the deciding sample arrived, gateway clock")
    decided_ms: int = Field(description="When it was decided, gateway clock")
    value: float | None = Field(description="That decided, in `unit`")
    limit: float | None = Field(description="In force, in `limit_unit`; null for STALE and BAD_PV")
    limit_unit: str = Field(description="Of limit and measure: `unit`, that a minute, or min")
    unit: str
    canonical_value: float | None
    canonical_limit: float | None
    canonical_unit: str
    quality: QualityName
    reason: str
    basis: str
    delayed: bool = Field(description="The deciding sample took long to arrive")
    latch: bool = Field(description="Once over, it stays until it is acknowledged and reset")
    measure: float | None = Field(description="What was compared with the limit where that is not the value")
    measure_low: float | None = Field(description="Low end of its interval; of DEV what the value was compared with")
    measure_high: float | None
    retrospective: bool = Field(description="Missed live, found when late samples came; it never was active")
    version: int = Field(description="Rises with every event; the higher one is the newer")
    last_event_id: int


class AlarmDetail(AlarmItem):
    """An alarm with the story behind it."""

    deadband: float = Field(description="In `unit`")
    on_delay_ms: int
    tag_known: bool = Field(description="The plant description still has this tag")
    hazard_unit_name: Name | None
    vessel_name: Name | None
    vehicle_plate: str | None
    position: PlaceView | None
    cas: str
    chemical: Name | None


class AlarmPage(Model):
    """Alarms in the order asked for."""

    items: tuple[AlarmItem, ...]
    next_cursor: str | None = Field(description="null on the last page")


class AlarmMoment(Model):
    """One event in the life of an alarm."""

    event_id: int
    kind: EventKind
    version: int
    at_ms: int = Field(description="Source time; `tier_raised` and `acknowledged`: gateway clock")
    received_ms: int
    decided_ms: int
    value: float | None
    canonical_value: float | None
    quality: QualityName
    reason: str
    log_position: int = Field(description="The row of the log that decided it")
    measure: float | None
    measure_low: float | None
    measure_high: float | None
    rise: RiseView | None = Field(description="Of `tier_raised`: why")
    by: str | None = Field(description="Who did it; of `superseded`: the newer alarm")
    comment: str | None
    detail: dict[str, Any] = Field(description="What else is known: assignee, verdict, until_ms, what is overdue, ...")


class AlarmTimeline(Model):
    """The life of an alarm, oldest first."""

    alarm_id: str
    unit: str
    events: tuple[AlarmMoment, ...]


class SiteView(Model):
    """One fenced place and who runs it."""

    site: str
    name: Name
    enterprise: str
    enterprise_name: Name
    latitude_deg: float
    longitude_deg: float


class HazardUnitView(Model):
    """A unit in the sense of GB 18218."""

    hazard_unit: str
    name: Name
    cas: str
    chemical: Name | None
    tags: int


class VesselView(Model):
    """What holds a substance."""

    vessel: str
    name: Name
    kind: VesselKind
    hazard_unit: str
    cas: str
    chemical: Name | None
    capacity_m3: float
    height_m: float
    position: PlaceView | None


class VehicleView(Model):
    """A hazmat truck."""

    vehicle: str
    plate: str
    name: Name
    cas: str
    chemical: Name | None
    edge: str


class EdgeView(Model):
    """An edge as the plant describes it."""

    edge: str
    name: Name
    kind: EdgeKind


class PlantView(Model):
    """Everything this gateway watches."""

    digest: str = Field(description="SHA-256 of the plant description in force")
    site: SiteView
    hazard_units: tuple[HazardUnitView, ...]
    vessels: tuple[VesselView, ...]
    vehicles: tuple[VehicleView, ...]
    edges: tuple[EdgeView, ...]
    tags: int
