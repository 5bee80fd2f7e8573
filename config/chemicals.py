"""The chemical catalogue: what is known about a substance, and the gas alarm limits that follow from it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field

from config.errors import UnitError
from config.plant.model import Condition, Text
from config.units import LelTable, Quantity, ReferenceAir, Substance, convert

__all__ = [
    "Beta",
    "Catalogue",
    "Chemical",
    "CriticalQuantity",
    "FlammableRange",
    "GasLimit",
    "Idlh",
    "Oel",
    "SourceNote",
    "default_gas_limits",
    "is_cas",
    "load_catalogue",
    "load_chemicals",
]

CATALOGUE_FILE = Path(__file__).with_name("chemicals.yaml")

_CAS = re.compile(r"(\d{2,7})-(\d{2})-(\d)")

_GAS_STEPS = ((Condition.H, 25, 100), (Condition.HH, 50, 200))
"""GB/T 50493-2019: condition, %LEL of a combustible gas, % of the OEL of a toxic one."""


@dataclass(frozen=True, slots=True)
class Beta:
    """Correction factor of GB 18218 for the substance."""

    value: float
    basis: str
    """``table 3``, or ``inferred`` with the symbol of the category in table 4."""


@dataclass(frozen=True, slots=True)
class CriticalQuantity:
    """One row of GB 18218 table 1 (or what table 2 gives)."""

    row: int
    """1-85 in table 1; 0 when it follows from table 2."""
    name: str
    cas: tuple[str, ...]
    """Empty for a mixture or family without a number."""
    quantity_t: float


@dataclass(frozen=True, slots=True)
class FlammableRange:
    """Flammable limits in air, %vol."""

    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class Oel:
    """Occupational exposure limits, mg/m3."""

    mac: float | None
    twa: float | None
    stel: float | None
    source: str


@dataclass(frozen=True, slots=True)
class Idlh:
    """Immediately dangerous to life or health."""

    ppm: float
    basis: str


@dataclass(frozen=True, slots=True)
class SourceNote:
    """Where one kind of figure comes from and how sure it is."""

    origin: str
    confidence: str
    note: str


@dataclass(frozen=True, slots=True)
class Chemical:
    """One substance. What is not known is None or empty."""

    cas: str
    name: Text
    un: tuple[str, ...]
    critical: tuple[CriticalQuantity, ...]
    """Every row that names it; several where the form decides (ammonium nitrate)."""
    beta: Beta | None
    flammable: Mapping[LelTable, FlammableRange]
    oel: Oel | None
    idlh: Idlh | None
    molar_mass_g_mol: float | None
    note: str

    @property
    def critical_quantity_t(self) -> float | None:
        """The lowest critical quantity of its forms, in tonnes."""
        return min((row.quantity_t for row in self.critical), default=None)

    def substance(self, lel_table: LelTable = LelTable.IEC, air: ReferenceAir = ReferenceAir.AIR_20C) -> Substance:
        """Return what unit conversions need; a table without the substance leaves its LEL unknown."""
        limits = self.flammable.get(lel_table)
        return Substance(
            name=self.name.en,
            lel_vol_percent=None if limits is None else Fraction(str(limits.lower)),
            molar_mass_g_mol=None if self.molar_mass_g_mol is None else Fraction(str(self.molar_mass_g_mol)),
            air=air,
        )


@dataclass(frozen=True, slots=True)
class GasLimit:
    """A default alarm limit of a gas detector, in the canonical unit of its quantity."""

    condition: Condition
    limit: float
    basis: str


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The whole catalogue."""

    chemicals: Mapping[str, Chemical]
    """By CAS number."""
    table1: tuple[CriticalQuantity, ...]
    """GB 18218-2018 table 1, all 85 rows."""
    sources: Mapping[str, SourceNote]
    """By kind of figure."""


def is_cas(text: str) -> bool:
    """Say whether ``text`` is a CAS number with the right check digit."""
    match = _CAS.fullmatch(text)
    if match is None:
        return False
    digits = (match[1] + match[2])[::-1]
    return sum(place * int(digit) for place, digit in enumerate(digits, start=1)) % 10 == int(match[3])


def load_chemicals() -> Mapping[str, Chemical]:
    """Return the catalogue by CAS number."""
    return load_catalogue().chemicals


def default_gas_limits(
    chemical: Chemical, quantity: Quantity, air: ReferenceAir = ReferenceAir.AIR_20C
) -> tuple[GasLimit, ...]:
    """Return the alarm limits H and HH that GB/T 50493-2019 sets for a gas detector.

    Combustible: 25 and 50 %LEL. Toxic: 100 and 200 % of the OEL (MAC where there is one, else TWA) in ppm.

    Args:
        chemical: What the detector is calibrated for.
        quantity: COMBUSTIBLE_GAS or TOXIC_GAS; any other has no such limits.
        air: Air in which the OEL is stated.

    Returns:
        Two limits; none when the catalogue lacks a flammable range, an OEL or the molar mass.
    """
    if quantity is Quantity.COMBUSTIBLE_GAS and chemical.flammable:
        return tuple(
            GasLimit(condition, float(percent), f"GB/T 50493-2019: {percent} %LEL")
            for condition, percent, _ in _GAS_STEPS
        )
    if quantity is not Quantity.TOXIC_GAS or chemical.oel is None:
        return ()
    kind, oel = ("MAC", chemical.oel.mac) if chemical.oel.mac is not None else ("PC-TWA", chemical.oel.twa)
    if oel is None:
        return ()
    try:
        limits = [
            convert(oel * percent / 100, "mg/m3", quantity, chemical.substance(air=air)) for *_, percent in _GAS_STEPS
        ]
    except UnitError:
        return ()
    return tuple(
        GasLimit(
            condition,
            limit,
            f"GB/T 50493-2019: {percent} % OEL ({chemical.oel.source} {kind} {oel:g} mg/m3, "
            f"{float(air.value):g} L/mol)",
        )
        for (condition, _, percent), limit in zip(_GAS_STEPS, limits, strict=True)
    )


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Name(_Row):
    zh: str
    en: str


class _Beta(_Row):
    value: float
    basis: str


class _Oel(_Row):
    mac: float | None = None
    twa: float | None = None
    stel: float | None = None
    source: str = "GBZ 2.1-2019"


class _Idlh(_Row):
    ppm: float
    basis: str


class _Substance(_Row):
    cas: str
    name: _Name
    un: tuple[Annotated[str, Field(pattern=r"^\d{4}$")], ...] = ()
    beta: _Beta | None = None
    molar_mass_g_mol: Annotated[float, Field(gt=0)] | None = None
    flammable_vol_percent: dict[LelTable, tuple[float, float]] = {}
    oel_mg_m3: _Oel | None = None
    idlh: _Idlh | None = None
    table2_quantity_t: float | None = None
    note: str = ""


class _TableRow(_Row):
    row: int
    name: str
    cas: tuple[str, ...]
    quantity_t: Annotated[float, Field(gt=0)]


class _Source(_Row):
    origin: Annotated[str, Field(alias="from")]
    confidence: str
    note: str = ""


class _File(_Row):
    sources: dict[str, _Source]
    substances: tuple[_Substance, ...]
    gb18218_table1: tuple[_TableRow, ...]


@cache
def load_catalogue() -> Catalogue:
    """Read the catalogue that is shipped with the program (once)."""
    raw = yaml.load(CATALOGUE_FILE.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    file = _File.model_validate(raw)
    table1 = tuple(CriticalQuantity(row.row, row.name, row.cas, row.quantity_t) for row in file.gb18218_table1)
    return Catalogue(
        chemicals=MappingProxyType({row.cas: _chemical(row, table1) for row in file.substances}),
        table1=table1,
        sources=MappingProxyType({k: SourceNote(s.origin, s.confidence, s.note) for k, s in file.sources.items()}),
    )


def _chemical(row: _Substance, table1: tuple[CriticalQuantity, ...]) -> Chemical:
    critical = tuple(entry for entry in table1 if row.cas in entry.cas)
    if row.table2_quantity_t is not None:
        critical = (CriticalQuantity(0, row.name.zh, (row.cas,), row.table2_quantity_t),)
    oel, idlh, beta = row.oel_mg_m3, row.idlh, row.beta
    return Chemical(
        cas=row.cas,
        name=Text(row.name.zh, row.name.en),
        un=row.un,
        critical=critical,
        beta=None if beta is None else Beta(beta.value, beta.basis),
        flammable=MappingProxyType({t: FlammableRange(*limits) for t, limits in row.flammable_vol_percent.items()}),
        oel=None if oel is None else Oel(oel.mac, oel.twa, oel.stel, oel.source),
        idlh=None if idlh is None else Idlh(idlh.ppm, idlh.basis),
        molar_mass_g_mol=row.molar_mass_g_mol,
        note=row.note,
    )
