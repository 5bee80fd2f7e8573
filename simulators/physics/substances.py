"""Physical properties of the few substances the simulators can store, spill and carry.

Vapour pressure by Antoine, log10(p / bar) = A - B / (T / K + C), over ambient temperatures:
propane NIST WebBook (Kemp & Egan, 277-360 K), chlorine Lange's Handbook (6.93790 - 861.34 / (t + 246.33), mmHg),
methanol NIST WebBook (Ambrose & Sprake, 288-357 K). Densities and expansion: CRC Handbook, rounded.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ATMOSPHERE_KPA", "SUBSTANCES", "WATER", "Substance", "substance_of"]

ATMOSPHERE_KPA = 101.325


@dataclass(frozen=True, slots=True)
class Substance:
    """What the physics needs to know of a liquid and its vapour."""

    name: str
    molar_mass_g_mol: float
    density_kg_m3: float
    """Liquid at 20 degC."""
    expansion_per_k: float
    """Relative growth of the liquid's volume per kelvin."""
    antoine: tuple[float, float, float]
    liquefied: bool
    """Kept under its own vapour pressure; otherwise under a breathing roof."""

    def vapour_kpa(self, temperature_c: float) -> float:
        """Return the absolute vapour pressure in kPa."""
        a, b, c = self.antoine
        return float(100.0 * 10.0 ** (a - b / (temperature_c + 273.15 + c)))


PROPANE = Substance("propane", 44.10, 500.0, 0.0030, (4.53678, 1149.36, 24.906), liquefied=True)
CHLORINE = Substance("chlorine", 70.91, 1409.0, 0.0021, (4.06280, 861.34, -26.82), liquefied=True)
METHANOL = Substance("methanol", 32.04, 791.8, 0.0012, (5.20409, 1581.341, -33.50), liquefied=False)
WATER = Substance("water", 18.02, 998.2, 0.00021, (4.6543, 1435.264, -64.848), liquefied=False)

SUBSTANCES: dict[str, Substance] = {
    "68476-85-7": PROPANE,
    "74-98-6": PROPANE,
    "7782-50-5": CHLORINE,
    "67-56-1": METHANOL,
    "7732-18-5": WATER,
}
"""CAS -> properties. LPG is taken as propane, as its explosive limits usually are."""


def substance_of(cas: str) -> Substance:
    """Return the properties of a substance; water for one the table does not know (its gas cannot be released)."""
    return SUBSTANCES.get(cas, WATER)
