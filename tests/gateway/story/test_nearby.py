"""What is nearest, of what may be seen, as it is now."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.clock import SystemClock
from config.settings import RecordsAddress
from gateway.access.roles import Scope
from gateway.commands import By
from gateway.records.database import open_desk, open_reader, open_writer
from gateway.registry.store import Draft, Registry
from gateway.story.nearby import Nearby, distances_m
from tests.support.town import write

HERE = (36.85, 118.05)


@pytest.fixture
def stores(tmp_path: Path, records_address: RecordsAddress | None) -> Iterator[tuple[Registry, Nearby]]:
    open_writer(tmp_path, records_address).dispose()
    desk, reader = open_desk(tmp_path, records_address), open_reader(tmp_path, records_address)
    yield Registry(desk, reader, SystemClock()), Nearby(reader)
    desk.dispose()
    reader.dispose()


def _team(name: str, north_deg: float, **more: str) -> tuple[str, dict[str, object]]:
    place = {"latitude_deg": HERE[0] + north_deg, "longitude_deg": HERE[1]}
    return "resource", {"id": name, "name_zh": name, "sort": "team", **place, **more}


def test_the_nearest_come_first_and_what_changes_is_seen_at_once(stores: tuple[Registry, Nearby]) -> None:
    registry, nearby = stores
    assert nearby.nearest(Scope(), HERE, 50_000, 10) == {}
    write(registry, _team("b", 0.02), _team("a", 0.01), _team("far", 2.0))
    found = nearby.nearest(Scope(), HERE, 50_000, 10)
    assert list(found) == ["a", "b"]
    assert found["a"] == pytest.approx(1_112, rel=0.01)
    assert list(nearby.nearest(Scope(), HERE, 50_000, 1)) == ["a"]
    write(registry, _team("b", 0.005))
    assert list(nearby.nearest(Scope(), HERE, 50_000, 10)) == ["b", "a"]
    registry.write([Draft("resource", {"id": "a"}, gone=True)], By("test"), "test")
    assert list(nearby.nearest(Scope(), HERE, 50_000, 10)) == ["b"]


def test_what_is_hidden_is_not_near(stores: tuple[Registry, Nearby]) -> None:
    registry, nearby = stores
    write(
        registry,
        ("enterprise", {"id": "e1", "name_zh": "甲"}),
        _team("everybody", 0.03),
        _team("mine", 0.02, enterprise="e1", district="d1"),
        _team("theirs", 0.01, enterprise="e2", district="d2"),
    )
    cases = {
        Scope(): ["theirs", "mine", "everybody"],
        Scope(enterprises=frozenset({"e1"})): ["mine", "everybody"],
        Scope(districts=frozenset({"d2"})): ["theirs", "everybody"],
        Scope(districts=frozenset({"d0"}), below=frozenset({"d1"})): ["mine", "everybody"],
    }
    for scope, expected in cases.items():
        assert list(nearby.nearest(scope, HERE, 50_000, 10)) == expected
    assert list(nearby.nearest(Scope(enterprises=frozenset({"e1"})), HERE, 50_000, 1)) == ["mine"]


_LATITUDE, _LONGITUDE = st.floats(-90, 90), st.floats(-180, 180)


@given(_LATITUDE, _LONGITUDE, _LATITUDE, _LONGITUDE)
def test_the_distance_is_that_on_a_sphere(lat: float, lon: float, to_lat: float, to_lon: float) -> None:
    (away_m,) = distances_m((lat, lon), np.array([to_lat]), np.array([to_lon]))
    a, b = ((math.radians(x), math.radians(y)) for x, y in ((lat, lon), (to_lat, to_lon)))
    vectors = [(math.cos(x) * math.cos(y), math.cos(x) * math.sin(y), math.sin(x)) for x, y in (a, b)]
    chord = math.dist(*vectors)
    assert away_m == pytest.approx(2 * 6_371_008.8 * math.asin(min(1.0, chord / 2)), abs=1.0)
