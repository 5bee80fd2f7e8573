"""What a figure means never changes silently."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from config.plant.model import Text
from gateway.kpi.definitions import DEFINITIONS, Bound, Definition, definitions_digest, seal
from gateway.kpi.figures import FIGURES
from gateway.kpi.page import BEGIN, END, definitions_page

PAGE = Path(__file__).parents[3] / "docs" / "kpi.md"

FROZEN = {
    ("annunciated", 1): "aadfd501abadca1c",
    ("per_10_min", 1): "713efaf1459579d5",
    ("per_hour", 1): "30155036abdf2dc8",
    ("per_day", 1): "4ac098a6dc84be1f",
    ("max_per_10_min", 1): "077759d27084f00d",
    ("windows_above_10", 1): "6f009e1b245be5aa",
    ("flood_time", 1): "f711853b6c3b3adb",
    ("floods", 1): "8a7ed6e89d1654af",
    ("top_10_share", 1): "e6889bb67bffe2ca",
    ("chattering", 1): "e0e1d7bb72aead86",
    ("fleeting", 1): "c2645138e23d17d5",
    ("standing_24h", 1): "dfa829f8aba1dba9",
    ("priority_red", 1): "7afce89a218b7e0b",
    ("priority_orange", 1): "1f4fdc84f6a55e47",
    ("priority_yellow", 1): "74b23d9287e3b8ae",
    ("priority_blue", 1): "9424f0fa89187d9c",
    ("shelved", 1): "cd143c7092eff586",
    ("suppressed", 1): "de84d4816ddc8e15",
    ("out_of_service", 1): "44e37ef80e7f0c2c",
    ("retrospective", 1): "612990648c9fc1ca",
    ("acknowledge_red", 1): "6a39c723624cefba",
    ("acknowledge_orange", 1): "c41f70e12631139c",
    ("acknowledge_yellow", 1): "6823015d7c2de8bd",
    ("acknowledge_blue", 1): "05fb8ca507d76e54",
    ("acknowledged_in_time", 1): "62b844b23a2592a9",
    ("disposal_rate", 1): "cc57ed35cb3a5889",
    ("disposal_in_time", 1): "abfba13a96032c09",
    ("valid_rate", 1): "af6f83428d1ad39a",
    ("online_rate", 1): "f50c15844594975b",
}
"""(id, version) -> seal. Lines are only ever added: a definition that changes gets a new version, and a new line."""


def test_no_definition_has_changed_without_a_new_version() -> None:
    changed = [one.id for one in DEFINITIONS.values() if FROZEN.get((one.id, one.version)) != seal(one)]
    assert changed == [], "give each a new version and valid_from, and add its seal here"


@pytest.mark.parametrize(
    "changed",
    [
        {"formula": Text("别的", "something else")},
        {"target": Bound("<", 0.02)},
        {"unit": "minutes"},
        {"version": 2},
        {"valid_from": "2027-01-01"},
    ],
    ids=str,
)
def test_any_change_of_a_definition_shows(changed: dict[str, object]) -> None:
    before = DEFINITIONS["flood_time"]
    after: Definition = replace(before, **changed)  # type: ignore[arg-type]  # fields of several types
    assert seal(after) != seal(before)


def test_every_kpi_has_a_way_to_be_made_and_words_in_both_languages() -> None:
    assert set(FIGURES) == set(DEFINITIONS)
    for one in DEFINITIONS.values():
        assert all((one.name.zh, one.name.en, one.formula.zh, one.formula.en, one.source)), one.id
        assert one.name.zh != one.name.en
    assert len(definitions_digest()) == 16


def test_the_page_says_what_the_code_says() -> None:
    page = PAGE.read_text(encoding="utf-8")
    told = page[page.index(BEGIN) + len(BEGIN) : page.index(END)]
    assert told == definitions_page(), "put the output of gateway.kpi.page.definitions_page() between the two marks"
