"""The substances of a plant, as unit conversions need them."""

from __future__ import annotations

from collections.abc import Mapping

from config.chemicals import load_chemicals
from config.plant.model import Plant
from config.units import Substance

__all__ = ["plant_substances"]


def plant_substances(plant: Plant) -> Mapping[str, Substance]:
    """Return the substances of the plant's tags by CAS number, by its own LEL table and reference air."""
    chemicals = load_chemicals()
    return {
        tag.cas: chemicals[tag.cas].substance(plant.lel_table, plant.reference_air)
        for tag in plant.tags.values()
        if tag.cas
    }
