"""The page on reliability names tests that exist, and every row of the matrix."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")


def test_every_test_it_names_exists() -> None:
    named = set(re.findall(r"`(tests/[\w/]+\.py)`", PAGE))
    assert len(named) > 20
    assert [name for name in sorted(named) if not (ROOT / name).is_file()] == []


def test_every_row_of_the_matrix_is_there() -> None:
    rows = [
        int(number) for first in re.findall(r"^\| ([\d, ]+) \|", PAGE, re.MULTILINE) for number in first.split(", ")
    ]
    assert rows == list(range(1, 38))
