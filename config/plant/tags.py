"""Tags: what a tag and its template say together, checked, in canonical units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from config.chemicals import Chemical, GasLimit, default_gas_limits
from config.errors import UnitError
from config.plant.checks import References
from config.plant.conditions import Instrument, condition_rules
from config.plant.document import ConditionDocument, LimitsDocument, TagDocument, TemplateDocument, TextDocument
from config.plant.model import (
    CONDITIONS,
    Condition,
    ConditionRule,
    Edge,
    HazardUnit,
    InstrumentKind,
    Position,
    Tag,
    Text,
    Vehicle,
    Vessel,
)
from config.plant.overlay import Overlay
from config.plant.sources import SourceBuilder, fill_in
from config.plant.yaml_lines import Path
from config.units import LelTable, Quantity, ReferenceAir, Substance, conversion, spelling

__all__ = ["TagBuilder"]

_REQUIRED = ("description", "kind", "quantity", "unit", "range", "period")
_HOLD_PERIODS = 2
_STALE_PERIODS = 5
_STALE_AT_LEAST_MS = 10_000
_WINDOW_PERIODS = 32
_WINDOW_AT_LEAST_MS = 300_000
_WINDOW_AT_LEAST_PERIODS = 8


@dataclass(frozen=True, slots=True)
class _Place:
    """What a tag belongs to."""

    vessel: Vessel | None
    vehicle: Vehicle | None
    hazard_unit: str
    edge: str


@dataclass(frozen=True, slots=True)
class _Times:
    """How often a tag speaks, and what follows from it."""

    period_ms: int
    hold_ms: int
    stale_after_ms: int
    window_ms: int


@dataclass(slots=True)
class TagBuilder:
    """Builds the tags of one plant."""

    site: str
    hazard_units: Mapping[str, HazardUnit]
    vessels: Mapping[str, Vessel]
    edges: Mapping[str, Edge]
    vehicles: Mapping[str, Vehicle]
    templates: Mapping[str, TemplateDocument]
    references: References
    lel_table: LelTable
    air: ReferenceAir
    _sources: SourceBuilder = field(init=False)
    _pairs: list[tuple[Path, str, str]] = field(default_factory=list, init=False)
    """Where it is written, a tag, and a tag it is compared with."""

    def __post_init__(self) -> None:
        self._sources = SourceBuilder(self.edges, self.references.findings)

    def build(self, name: str, document: TagDocument) -> Tag | None:
        """Return the tag; None (with the reason noted) when what it needs is missing or wrong."""
        if document.template is not None and document.template not in self.templates:
            self.references.known("templates", document.template, ("tags", name, "template"))
            return None
        overlay = Overlay(name, document, self.templates.get(document.template or ""))
        place = self._place(overlay)
        chemical = self._chemical(overlay, place)
        substance = chemical.substance(self.lel_table, self.air) if chemical else None
        if self._lacks(overlay):
            return None
        instrument = self._instrument(overlay, substance)
        if instrument is None:
            return None
        times = self._times(overlay)
        vessel_id, vehicle_id = overlay.get("vessel") or "", overlay.get("vehicle") or ""
        names = {"site": self.site, "edge": place.edge, "tag": name, "vessel": vessel_id, "vehicle": vehicle_id}
        position = overlay.get("position")
        return Tag(
            name=name,
            description=self._description(overlay, names),
            quantity=instrument.quantity,
            unit=instrument.unit,
            range_low=instrument.range_low,
            range_high=instrument.range_high,
            kind=instrument.kind,
            position=None if position is None else Position(*position),
            period_ms=times.period_ms,
            hold_ms=times.hold_ms,
            stale_after_ms=times.stale_after_ms,
            window_ms=times.window_ms,
            edge=place.edge,
            hazard_unit=place.hazard_unit,
            vessel=vessel_id,
            vehicle=vehicle_id,
            cas=chemical.cas if chemical else "",
            source=self._sources.build(overlay, instrument, substance, names),
            conditions=self._conditions(overlay, instrument, chemical),
        )

    def _note(self, path: Path, found: str, allowed: str, *, of_key: bool = False) -> None:
        self.references.findings.add(path, found, allowed, of_key=of_key)

    def _absent(self, overlay: Overlay, key: str) -> None:
        """Note a required key, unless it is written but could not be read (which was noted)."""
        if not any(self.references.findings.written(place) for place in overlay.places(key)):
            path: Path = ("tags", overlay.name, key)
            self._note(path, "the key is missing", f"{key!r} is required, here or in a template", of_key=True)

    def _lacks(self, overlay: Overlay) -> bool:
        missing = [key for key in _REQUIRED if overlay.get(key) is None]
        for key in missing:
            self._absent(overlay, key)
        return bool(missing)

    def _place(self, overlay: Overlay) -> _Place:
        known = self.references.known
        ids: dict[str, str] = {}
        for key, section in (
            ("vessel", "vessels"),
            ("vehicle", "vehicles"),
            ("hazard_unit", "hazard_units"),
            ("edge", "edges"),
        ):
            ids[key] = overlay.get(key) or ""
            if ids[key]:
                known(section, ids[key], overlay.path(key))
        vessel, vehicle = self.vessels.get(ids["vessel"]), self.vehicles.get(ids["vehicle"])
        own = vessel.hazard_unit if vessel else ""
        if own and ids["hazard_unit"] not in ("", own):
            found, allowed = f"{ids['hazard_unit']!r}", f"{own!r}, the hazard unit of {ids['vessel']}"
            self._note(overlay.path("hazard_unit"), found, allowed)
        edge = ids["edge"] or (vehicle.edge if vehicle else "")
        if not edge and not ids["vehicle"]:
            self._absent(overlay, "edge")
        return _Place(vessel, vehicle, ids["hazard_unit"] or own, edge)

    def _chemical(self, overlay: Overlay, place: _Place) -> Chemical | None:
        """Return the substance: the tag's own, else that of what it measures in, else (gas) of its hazard unit."""
        cas: str | None = overlay.get("cas")
        if cas is not None:
            self.references.known_cas(cas, overlay.path("cas"))
        elif place.vessel is not None:
            cas = place.vessel.cas
        elif place.vehicle is not None:
            cas = place.vehicle.cas
        elif overlay.get("kind") is InstrumentKind.GAS_DETECTOR and place.hazard_unit in self.hazard_units:
            cas = self.hazard_units[place.hazard_unit].cas
        return self.references.chemicals.get(cas or "")

    def _instrument(self, overlay: Overlay, substance: Substance | None) -> Instrument | None:
        quantity: Quantity = overlay.get("quantity")
        unit = spelling(overlay.get("unit"))
        low, high = overlay.get("range")
        if low >= high:
            self._note(overlay.path("range"), f"{low:g} to {high:g}", "low < high")
        try:
            to_canonical = conversion(unit, quantity, substance)
        except UnitError as error:
            self._note(overlay.path("unit"), f"{unit!r}", str(error))
            return None
        if low >= high:
            return None
        convert = to_canonical.to_canonical
        return Instrument(overlay.get("kind"), quantity, unit, to_canonical, convert(low), convert(high))

    def _times(self, overlay: Overlay) -> _Times:
        period_ms: int = overlay.get("period")
        hold_ms: int | None = overlay.get("hold")
        stale_after_ms: int | None = overlay.get("stale_after")
        window_ms: int | None = overlay.get("window")
        if period_ms <= 0:
            self._note(overlay.path("period"), f"{period_ms} ms", "more than 0")
        if hold_ms is not None and hold_ms < period_ms:
            self._note(overlay.path("hold"), f"{hold_ms} ms", f"at least the period of {period_ms} ms")
        if stale_after_ms is not None and stale_after_ms <= period_ms:
            self._note(overlay.path("stale_after"), f"{stale_after_ms} ms", f"more than the period of {period_ms} ms")
        if window_ms is not None and window_ms < _WINDOW_AT_LEAST_PERIODS * period_ms:
            allowed = f"at least {_WINDOW_AT_LEAST_PERIODS} periods of {period_ms} ms, or a line means nothing"
            self._note(overlay.path("window"), f"{window_ms} ms", allowed)
        return _Times(
            period_ms,
            hold_ms or _HOLD_PERIODS * period_ms,
            stale_after_ms or max(_STALE_AT_LEAST_MS, _STALE_PERIODS * period_ms),
            window_ms or max(_WINDOW_AT_LEAST_MS, _WINDOW_PERIODS * period_ms),
        )

    def _description(self, overlay: Overlay, names: Mapping[str, str]) -> Text:
        written: TextDocument = overlay.get("description")
        findings = self.references.findings
        zh, en = (
            fill_in(getattr(written, language), names, (*overlay.path("description"), language), findings)
            for language in ("zh", "en")
        )
        return Text(zh, en)

    def _conditions(
        self, overlay: Overlay, instrument: Instrument, chemical: Chemical | None
    ) -> tuple[ConditionRule, ...]:
        defaults: tuple[GasLimit, ...] = ()
        if instrument.kind is InstrumentKind.GAS_DETECTOR and chemical is not None:
            defaults = default_gas_limits(chemical, instrument.quantity, self.air)
        limits = overlay.merged("limits", LimitsDocument)
        written: dict[Condition, ConditionDocument] = {}
        for condition in CONDITIONS:
            document = getattr(limits, condition.value, None)
            if document is not None:
                written[condition] = document

        def note(condition: Condition, key: str, found: str, allowed: str) -> None:
            path = overlay.path("limits", condition.value, key)
            unread = getattr(written.get(condition), key, None) is None and self.references.findings.written(path)
            if not unread:
                self._note(path, found, allowed)

        rules = condition_rules(instrument, written, defaults, note)
        for rule in rules:
            self._take_partners(overlay, rule)
        return rules

    def _take_partners(self, overlay: Overlay, rule: ConditionRule) -> None:
        """Check that the partners of a tag exist; that they measure the same is seen when all tags are built."""
        path = overlay.path("limits", rule.condition.value, "partners")
        for partner in rule.partners:
            if partner == overlay.name or rule.partners.count(partner) > 1:
                self._note(path, f"{partner!r}", "other tags, each once")
            elif self.references.known("tags", partner, path):
                self._pairs.append((path, overlay.name, partner))

    def check_partners(self, tags: Mapping[str, Tag]) -> None:
        """Check that tags are compared with tags of the same quantity only."""
        for path, name, partner in self._pairs:
            if name in tags and partner in tags and tags[name].quantity is not tags[partner].quantity:
                found = f"{partner!r}, which measures {tags[partner].quantity.value}"
                self._note(path, found, f"a tag that measures {tags[name].quantity.value} like {name!r}")
