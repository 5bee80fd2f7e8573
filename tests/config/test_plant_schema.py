from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from config.plant.document import plant_schema
from config.plant.load import DEMO_PLANT
from config.plant.yaml_lines import Value, read_yaml
from tests.support.plants import MINI_PLANT

COMMITTED = Path(__file__).parents[2] / "docs" / "plant.schema.json"
VALIDATOR = jsonschema.Draft202012Validator(plant_schema())


def test_the_committed_schema_is_fresh() -> None:
    assert json.loads(COMMITTED.read_text(encoding="utf-8")) == plant_schema(), (
        "run: hazgate config schema > docs/plant.schema.json"
    )


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(plant_schema())


@pytest.mark.parametrize("text", [MINI_PLANT, DEMO_PLANT.read_text(encoding="utf-8")])
def test_good_files_satisfy_the_schema(text: str) -> None:
    VALIDATOR.validate(read_yaml(text, "f").value)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("period:", "perod:"),
        ("quantity: level", "quantity: levle"),
        ("period: 1s", "period: 1"),
        ("STALE: {tier: yellow}", "STALE: {tier: pink}"),
        ("H: {limit: 8,", "H: {limit: x,"),
        ("range: [0, 10]", "range: [0]"),
        ("version: 1", "version: 2"),
    ],
)
def test_wrong_files_do_not(old: str, new: str) -> None:
    with pytest.raises(jsonschema.ValidationError):
        VALIDATOR.validate(read_yaml(MINI_PLANT.replace(old, new, 1), "f").value)


@pytest.mark.parametrize("short", ["H: 8", "H: false", "H: true", "H: {limit: 8, tier: 2}", "H: null"])
def test_short_forms_of_limits_satisfy_the_schema(short: str) -> None:
    document: dict[str, Value] = yaml.safe_load(f"tags: {{X: {{limits: {{{short}}}}}}}")
    errors = [error for error in VALIDATOR.iter_errors(document) if "tags" in error.path]
    assert errors == []
