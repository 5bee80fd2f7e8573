from __future__ import annotations

import re
from pathlib import Path

import pytest

from config.plant.document import SourceDocument, TagDocument
from config.plant.load import read_plant
from config.plant.model import Condition, Tier
from config.units import Quantity, units_of

PAGE = (Path(__file__).parents[2] / "docs" / "plant-file.md").read_text(encoding="utf-8")


def test_the_example_loads_and_means_what_the_page_says() -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    plant = read_plant(example, "docs/plant-file.md")
    level = {rule.condition: rule for rule in plant.tags["T-301.LEVEL"].conditions}
    assert level[Condition.H].limit == 11.5
    assert level[Condition.LL].tier is Tier.RED
    detector = {rule.condition: rule for rule in plant.tags["GD-202"].conditions}
    assert detector[Condition.H].on_delay_ms == 2000
    assert f"{detector[Condition.HH].limit:.3g}" == "0.678"
    assert not detector[Condition.STALE].enabled


@pytest.mark.parametrize("key", [*TagDocument.model_fields, *SourceDocument.model_fields])
def test_every_key_of_a_tag_is_explained(key: str) -> None:
    assert f"`{key}`" in PAGE


@pytest.mark.parametrize("unit", sorted({unit for quantity in Quantity for unit in units_of(quantity)}))
def test_every_unit_is_listed(unit: str) -> None:
    assert f"`{unit}`" in PAGE
