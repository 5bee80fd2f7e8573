"""The dated figures of hidden dangers: shipped ones are whole, others are refused with the place that is wrong."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
import yaml

from config.dangers import RULES_FILE, Clocked, load_danger_rules, parse_danger_rules

SHIPPED = RULES_FILE.read_text(encoding="utf-8")


def with_change(*path: str | int, value: object) -> str:
    """Return the shipped file with one thing changed."""
    found: Any = yaml.safe_load(SHIPPED)
    at = found
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return yaml.safe_dump(found)


def test_the_shipped_figures_say_where_they_are_from() -> None:
    (edition,) = load_danger_rules().editions
    assert set(edition.clocks) == set(Clocked)
    assert all(clock.source and clock.confidence and clock.holder.zh for clock in edition.clocks.values())
    assert [level.after_ms // 3_600_000 for level in edition.levels] == [0, 24, 72, 168]


def test_an_edition_holds_from_its_day_in_china_until_the_next() -> None:
    later = yaml.safe_load(SHIPPED)["editions"][0] | {"from": "2028-01-01"}
    later["extension"] = {"most": 9, "longest_hours": 1}
    rules = parse_danger_rules(yaml.safe_dump({"editions": [*yaml.safe_load(SHIPPED)["editions"], later]}))
    new_year_ms = round(datetime.fromisoformat("2028-01-01T00:00:00+08:00").timestamp() * 1000)
    assert [rules.at(at).most_extensions for at in (0, new_year_ms - 1, new_year_ms)] == [2, 2, 9]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (with_change("editions", 0, "clocks", value={}), "accept, close, grade"),
        (with_change("editions", 0, "clocks", "grade", "hours", "major", value=0), "greater than 0"),
        (with_change("editions", 0, "levels", value=[]), "at least 1"),
        (with_change("editions", 0, "levels", 0, "after_hours", value=24), "later than the one before"),
        (with_change("editions", 0, "recurring", "times", value=1), "greater than or equal to 2"),
        (with_change("editions", 0, "from", value="2021-9-1"), "match pattern"),
        (with_change("editions", 0, "surprise", value=1), "Extra inputs"),
        (with_change("editions", value=yaml.safe_load(SHIPPED)["editions"] * 2), "begins later"),
        ("editions: []", "at least 1"),
    ],
)
def test_what_is_wrong_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_danger_rules(text)
