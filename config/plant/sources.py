"""Sources: where an edge finds a tag, as its tag and template say together, checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from config.contract.topics import ROOT
from config.errors import UnitError
from config.plant.conditions import Instrument
from config.plant.document import SourceDocument
from config.plant.findings import Findings
from config.plant.model import Edge, EdgeKind, Source, SourceFormat
from config.plant.overlay import Overlay
from config.plant.yaml_lines import Path
from config.units import Quantity, Substance, conversion, spelling

__all__ = ["SourceBuilder", "fill_in"]

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_LONGEST_TOPIC = 65_535


def fill_in(text: str, names: Mapping[str, str], path: Path, findings: Findings) -> str:
    """Put names in the place of ``{tag}`` and the like; one that stands for nothing here is noted."""

    def put(match: re.Match[str]) -> str:
        name = names.get(match[1], "")
        if not name:
            allowed = ", ".join(f"{{{key}}}" for key, value in names.items() if value)
            findings.add(path, f"the placeholder {match[0]}", f"one of {allowed}")
        return name

    return _PLACEHOLDER.sub(put, text)


@dataclass(slots=True)
class SourceBuilder:
    """Builds sources and remembers them: no two tags may read the same place."""

    edges: Mapping[str, Edge]
    findings: Findings
    _taken: dict[tuple[str, str, tuple[str, ...]], str] = field(default_factory=dict)

    def build(
        self, overlay: Overlay, instrument: Instrument, substance: Substance | None, names: Mapping[str, str]
    ) -> Source | None:
        """Return the source of a tag; None when it has none, or none that could be used (noted)."""
        said = overlay.merged("source", SourceDocument)
        if said is None:
            return None
        edge = self.edges.get(names["edge"])
        if edge is not None and edge.kind is EdgeKind.DIRECT:
            allowed = f"no source: the sensors of the direct edge {edge.id!r} publish points themselves"
            self.findings.add(overlay.path("source"), "a source", allowed)
            return None
        if said.driver == "canary":
            return self._canary(said, overlay, instrument)
        if said.topic is None:
            places = [(*place, "topic") for place in overlay.places("source")]
            if not any(self.findings.written(place) for place in places):
                path = overlay.path("source", "topic")
                self.findings.add(path, "the key is missing", "a source has a topic", of_key=True)
            return None
        source = Source(
            driver=said.driver or "mqtt_sensor",
            topic=fill_in(said.topic, names, overlay.path("source", "topic"), self.findings),
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
        self._check_topic(source, overlay, names["edge"])
        self._check_format(source, overlay)
        self._check_unit(said, source, overlay, instrument, substance)
        return source

    def _canary(self, said: SourceDocument, overlay: Overlay, instrument: Instrument) -> Source:
        for key in sorted(said.model_fields_set - {"driver"}):
            self.findings.add(overlay.path("source", key), f"{key} of a canary", "driver alone: it reads nothing")
        return Source(
            driver="canary",
            topic="",
            format=SourceFormat.NUMBER,
            path=(),
            time_path=(),
            quality_path=(),
            current_loop=False,
            scale=1.0,
            offset=0.0,
            unit=instrument.unit,
            qos=1,
        )

    def _check_topic(self, source: Source, overlay: Overlay, edge: str) -> None:
        """Check that a sensor can publish to the topic, and that no other tag reads the same place."""
        path, topic, add = overlay.path("source", "topic"), source.topic, self.findings.add
        if any(sign in topic for sign in "+#\0"):
            add(path, f"{topic!r}", "one topic without the wildcards + and #")
        elif topic.startswith(("$", f"{ROOT}/")):
            add(path, f"{topic!r}", f"a topic of the plant: not below $ and not below {ROOT}/")
        elif len(topic.encode()) > _LONGEST_TOPIC:
            add(path, f"a topic of {len(topic.encode())} bytes", f"at most {_LONGEST_TOPIC} bytes")
        other = self._taken.setdefault((edge, topic, source.path), overlay.name)
        if other != overlay.name:
            place = f"{topic!r}" + (f", path {'.'.join(source.path)}" if source.path else "")
            add(path, f"{place} for {overlay.name}", f"a place of its own: {other} reads the same")

    def _check_format(self, source: Source, overlay: Overlay) -> None:
        if source.format is SourceFormat.NUMBER:
            for key in ("path", "time_path", "quality_path"):
                if getattr(source, key):
                    path = overlay.path("source", key)
                    self.findings.add(path, "a path", "none: with format number the payload is the number itself")
        if source.scale == 0:
            self.findings.add(overlay.path("source", "scale"), "0", "not 0: every reading would be the offset")

    def _check_unit(
        self,
        said: SourceDocument,
        source: Source,
        overlay: Overlay,
        instrument: Instrument,
        substance: Substance | None,
    ) -> None:
        if said.unit is None:
            return
        path = overlay.path("source", "unit")
        if source.current_loop:
            self.findings.add(path, f"{said.unit!r}", "none: 4-20 mA of a current loop span the range of the tag")
        elif instrument.quantity is Quantity.NUMBER and source.unit != instrument.unit:
            self.findings.add(path, f"{said.unit!r}", f"{instrument.unit!r}: a number is never converted")
        try:
            conversion(source.unit, instrument.quantity, substance)
        except UnitError as error:
            self.findings.add(path, f"{said.unit!r}", str(error))
