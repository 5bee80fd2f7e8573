"""Load a plant file: everything wrong in it is reported at once, each with file, line, key, found and allowed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import msgspec

from config.chemicals import load_chemicals
from config.errors import PlantError, Problem
from config.plant.build import build_plant
from config.plant.checks import References
from config.plant.findings import Findings, read_document
from config.plant.model import Plant
from config.plant.yaml_lines import read_yaml

__all__ = ["DEMO_PLANT", "load_plant", "plant_content", "plant_digest", "read_plant"]

DEMO_PLANT = Path(__file__).parent.parent / "plants" / "demo.yaml"
"""The plant of `hazgate demo`: one enterprise, three hazard units, 12 tanks, 40 gas detectors, 6 trucks."""


def load_plant(path: Path) -> Plant:
    """Load the plant that a YAML file describes.

    Raises:
        PlantError: With every problem found.
    """
    file = str(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        reason = error.strerror or str(error)
        raise PlantError((Problem(file, 0, "(file)", reason, "a readable YAML file"),)) from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        found = f"the byte 0x{error.object[error.start]:02x} is not UTF-8"
        raise PlantError((Problem(file, line, "(syntax)", found, "text saved as UTF-8"),)) from None
    return read_plant(text, file)


def read_plant(text: str, file: str) -> Plant:
    """Read a plant from the text of a plant file.

    Args:
        text: YAML.
        file: Name used in problems.

    Raises:
        PlantError: With every problem found.
    """
    lined = read_yaml(text, file)
    findings = Findings(file, lined)
    if lined.value is None and lined.problems:
        raise PlantError(findings.problems)
    document = read_document(lined, findings)
    if document is None:
        raise PlantError(findings.problems)
    plant = build_plant(document, References.of(lined.value, load_chemicals(), findings))
    if findings.problems:
        raise PlantError(findings.problems)
    return replace(plant, digest=plant_digest(plant))


def plant_content(plant: Plant) -> dict[str, Any]:
    """Return the plant as plain JSON values (NaN as null), all but its digest."""
    content = {part.name: getattr(plant, part.name) for part in fields(plant) if part.name != "digest"}
    content = {name: dict(part) if isinstance(part, Mapping) else part for name, part in content.items()}
    content["reference_air"] = plant.reference_air.name.lower()
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(content))
    return plain


def plant_digest(plant: Plant) -> str:
    """Return the SHA-256 of a plant's content: what it means, not how it was written.

    The order of tags counts (it is their order in every array), comments and templates do not.
    """
    return hashlib.sha256(msgspec.json.encode(plant_content(plant))).hexdigest()
