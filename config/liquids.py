"""Densities of liquids that fill tanks, with where they come from; for masses from levels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field

from config.chemicals import SourceNote

__all__ = ["Liquid", "load_liquids"]

_FILE = Path(__file__).with_name("liquids.yaml")


@dataclass(frozen=True, slots=True)
class Liquid:
    """A liquid: its density at a temperature, and how it changes."""

    cas: str
    density_kg_m3: float
    at_c: float
    expansion_per_k: float
    source: SourceNote


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class _Source(_Row):
    origin: Annotated[str, Field(alias="from")]
    confidence: str
    note: str = ""


class _Liquid(_Row):
    cas: str
    density_kg_m3: Annotated[float, Field(gt=0)]
    at_c: float
    expansion_per_k: Annotated[float, Field(ge=0, le=0.01)]
    source: str


class _File(_Row):
    sources: dict[str, _Source]
    liquids: tuple[_Liquid, ...]


@cache
def load_liquids() -> Mapping[str, Liquid]:
    """Read the liquids that are shipped with the program (once), by CAS number."""
    file = _File.model_validate(yaml.load(_FILE.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader))
    notes = {name: SourceNote(one.origin, one.confidence, one.note) for name, one in file.sources.items()}
    return MappingProxyType(
        {
            one.cas: Liquid(one.cas, one.density_kg_m3, one.at_c, one.expansion_per_k, notes[one.source])
            for one in file.liquids
        }
    )
