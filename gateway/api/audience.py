"""Who sees the same things: everything, or some hazard units and what belongs to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from config.plant.model import Plant
from gateway.api.live_models import EdgeItem, HealthView
from gateway.api.live_views import edge_items
from gateway.live import Values
from gateway.records.queries import EdgeRecords

__all__ = ["Audience", "part_of"]

_OF_EVERYBODY = ("samples", "log_position", "history_position", "history_lag", "stream_clients")
_RATES = ("samples_per_s", "delay_p50_ms", "delay_p99_ms")


@dataclass(frozen=True, slots=True)
class Audience:
    """Who sees the same things, so that what they are told has to be made once only.

    Args:
        units: Hazard units that are seen; ``""`` stands for what is in none. None: everything.
        plant: As it is seen: what is hidden is not there.
        whole: The whole plant, to know which edges serve others too.
    """

    units: frozenset[str] | None
    plant: Plant = field(compare=False)
    whole: Plant = field(compare=False)

    @property
    def wanted(self) -> tuple[str, ...] | None:
        """The hazard units for a query; None: all."""
        return None if self.units is None else tuple(sorted(self.units))

    def sees(self, alarm: Mapping[str, Any]) -> bool:
        """Say whether an alarm is among it."""
        return self.units is None or alarm["hazard_unit"] in self.units

    def edges(self, records: EdgeRecords, values: Values | None) -> tuple[EdgeItem, ...]:
        """Return the edges; of one that serves others too only whether it is there."""
        if self.units is None:
            return edge_items(self.plant, records, values)
        mine = {edge: status for edge, status in records.statuses.items() if edge in self.plant.edges}
        items = edge_items(self.plant, EdgeRecords(records.counts, records.marks, mine), values)
        shared = {tag.edge for tag in self.whole.tags.values() if tag.name not in self.plant.tags}
        hidden = {"report": None, "missing_frames": 0, "shed_samples": 0}
        return tuple(item.model_copy(update=hidden) if item.edge in shared else item for item in items)

    def health(self, health: HealthView) -> HealthView:
        """Return how the gateway is doing; figures that tell how much others send are 0 for a part."""
        if self.units is None:
            return health
        return health.model_copy(update=dict.fromkeys(_OF_EVERYBODY, 0) | dict.fromkeys(_RATES, 0.0))


def part_of(plant: Plant, units: frozenset[str]) -> Plant:
    """Return a plant with nothing in it but some hazard units and what belongs to them."""
    tags = {tag.name: tag for tag in plant.tags.values() if tag.hazard_unit in units}
    vehicles = plant.vehicles if "" in units else {}
    edges = {tag.edge for tag in tags.values()} | {vehicle.edge for vehicle in vehicles.values()}
    return replace(
        plant,
        hazard_units={unit.id: unit for unit in plant.hazard_units.values() if unit.id in units},
        vessels={vessel.id: vessel for vessel in plant.vessels.values() if vessel.hazard_unit in units},
        vehicles=vehicles,
        edges={edge.id: edge for edge in plant.edges.values() if edge.id in edges},
        tags=tags,
    )
