"""Tags: what a tag and its template say together, checked, in canonical units."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel

from config.chemicals import Chemical, GasLimit, default_gas_limits
from config.errors import UnitError
from config.plant.checks import References, check_topic
from config.plant.conditions import Instrument, condition_rules
from config.plant.document import ConditionDocument, LimitsDocument, SourceDocument, TagDocument, TemplateDocument
from config.plant.model import (
    CONDITIONS,
    Condition,
    Edge,
    EdgeKind,
    HazardUnit,
    InstrumentKind,
    Position,
    Source,
    SourceFormat,
    Tag,
    Text,
    Vehicle,
    Vessel,
)
from config.plant.yaml_lines import Path
from config.units import Conversion, LelTable, Quantity, ReferenceAir, Substance, conversion, spelling

__all__ = ["TagBuilder"]

_REQUIRED = ("description", "kind", "quantity", "unit", "range", "period")
_HOLD_PERIODS = 2
_STALE_PERIODS = 5
_STALE_AT_LEAST_MS = 10_000
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class _Written:
    """A tag as written, over its template."""

    name: str
    tag: TagDocument
    template: TemplateDocument | None

    def get(self, key: str) -> Any:  # noqa: ANN401  one of the typed fields of the document
        """Return what the tag says for a key, else what its template says."""
        if key in self.tag.model_fields_set or self.template is None:
            return getattr(self.tag, key)
        return getattr(self.template, key)

    def path(self, *keys: str) -> Path:
        """Return where ``keys`` is written: in the tag, in the template, else the tag as a whole."""
        for document, path in (
            (self.tag, ("tags", self.name)),
            (self.template, ("templates", self.tag.template or "")),
        ):
            inner: object = document
            for key in keys:
                said = isinstance(inner, BaseModel) and key in inner.model_fields_set
                inner = getattr(inner, key) if said else None
            if inner is not None:
                return (*path, *keys)
        return ("tags", self.name, *keys)

    def merged(self, key: str, kind: type[M]) -> M | None:
        """Return a mapping of the tag laid over that of its template, key by key."""
        own, shared = getattr(self.tag, key), getattr(self.template, key) if self.template else None
        if key in self.tag.model_fields_set and own is None:
            return None
        return _over(own, shared, kind)


def _over(own: M | None, shared: M | None, kind: type[M]) -> M | None:
    if own is None or shared is None:
        return own or shared
    said = {key: getattr(shared, key) for key in shared.model_fields_set}
    for key in own.model_fields_set:
        value, base = getattr(own, key), said.get(key)
        both = isinstance(value, BaseModel) and isinstance(base, BaseModel)
        said[key] = _over(value, base, type(value)) if both else value
    return kind.model_construct(_fields_set=set(said), **said)


@dataclass(slots=True)
class TagBuilder:
    """Builds tags and remembers what two tags must not share."""

    site: str
    hazard_units: Mapping[str, HazardUnit]
    vessels: Mapping[str, Vessel]
    edges: Mapping[str, Edge]
    vehicles: Mapping[str, Vehicle]
    templates: Mapping[str, TemplateDocument]
    references: References
    lel_table: LelTable
    air: ReferenceAir
    _sources: dict[tuple[str, str, tuple[str, ...]], str] = field(default_factory=dict)

    def build(self, name: str, document: TagDocument) -> Tag | None:
        """Return the tag; None (with the reason noted) when what it needs is missing or wrong."""
        if document.template is not None and document.template not in self.templates:
            self.references.known("templates", document.template, ("tags", name, "template"))
            return None
        written = _Written(name, document, self.templates.get(document.template or ""))
        vessel, vehicle, hazard_unit = self._place(written)
        edge = self._edge(written, vehicle)
        chemical = self._chemical(written, vessel, vehicle, hazard_unit)
        names = {"site": self.site, "edge": edge, "tag": name}
        names |= {"vessel": written.get("vessel") or "", "vehicle": written.get("vehicle") or ""}
        if self._lacks(written):
            return None
        instrument = self._instrument(written, chemical)
        if instrument is None:
            return None
        period_ms, hold_ms, stale_after_ms = self._times(written)
        position = written.get("position")
        description = written.get("description")
        path = written.path("description")
        return Tag(
            name=name,
            description=Text(self._fill(description.zh, names, path), self._fill(description.en, names, path)),
            quantity=instrument.quantity,
            unit=instrument.unit,
            range_low=instrument.range_low,
            range_high=instrument.range_high,
            kind=instrument.kind,
            position=None if position is None else Position(*position),
            period_ms=period_ms,
            hold_ms=hold_ms,
            stale_after_ms=stale_after_ms,
            edge=edge,
            hazard_unit=hazard_unit,
            vessel=written.get("vessel") or "",
            vehicle=written.get("vehicle") or "",
            cas=chemical.cas if chemical else "",
            source=self._source(written, instrument, chemical, names),
            conditions=self._conditions(written, instrument, chemical),
        )

    def _note(self, path: Path, found: str, allowed: str, *, of_key: bool = False) -> None:
        self.references.findings.add(path, found, allowed, of_key=of_key)

    def _lacks(self, written: _Written) -> bool:
        """Note required keys that are nowhere; say whether any is missing or could not be read."""
        missing = [key for key in _REQUIRED if written.get(key) is None]
        template = written.tag.template or ""
        for key in missing:
            paths: tuple[Path, ...] = (("tags", written.name, key), ("templates", template, key))
            if not any(self.references.findings.written(path) for path in paths):
                self._note(paths[0], "the key is missing", f"{key!r} is required, here or in a template", of_key=True)
        return bool(missing)

    def _place(self, written: _Written) -> tuple[Vessel | None, Vehicle | None, str]:
        """Return vessel, vehicle and the id of the hazard unit of a tag."""
        known = self.references.known
        vessel_id, vehicle_id, unit_id = (written.get(key) for key in ("vessel", "vehicle", "hazard_unit"))
        if vessel_id is not None:
            known("vessels", vessel_id, written.path("vessel"))
        if vehicle_id is not None:
            known("vehicles", vehicle_id, written.path("vehicle"))
        vessel = self.vessels.get(vessel_id or "")
        if unit_id is not None and known("hazard_units", unit_id, written.path("hazard_unit")):
            own = vessel.hazard_unit if vessel else ""
            if own and own != unit_id:
                self._note(written.path("hazard_unit"), f"{unit_id!r}", f"{own!r}, the hazard unit of {vessel_id}")
        return vessel, self.vehicles.get(vehicle_id or ""), unit_id or (vessel.hazard_unit if vessel else "")

    def _edge(self, written: _Written, vehicle: Vehicle | None) -> str:
        edge: str | None = written.get("edge")
        if edge is not None:
            self.references.known("edges", edge, written.path("edge"))
            return edge
        if vehicle is not None:
            return vehicle.edge
        if not self.references.findings.written(("tags", written.name, "edge")):
            path: Path = ("tags", written.name, "edge")
            self._note(path, "the key is missing", "'edge' is required, here or in a template", of_key=True)
        return ""

    def _chemical(
        self, written: _Written, vessel: Vessel | None, vehicle: Vehicle | None, hazard_unit: str
    ) -> Chemical | None:
        cas: str | None = written.get("cas")
        if cas is not None:
            self.references.known_cas(cas, written.path("cas"))
        elif vessel is not None:
            cas = vessel.cas
        elif vehicle is not None:
            cas = vehicle.cas
        elif written.get("kind") is InstrumentKind.GAS_DETECTOR and hazard_unit in self.hazard_units:
            cas = self.hazard_units[hazard_unit].cas
        return self.references.chemicals.get(cas or "")

    def _substance(self, chemical: Chemical | None) -> Substance | None:
        return chemical.substance(self.lel_table, self.air) if chemical else None

    def _conversion(self, unit: str, path: Path, quantity: Quantity, chemical: Chemical | None) -> Conversion | None:
        try:
            return conversion(unit, quantity, self._substance(chemical))
        except UnitError as error:
            self._note(path, f"{unit!r}", str(error))
            return None

    def _instrument(self, written: _Written, chemical: Chemical | None) -> Instrument | None:
        quantity: Quantity = written.get("quantity")
        unit: str = spelling(written.get("unit"))
        low, high = written.get("range")
        to_canonical = self._conversion(unit, written.path("unit"), quantity, chemical)
        if low >= high:
            self._note(written.path("range"), f"{low:g} to {high:g}", "low < high")
            return None
        if to_canonical is None:
            return None
        convert = to_canonical.to_canonical
        return Instrument(written.get("kind"), quantity, unit, to_canonical, convert(low), convert(high))

    def _times(self, written: _Written) -> tuple[int, int, int]:
        """Return period, hold and stale_after in milliseconds."""
        period_ms: int = written.get("period")
        hold_ms: int | None = written.get("hold")
        stale_after_ms: int | None = written.get("stale_after")
        if period_ms <= 0:
            self._note(written.path("period"), f"{period_ms} ms", "more than 0")
        if hold_ms is not None and hold_ms < period_ms:
            self._note(written.path("hold"), f"{hold_ms} ms", f"at least the period, {period_ms} ms")
        if stale_after_ms is not None and stale_after_ms <= period_ms:
            self._note(written.path("stale_after"), f"{stale_after_ms} ms", f"more than the period, {period_ms} ms")
        return (
            period_ms,
            hold_ms or _HOLD_PERIODS * period_ms,
            stale_after_ms or max(_STALE_AT_LEAST_MS, _STALE_PERIODS * period_ms),
        )

    def _fill(self, text: str, names: Mapping[str, str], path: Path) -> str:
        """Put names in the place of ``{tag}`` and the like."""

        def put(match: re.Match[str]) -> str:
            name = names.get(match[1])
            if not name:
                allowed = ", ".join(f"{{{key}}}" for key, value in names.items() if value)
                self._note(path, f"the placeholder {match[0]}", f"one of {allowed}")
            return name or ""

        return _PLACEHOLDER.sub(put, text)

    def _conditions(self, written: _Written, instrument: Instrument, chemical: Chemical | None) -> tuple[Any, ...]:
        defaults: tuple[GasLimit, ...] = ()
        if instrument.kind is InstrumentKind.GAS_DETECTOR and chemical is not None:
            defaults = default_gas_limits(chemical, instrument.quantity, self.air)
        limits = written.merged("limits", LimitsDocument)
        said: dict[Condition, ConditionDocument] = {}
        if limits is not None:
            pairs = ((condition, getattr(limits, condition.value)) for condition in CONDITIONS)
            said = {condition: document for condition, document in pairs if document is not None}

        def note(condition: Condition, key: str, found: str, allowed: str) -> None:
            path = written.path("limits", condition.value, key)
            self._note(path, found, allowed)

        return condition_rules(instrument, said, defaults, note)

    def _source(
        self, written: _Written, instrument: Instrument, chemical: Chemical | None, names: Mapping[str, str]
    ) -> Source | None:
        said = written.merged("source", SourceDocument)
        if said is None:
            return None
        edge = self.edges.get(names["edge"])
        if edge is not None and edge.kind is EdgeKind.DIRECT:
            allowed = f"no source: sensors of the direct edge {edge.id!r} publish points to the broker themselves"
            self._note(written.path("source"), "a source", allowed)
            return None
        if said.topic is None:
            if not self.references.findings.written(written.path("source", "topic")):
                self._note(written.path("source", "topic"), "the key is missing", "'topic' is required", of_key=True)
            return None
        topic = self._fill(said.topic, names, written.path("source", "topic"))
        check_topic(topic, written.path("source", "topic"), self.references.findings)
        source = Source(
            driver=said.driver or "mqtt_sensor",
            topic=topic,
            format=said.format or SourceFormat.JSON,
            path=said.path or (),
            time_path=said.time_path or (),
            quality_path=said.quality_path or (),
            current_loop=bool(said.current_loop),
            scale=1.0 if said.scale is None else said.scale,
            offset=said.offset or 0.0,
            unit=spelling(said.unit) if said.unit is not None else instrument.unit,
            qos=1 if said.qos is None else said.qos,
        )
        self._check_source(written, source, said, instrument, chemical, names)
        return source

    def _check_source(
        self,
        written: _Written,
        source: Source,
        said: SourceDocument,
        instrument: Instrument,
        chemical: Chemical | None,
        names: Mapping[str, str],
    ) -> None:
        if source.format is SourceFormat.NUMBER:
            for key in ("path", "time_path", "quality_path"):
                if getattr(source, key):
                    self._note(written.path("source", key), "a path", "none: the payload is the number itself")
        if source.current_loop:
            for key in ("scale", "offset", "unit"):
                if getattr(said, key) is not None:
                    allowed = "none: 4-20 mA of a current loop span the range of the tag"
                    self._note(written.path("source", key), f"{getattr(said, key)}", allowed)
        elif source.scale == 0:
            self._note(written.path("source", "scale"), "0", "not 0")
        if said.unit is not None:
            path = written.path("source", "unit")
            if instrument.quantity is Quantity.NUMBER and source.unit != instrument.unit:
                self._note(path, f"{source.unit!r}", f"{instrument.unit!r}: a number is never converted")
            self._conversion(source.unit, path, instrument.quantity, chemical)
        other = self._sources.setdefault((names["edge"], source.topic, source.path), written.name)
        if other != written.name:
            found = f"{source.topic!r} {'.'.join(source.path)}".rstrip()
            self._note(written.path("source", "topic"), found, f"a place of its own: {other} reads the same")
