"""LEC and LS: only the steps of the tables, every edge, no gap; the figures are read strictly."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import pytest
from pydantic import ValidationError

from config.risks import RULES_FILE, Colour, Method, load_risk_rules, parse_risk_rules
from gateway.errors import BadRequestError
from gateway.risks.grading import band_of, grade

EDITION = load_risk_rules().at(1_800_000_000_000)
LEC, LS = EDITION.scales[Method.LEC], EDITION.scales[Method.LS]


@pytest.mark.parametrize(
    ("score", "colour", "name"),
    [("320.01", "red", "stop"), ("320", "orange", "act at once"), ("160", "orange", "act at once"),
     ("159.99", "yellow", "act"), ("70", "yellow", "act"), ("69.99", "blue", "attention"),
     ("20", "blue", "attention"), ("19.99", "blue", "acceptable"), ("0.01", "blue", "acceptable")],
)  # fmt: skip
def test_the_edges_of_lec(score: str, colour: str, name: str) -> None:
    band = band_of(Fraction(score), LEC)
    assert (band.colour.value, band.name.en) == (colour, name)


def test_every_product_of_ls_has_its_colour() -> None:
    found: dict[int, str] = {}
    for likelihood, severity in product(range(1, 6), repeat=2):
        graded = grade(Method.LS, {"likelihood": likelihood, "severity": severity}, EDITION)
        found[round(graded.score)] = graded.colour.value
    blue = dict.fromkeys((1, 2, 3, 4, 5, 6, 8), "blue")
    yellow = dict.fromkeys((9, 10, 12), "yellow")
    assert found == blue | yellow | {15: "orange", 16: "orange", 20: "red", 25: "red"}


def test_the_steps_of_lec_are_those_of_the_table() -> None:
    assert {name: [float(step.value) for step in steps] for name, steps in LEC.factors.items()} == {
        "likelihood": [10, 6, 3, 1, 0.5, 0.2, 0.1],
        "exposure": [10, 6, 3, 2, 1, 0.5],
        "consequence": [100, 40, 15, 7, 3, 1],
    }
    assert grade(Method.LEC, {"likelihood": 0.1, "exposure": 2, "consequence": 100}, EDITION).score == 20
    assert grade(Method.LEC, {"likelihood": 0.2, "exposure": 0.5, "consequence": 7}, EDITION).score == 0.7


@pytest.mark.parametrize(
    ("factors", "said"),
    [
        ({"likelihood": 4, "exposure": 1, "consequence": 1}, "likelihood: found 4"),
        ({"likelihood": 1, "exposure": 1}, "consequence: found None"),
        ({"likelihood": 1, "exposure": 1, "consequence": 1, "severity": 1}, "severity"),
        ({"likelihood": float("nan"), "exposure": 1, "consequence": 1}, "likelihood"),
    ],
)
def test_what_is_no_step_is_refused(factors: dict[str, float], said: str) -> None:
    with pytest.raises(BadRequestError, match=said):
        grade(Method.LEC, factors, EDITION)


@pytest.mark.parametrize(
    ("old", "new"),
    [("{from: 160, colour: orange", "{from: 400, colour: orange"),
     ("{from: 160, colour: orange", "{from: 160, colour: blue"),
     ("every_years: 3", "every_years: 0"), ("value: 0.5, zh: 很", "value: .nan, zh: 很"), ("ahead_minutes", "ahead"),
     ("{from: 70,", "{from: 70, above: 60,"), ("alarm.1: 3", "alarm.1: 9")],
)  # fmt: skip
def test_a_file_that_is_wrong_is_refused(old: str, new: str) -> None:
    text = RULES_FILE.read_text(encoding="utf-8")
    assert old in text
    with pytest.raises(ValidationError):
        parse_risk_rules(text.replace(old, new, 1))


def test_colours_are_lifted_no_higher_than_red() -> None:
    assert [Colour.YELLOW.lifted(steps).value for steps in range(4)] == ["yellow", "orange", "red", "red"]
