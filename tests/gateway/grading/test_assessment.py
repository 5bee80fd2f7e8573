"""GB 18218-2018: identification and grading, its worked example, every edge, and a slow twin."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.chemicals import load_catalogue
from config.gb18218 import edition_on, load_gb18218
from gateway.errors import DeclarationError
from gateway.grading.assessment import Assessment, assess
from gateway.grading.factors import Item, Mixture, exact, factors_of

EDITION = edition_on(date(2026, 11, 27))
CATALOGUE = load_catalogue()
CHLORINE, AMMONIA, GASOLINE, LPG, METHANOL = "7782-50-5", "7664-41-7", "86290-81-5", "68476-85-7", "67-56-1"
ACETIC = Item("乙酸", "64-19-7", Fraction(1), categories=("W5.4",))


def figures(*values: object) -> tuple[object, ...]:
    """What is compared with whole numbers: equal is equal, whatever the type."""
    return values


def of(*items: tuple[str, float], people: int = 0) -> Assessment:
    return assess([Item("x", cas, exact(t)) for cas, t in items], people, EDITION, CATALOGUE)


# --- the worked example of the standards' notes ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("people", "r", "grade"),
    [(0, "7.375", 4), (1, "14.75", 3), (29, "14.75", 3), (30, "17.7", 3), (49, "17.7", 3), (50, "22.125", 3),
     (99, "22.125", 3), (100, "29.5", 3), (5000, "29.5", 3)],
)  # fmt: skip
def test_the_worked_example(people: int, r: str, grade: int) -> None:
    found = of((CHLORINE, 10), (AMMONIA, 20), (GASOLINE, 400), (LPG, 25), people=people)
    assert figures(found.s, found.r, found.grade) == (Fraction("6.5"), Fraction(r), grade)


# --- edges -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tonnes", "grade"), [((4.9999999999,), None), ((5,), 4), ((0.5,) * 10, 4), ((0.5,) * 9 + (0.49999999,), None)]
)
def test_s_of_exactly_one_counts(tonnes: tuple[float, ...], grade: int | None) -> None:
    assert of(*((CHLORINE, one) for one in tonnes)).grade == grade


def test_shares_that_no_float_holds_add_up_to_one() -> None:
    found = of(*[(LPG, 5)] * 10)
    total = 0.0
    for _ in range(10):
        total += 5 / 50
    assert total < 1, "else this proves nothing"
    assert (found.s, found.grade) == (Fraction(1), 4)


@pytest.mark.parametrize(
    ("tonnes", "grade"),
    [(9.99999999, 4), (10, 3), (49.9999999, 3), (50, 2), (99.9999999, 2), (100, 1), (1e9, 1)],
)
def test_r_of_exactly_10_50_100_falls_in_the_worse_band(tonnes: float, grade: int) -> None:
    # methanol: beta 1, Q 500; alpha 1
    assert of((METHANOL, tonnes * 500), people=1).grade == grade


@pytest.mark.parametrize(
    ("people", "alpha"),
    [(0, 0.5), (1, 1), (29, 1), (30, 1.2), (49, 1.2), (50, 1.5), (99, 1.5), (100, 2), (10**8, 2)],
)
def test_the_steps_of_alpha(people: int, alpha: float) -> None:
    assert of((CHLORINE, 5), people=people).alpha == exact(alpha)


# --- which table -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", CATALOGUE.table1, ids=lambda row: str(row.row))
def test_every_row_of_table_1_is_found_by_its_number(row: object) -> None:
    number, quantity = row.row, row.quantity_t  # type: ignore[attr-defined]
    found = factors_of(Item("x", "", Fraction(1), row=number, categories=("J5",)), EDITION, CATALOGUE)
    assert found.quantity_t == exact(quantity)
    assert f"表1第{number}项" in found.quantity_basis.zh


@pytest.mark.parametrize(
    ("cas", "beta"),
    [("630-08-0", 2), ("7446-09-5", 2), (AMMONIA, 2), ("75-21-8", 2), ("7647-01-0", 3), ("74-83-9", 3), (CHLORINE, 4),
     ("7783-06-4", 5), ("7664-39-3", 5), ("10102-44-0", 10), ("74-90-8", 10), ("75-44-5", 20), ("7803-51-2", 20),
     ("624-83-9", 20)],
)  # fmt: skip
def test_toxic_gases_have_beta_by_name_whatever_is_declared(cas: str, beta: float) -> None:
    found = factors_of(Item("x", cas, Fraction(1), categories=("J1",)), EDITION, CATALOGUE)
    assert figures(found.beta, "表3" in found.beta_basis.zh) == (beta, True)


CATEGORIES = {
    "J1": (5, 4), "J2": (50, 1), "J3": (50, 2), "J4": (50, 2), "J5": (500, 1), "W1.1": (1, 2), "W1.2": (10, 2),
    "W1.3": (50, 2), "W2": (10, 1.5), "W3": (150, 1), "W4": (50, 1), "W5.1": (10, 1.5), "W5.2": (50, 1),
    "W5.3": (1000, 1), "W5.4": (5000, 1), "W6.1": (10, 1.5), "W6.2": (50, 1), "W7.1": (10, 1.5), "W7.2": (50, 1),
    "W8": (50, 1), "W9.1": (50, 1), "W9.2": (200, 1), "W10": (200, 1), "W11": (200, 1),
}  # fmt: skip


@pytest.mark.parametrize("symbol", CATEGORIES)
def test_every_category_of_table_2(symbol: str) -> None:
    found = factors_of(replace(ACETIC, categories=(symbol,)), EDITION, CATALOGUE)
    assert figures(found.quantity_t, found.beta) == tuple(map(exact, CATEGORIES[symbol]))
    assert len(EDITION.categories) == len(CATEGORIES)


def test_of_several_categories_the_lowest_quantity_decides_and_of_equal_ones_the_higher_beta() -> None:
    lowest = factors_of(replace(ACETIC, categories=("W5.4", "J5", "W9.2")), EDITION, CATALOGUE)
    assert figures(lowest.quantity_t, lowest.beta) == (200, 1)
    for order in (("W8", "J3"), ("J3", "W8")):
        tied = factors_of(replace(ACETIC, categories=order), EDITION, CATALOGUE)
        assert figures(tied.quantity_t, tied.beta, "J3" in tied.beta_basis.zh) == (50, 2, True)


def test_a_category_does_not_change_what_table_1_says() -> None:
    found = factors_of(Item("x", METHANOL, Fraction(1), categories=("J1",)), EDITION, CATALOGUE)
    assert figures(found.quantity_t, found.beta) == (500, 4)


@pytest.mark.parametrize("name", ["甲醇", "methanol", " 甲 醇 ", "Methanol"])
def test_table_1_goes_by_name_too(name: str) -> None:
    assert factors_of(Item(name, "", Fraction(1)), EDITION, CATALOGUE).quantity_t == 500


def test_a_family_without_a_number_goes_by_name() -> None:
    found = factors_of(Item("烷基铝", "97-93-8", Fraction(1), categories=("W8",)), EDITION, CATALOGUE)
    assert figures(found.quantity_t, found.beta) == (1, 1)


def test_what_table_1_lacks_and_the_catalogue_knows() -> None:
    found = factors_of(Item("丙烯", "115-07-1", Fraction(1)), EDITION, CATALOGUE)
    assert figures(found.quantity_t, found.beta, "W2" in found.quantity_basis.zh) == (10, exact(1.5), True)


@pytest.mark.parametrize(("row", "quantity"), [(43, 5), (44, 50), (45, 200)])
def test_the_form_of_ammonium_nitrate_decides(row: int, quantity: float) -> None:
    cas = "" if row == 45 else "6484-52-2"
    found = factors_of(Item("硝酸铵", cas, Fraction(1), row=row, categories=("W9.2",)), EDITION, CATALOGUE)
    assert found.quantity_t == quantity


@pytest.mark.parametrize(
    ("item", "said"),
    [
        (Item("乙酸", "64-19-7", Fraction(1)), "item 2 .乙酸.: neither named in table 1"),
        (Item("硝酸铵", "6484-52-2", Fraction(1)), "43 硝酸铵.*44 硝酸铵"),
        (Item("硝化棉", "9004-70-0", Fraction(1)), "37 .* 42 "),
        (Item("x", METHANOL, Fraction(1), row=43), "row 43 of table 1 is 硝酸铵.*rows of it: 65"),
        (Item("x", "", Fraction(1), row=86), "rows 1 to 85"),
        (Item("x", METHANOL, Fraction(1), categories=("W12",)), "'W12' is none of table 2"),
        (Item("硝酸胍", "506-93-4", Fraction(1)), "beta goes by its hazard category"),
        (Item("甲醛水溶液", "50-00-0", Fraction(1), mixture=Mixture.OWN_CLASS), "declare its hazard categories"),
    ],
)
def test_what_cannot_be_decided_is_named_and_never_nothing(item: Item, said: str) -> None:
    with pytest.raises(DeclarationError, match=said):
        assess([Item("氯", CHLORINE, Fraction(50)), item], 0, EDITION, CATALOGUE)


def test_everything_wrong_is_said_at_once() -> None:
    with pytest.raises(DeclarationError) as caught:
        assess([Item("甲", "64-19-7", Fraction(1)), Item("乙", "", Fraction(1))], 0, EDITION, CATALOGUE)
    assert [fault[:6] for fault in caught.value.faults] == ["item 1", "item 2"]


def test_a_mixture_counts_as_the_pure_substance_or_by_its_own_categories() -> None:
    pure = Item("甲醛溶液", "50-00-0", Fraction(50))
    same = replace(pure, mixture=Mixture.SAME_CLASS)
    own = replace(pure, mixture=Mixture.OWN_CLASS, categories=("J5",))
    grades = [assess([one], 1, EDITION, CATALOGUE) for one in (pure, same, own)]
    assert [one.s for one in grades] == [10, 10, Fraction("0.1")]
    assert [one.grade for one in grades] == [3, 3, None]


# --- why -------------------------------------------------------------------------------------------------------------


def test_why_names_every_figure_with_its_source() -> None:
    why = of((CHLORINE, 10), (METHANOL, 1000), people=60).why
    zh, en = "\n".join(one.zh for one in why), "\n".join(one.en for one in why)
    for said in ("q = 10 t", "Q = 5 t", "表1第12项", "β = 4", "表3「氯」", "可信度", "S = Σ q/Q = 4", "60 人",
                 "50 人及以上", "R = α·Σ β·q/Q = 15", "10 ≤ R < 50", "三级"):  # fmt: skip
        assert said in zh
    for said in ("table 1 row 65", "confidence V", "alpha = 1.5", "60 people", "10 <= R < 50: grade 3"):
        assert said in en
    assert len(why) == 2 + 3


def test_below_one_there_is_no_grade_and_no_r_to_read() -> None:
    why = of((CHLORINE, 1), people=60).why
    assert "< 1：未构成重大危险源" in why[-1].zh
    assert not any("R =" in one.zh for one in why)


# --- the twin --------------------------------------------------------------------------------------------------------

NAIVE = {
    CHLORINE: ("5", "4"),
    AMMONIA: ("10", "2"),
    METHANOL: ("500", "1"),
    LPG: ("50", "1.5"),
    "75-44-5": ("0.3", "20"),
}


def naive(items: list[tuple[str, int]], people: int) -> tuple[bool, str]:
    """By hand: whole grams over a common denominator, so that nothing is rounded."""
    s = r = Decimal(0)
    for cas, thousandths in items:
        quantity, beta = map(Decimal, NAIVE[cas])
        share = Decimal(thousandths) / 1000 * (Decimal(30_000) / quantity)  # 30 000 is divisible by every Q
        s += share
        r += beta * share
    alpha = Decimal("0.5")
    for step, value in ((1, "1"), (30, "1.2"), (50, "1.5"), (100, "2")):
        if people >= step:
            alpha = Decimal(value)
    r *= alpha
    if s < 30_000:
        return False, "none"
    for edge, grade in ((100, "1"), (50, "2"), (10, "3")):
        if r >= edge * 30_000:
            return True, grade
    return True, "4"


ITEMS = st.lists(
    st.tuples(st.sampled_from(sorted(NAIVE)), st.integers(1, 10**7) | st.sampled_from([5000, 10_000, 500_000])),
    min_size=1, max_size=8,
)  # fmt: skip
PEOPLE = st.one_of(st.integers(0, 120), st.integers(0, 10**6))


def graded(items: list[tuple[str, int]], people: int) -> Assessment:
    made = [Item("x", cas, Fraction(thousandths, 1000)) for cas, thousandths in items]
    return assess(made, people, EDITION, CATALOGUE)


@given(ITEMS, PEOPLE)
def test_the_slow_twin_says_the_same(items: list[tuple[str, int]], people: int) -> None:
    found = graded(items, people)
    assert (found.s >= 1, "none" if found.grade is None else str(found.grade)) == naive(items, people)


@given(ITEMS, PEOPLE, st.randoms(use_true_random=False))
def test_the_order_does_not_matter(items: list[tuple[str, int]], people: int, order: object) -> None:
    mixed = items.copy()
    order.shuffle(mixed)  # type: ignore[attr-defined]
    one, other = graded(items, people), graded(mixed, people)
    assert (one.s, one.r, one.grade) == (other.s, other.r, other.grade)


@given(ITEMS, PEOPLE, st.integers(1, 50))
def test_so_many_times_as_much_is_so_many_times_s_and_r(items: list[tuple[str, int]], people: int, times: int) -> None:
    one, more = graded(items, people), graded([(cas, times * t) for cas, t in items], people)
    assert (more.s, more.r) == (times * one.s, times * one.r)


@given(ITEMS, PEOPLE, ITEMS, st.integers(0, 200))
def test_more_of_anything_never_makes_it_milder(
    items: list[tuple[str, int]], people: int, more: list[tuple[str, int]], arrived: int
) -> None:
    one, other = graded(items, people), graded(items + more, people + arrived)
    assert (other.grade or 9) <= (one.grade or 9) or other.grade == one.grade
    assert (other.s, other.r) > (one.s, Fraction(0))


def test_one_exactly_is_called_what_it_is() -> None:
    assert "= 1 ≥ 1：构成重大危险源" in of((CHLORINE, 5)).why[1].zh


def test_the_edition_holds_from_its_day_on() -> None:
    assert edition_on(date(2019, 3, 1)).standard == "GB 18218-2018"
    assert [one.in_force for one in load_gb18218().editions] == [date(2019, 3, 1)]
