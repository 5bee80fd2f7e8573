"""Rows of tags."""

from __future__ import annotations

from dataclasses import replace

from gateway.tags import Rows, assign_rows
from tests.support.plants import mini_plant

PLANT = mini_plant()
NAMES = tuple(PLANT.tags)


def test_known_tags_keep_their_rows_and_new_ones_come_behind() -> None:
    assert assign_rows((), PLANT) == NAMES
    assert assign_rows(NAMES, PLANT) == NAMES
    assert assign_rows(("OLD", "GD-1"), PLANT) == ("OLD", "GD-1", *(name for name in NAMES if name != "GD-1"))


def test_a_tag_is_found_on_its_own_edge_only() -> None:
    rows = Rows(NAMES, PLANT)
    assert rows.find("edge-a", ["T-1.LEVEL", "PLAIN.PRESS", "NOBODY"]) == [0, -1, -1]
    assert rows.find("edge-b", ["T-1.LEVEL", "PLAIN.PRESS"]) == [-1, NAMES.index("PLAIN.PRESS")]
    assert rows.why_not("PLAIN.PRESS") == "foreign_tag"
    assert rows.why_not("NOBODY") == "unknown_tag"


def test_a_tag_that_left_the_plant_is_unknown_and_its_row_stays_empty() -> None:
    without = replace(PLANT, tags={name: tag for name, tag in PLANT.tags.items() if name != "T-1.LEVEL"})
    rows = Rows(assign_rows(NAMES, without), without)
    assert rows.names == NAMES
    assert rows.find("edge-a", ["T-1.LEVEL", "T-1.TEMP"]) == [-1, 1]
    assert rows.why_not("T-1.LEVEL") == "unknown_tag"


def test_only_direct_edges_take_points() -> None:
    rows = Rows(NAMES, PLANT)
    assert rows.takes_points("edge-b")
    assert not rows.takes_points("edge-a")
    assert not rows.takes_points("nobody")
    assert rows.knows_edge("edge-a")
    assert not rows.knows_edge("nobody")
