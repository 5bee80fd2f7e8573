"""A record speaks before the plant file, also when it says that something is gone or somebody else's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.access.roles import Scope
from gateway.commands import By
from gateway.errors import BadRequestError
from gateway.registry.store import Draft, Registry
from gateway.registry.where import Spot, Where
from tests.gateway.api.world import SetClock, World, make_world

ANN = By("ann")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    yield from make_world(tmp_path)


def of(world: World, *drafts: Draft) -> Where:
    registry = Registry(world.desk, world.reader, SetClock())
    registry.write(drafts, ANN, "test")
    return Where(registry, world.plant)


def test_the_plant_file_speaks_for_what_no_record_knows(world: World) -> None:
    enterprise = world.plant.enterprise.id
    spot = of(world).spot(Spot(tag="T-1.LEVEL"), Scope(frozenset({enterprise})))
    assert (spot.hazard_unit, spot.enterprise) == ("meoh", enterprise)


@pytest.mark.parametrize("gone", [True, False])
def test_what_went_to_somebody_else_or_is_gone_is_not_there(world: World, gone: bool) -> None:  # noqa: FBT001
    sold = {"id": "meoh", "name_zh": "甲醇罐区", "enterprise": "bravo"}
    where = of(world, Draft("hazard-unit", sold))
    if gone:
        where = of(world, Draft("hazard-unit", sold, gone=True))
    with pytest.raises(BadRequestError, match="there is no hazard-unit 'meoh'"):
        where.spot(Spot(hazard_unit="meoh"), Scope(frozenset({world.plant.enterprise.id})))
