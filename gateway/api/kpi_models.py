"""What the API answers about KPIs. The words for a figure are in `gateway.kpi.definitions`."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from gateway.api.models import Model, Name

__all__ = ["DefinitionList", "DefinitionView", "DeskKpis", "KpiView", "MonthlyView", "NowView"]


class BoundView(Model):
    """What a figure shall hold to."""

    how: Literal["<", "<=", ">=", "~"] = Field(description="`~`: about")
    value: float


class DefinitionView(Model):
    """What one KPI is."""

    id: str
    version: int = Field(description="Rises with every change of the definition")
    name: Name
    formula: Name
    unit: str = Field(description="`alarms`, `floods`, `minutes`, or `share` from 0 to 1")
    target: BoundView | None
    limit: BoundView | None
    source: str
    valid_from: str = Field(description="First day on which this version is used")
    seal: str = Field(description="Names its content")


class DefinitionList(Model):
    """All KPIs in force."""

    digest: str = Field(description="Names all of them, in their versions")
    definitions: tuple[DefinitionView, ...]


class _Kept(Model):
    """Read back from frozen months, too: those of a later release may say more, which is left out."""

    model_config = ConfigDict(frozen=True, extra="ignore", from_attributes=True)


class LeftOutView(_Kept):
    """What a figure does not count."""

    count: int
    reason: Name


class FigureView(_Kept):
    """One figure. Nothing is hidden: what it does not count is told."""

    value: float | None
    numerator: float | None
    denominator: float | None
    left_out: tuple[LeftOutView, ...]
    why_not: Name | None = Field(description="Why there is no value")


class KpiRowView(_Kept):
    """One KPI."""

    id: str
    version: int
    name: Name
    unit: str
    target: BoundView | None
    limit: BoundView | None
    figure: FigureView


class FrequentView(_Kept):
    """One of the most frequent alarms."""

    tag: str
    condition: str
    count: int


class FloodView(_Kept):
    """A flood of alarms."""

    begin_ms: int
    end_ms: int | None = Field(description="null: it goes on at the end of the window")
    count: int
    peak: int = Field(description="Most alarms in any 10 min of it")


class ChatterView(_Kept):
    """An episode of chattering."""

    tag: str
    condition: str
    begin_ms: int
    end_ms: int
    count: int


class StandingView(_Kept):
    """An alarm that has stood for more than 24 h."""

    tag: str
    condition: str
    raised_ms: int


class DeskKpis(_Kept):
    """The KPIs of one desk. Lists hold the first 100; the figures count all."""

    desk: str
    kpis: tuple[KpiRowView, ...]
    most_frequent: tuple[FrequentView, ...]
    floods: tuple[FloodView, ...] = Field(description="The latest")
    chattering: tuple[ChatterView, ...] = Field(description="The longest, by count")
    standing: tuple[StandingView, ...] = Field(description="At the end of the window; the oldest")


class KpiView(Model):
    """The KPIs of a window."""

    from_ms: int
    to_ms: int = Field(description="Not behind the present")
    definitions: str = Field(description="Digest of the definitions in force")
    desks: tuple[DeskKpis, ...]


class MonthlyView(Model):
    """The KPIs of a month, local time of the site."""

    month: str
    from_ms: int
    to_ms: int
    provisional: bool = Field(description="It is not frozen: its figures may still change")
    definitions: str = Field(description="Digest of the definitions it was made by")
    made_ms: int
    hashes: dict[str, str] = Field(description="Of a frozen month: desk -> hash, also in the audit log")
    intact: bool = Field(description="The hashes fit")
    desks: tuple[DeskKpis, ...]


class DeskNowView(_Kept):
    """What one desk has before it. Lists hold the first 100."""

    desk: str
    flood: FloodView | None = Field(description="It goes on")
    last_flood: FloodView | None = Field(description="The last one that is over, when none goes on")
    last_10_min: int = Field(description="Alarms annunciated")
    chattering_count: int
    chattering: tuple[ChatterView, ...]
    standing_count: int
    standing: tuple[StandingView, ...]


class FirstOutView(_Kept):
    """The first alarm of a hazard unit in which alarms are open."""

    hazard_unit: str
    alarm_id: str
    opened_ms: int = Field(description="When the group began, gateway clock")
    by_source: bool = Field(
        description="First by the clocks of the sources; false: one of these cannot be trusted, and it is the first "
        "that the gateway raised"
    )
    size: int = Field(description="Alarms of the group so far")
    open: int


class NowView(_Kept):
    """The moment."""

    at_ms: int
    desks: tuple[DeskNowView, ...]
    first_out: tuple[FirstOutView, ...]
