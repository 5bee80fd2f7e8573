from __future__ import annotations

from datetime import date
from fractions import Fraction
from pathlib import Path

import pytest
from pydantic import ValidationError

from config import gb18218
from config.gb18218 import edition_on, load_gb18218

TEXT = gb18218._FILE.read_text(encoding="utf-8")
TODAY = date(2026, 11, 27)


def test_alpha_and_bands_are_those_of_the_standard() -> None:
    edition = edition_on(TODAY)
    assert [(one.from_people, one.alpha) for one in edition.alpha] == [
        (0, Fraction(1, 2)), (1, Fraction(1)), (30, Fraction(6, 5)), (50, Fraction(3, 2)), (100, Fraction(2)),
    ]  # fmt: skip
    assert [(one.grade, one.from_r) for one in edition.bands] == [
        (4, Fraction(0)), (3, Fraction(10)), (2, Fraction(50)), (1, Fraction(100)),
    ]  # fmt: skip


def test_every_table_says_where_it_is_from() -> None:
    sources = edition_on(TODAY).sources
    assert set(sources) == {"table_2", "table_3", "table_4", "alpha", "bands", "rules"}
    assert all(one.origin and one.confidence for one in sources.values())
    assert load_gb18218().operational_on(TODAY).source.confidence == "D"


def test_a_later_edition_holds_from_its_day_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    head, body = TEXT.split("editions:\n")
    edition, rest = body.split("\n# The operational")
    later = edition.replace("GB 18218-2018\n", "GB 18218-2030\n", 1).replace("2019-03-01", "2030-01-01", 1)
    file = tmp_path / "later.yaml"
    file.write_text(f"{head}editions:\n{later}\n{edition}\n# The operational{rest}", encoding="utf-8")
    monkeypatch.setattr(gb18218, "_FILE", file)
    load_gb18218.cache_clear()
    try:
        found = [edition_on(day).standard for day in (date(2000, 1, 1), date(2029, 12, 31), date(2030, 1, 1))]
    finally:
        load_gb18218.cache_clear()
    assert found == ["GB 18218-2018", "GB 18218-2018", "GB 18218-2030"]


@pytest.mark.parametrize(
    ("found", "instead", "said"),
    [
        ("{from_people: 0, alpha: 0.5}", "{from_people: 1, alpha: 0.5}", "alpha must begin at 0 and rise"),
        ("{grade: 3, from_r: 10}", "{grade: 3, from_r: 60}", "bands must begin at 0 and rise"),
        ("cas: 7782-50-5", "cas: 7782-50-4", "not a CAS number"),
        ("quantity_t: 5, beta: 4", "quantity_t: 0, beta: 4", "greater than 0"),
        ("deadband_percent: 2", "deadband_percent: 100", "less than 100"),
        ("deadband_percent: 2", "deadband: 2", "deadband"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused(
    found: str, instead: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert found in TEXT
    file = tmp_path / "wrong.yaml"
    file.write_text(TEXT.replace(found, instead, 1), encoding="utf-8")
    monkeypatch.setattr(gb18218, "_FILE", file)
    load_gb18218.cache_clear()
    try:
        with pytest.raises(ValidationError, match=said):
            load_gb18218()
    finally:
        load_gb18218.cache_clear()
