"""Q and beta of a substance by GB 18218: which table, which row, and why. Arithmetic on what is declared; no I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from config.chemicals import Catalogue, Chemical, CriticalQuantity
from config.gb18218 import Edition
from config.plant.model import Text
from gateway.errors import DeclarationError

__all__ = ["Factors", "Item", "Mixture", "exact", "factors_of"]


class Mixture(StrEnum):
    """What a mixture counts as (GB 18218-2018, 4.2.3)."""

    PURE = "pure"
    """It is none."""
    SAME_CLASS = "same_class"
    """Of the same hazard class as the pure substance: counts as the pure substance, the whole of it."""
    OWN_CLASS = "own_class"
    """Of another one: goes by its own categories."""


@dataclass(frozen=True, slots=True)
class Item:
    """A substance of a unit, as declared."""

    name: str
    cas: str
    """Empty: none is known."""
    quantity_t: Fraction
    """Design maximum."""
    row: int = 0
    """Of table 1, where its form decides between several; 0: not said."""
    categories: tuple[str, ...] = ()
    """Symbols of table 2."""
    mixture: Mixture = Mixture.PURE
    vessel: str = ""
    """Where it is; empty: not said."""


@dataclass(frozen=True, slots=True)
class Factors:
    """What a substance is weighed by."""

    quantity_t: Fraction
    """Q: the critical quantity."""
    beta: Fraction
    quantity_basis: Text
    beta_basis: Text


def exact(figure: float) -> Fraction:
    """Return a figure as it was written: 0.1 is one tenth."""
    return Fraction(str(figure))


def factors_of(item: Item, edition: Edition, catalogue: Catalogue) -> Factors:
    """Look up Q (table 1 by name or CAS, else table 2: the lowest of its categories) and beta (table 3, else table 4).

    Raises:
        DeclarationError: What is declared does not decide it; says what is missing.
    """
    unknown = [symbol for symbol in item.categories if symbol not in edition.categories]
    if unknown:
        known = ", ".join(edition.categories)
        raise DeclarationError([f"category {unknown[0]!r} is none of table 2 of {edition.standard}: {known}"])
    row = None if item.mixture is Mixture.OWN_CLASS else _row(item, catalogue)
    if row is not None:
        return _by_table_1(item, row, edition, catalogue)
    if item.categories:
        return _by_table_2(item, edition)
    chemical = catalogue.chemicals.get(item.cas)
    if item.mixture is not Mixture.OWN_CLASS and chemical is not None and chemical.critical and chemical.beta:
        return _by_catalogue(chemical, edition, catalogue)
    raise DeclarationError(
        ["neither named in table 1 nor of a declared category of table 2: declare its hazard categories"]
        if item.mixture is not Mixture.OWN_CLASS
        else ["a mixture of its own class: declare its hazard categories"]
    )


def _row(item: Item, catalogue: Catalogue) -> CriticalQuantity | None:
    """Return the row of table 1 that names a substance."""
    by_cas = [row for row in catalogue.table1 if item.cas and item.cas in row.cas]
    found = by_cas or [row for row in catalogue.table1 if _plain(item.name) in _names(row, catalogue)]
    if item.row:
        return _said(item, found, catalogue)
    if len(found) > 1:
        rows = " | ".join(f"{row.row} {row.name} {row.quantity_t:g} t" for row in found)
        raise DeclarationError([f"its form decides the critical quantity: declare the row of table 1: {rows}"])
    return found[0] if found else None


def _said(item: Item, found: list[CriticalQuantity], catalogue: Catalogue) -> CriticalQuantity:
    said = next((row for row in catalogue.table1 if row.row == item.row), None)
    if said is None:
        raise DeclarationError([f"table 1 has rows 1 to {len(catalogue.table1)}, none is {item.row}"])
    if item.cas and said.cas and item.cas not in said.cas:
        allowed = ", ".join(str(row.row) for row in found) or "none"
        raise DeclarationError([f"row {said.row} of table 1 is {said.name}, not {item.cas}; rows of it: {allowed}"])
    return said


def _by_table_1(item: Item, row: CriticalQuantity, edition: Edition, catalogue: Catalogue) -> Factors:
    note = catalogue.sources["quantity_t"]
    basis = Text(
        f"表1第{row.row}项「{row.name}」（{note.origin}，可信度 {note.confidence}）",
        f"table 1 row {row.row} ({note.origin}, confidence {note.confidence})",
    )
    beta, beta_basis = _beta_by_name(item, row, edition, catalogue)
    return Factors(exact(row.quantity_t), beta, basis, beta_basis)


def _beta_by_name(item: Item, row: CriticalQuantity, edition: Edition, catalogue: Catalogue) -> tuple[Fraction, Text]:
    """Return beta of what table 1 names: table 3, else table 4 by its category."""
    numbers = dict.fromkeys((item.cas, *row.cas))
    for cas in numbers:
        gas = edition.toxic_gases.get(cas)
        if gas is not None:
            note = edition.sources["table_3"]
            return gas.beta, Text(
                f"表3「{gas.name.zh}」（可信度 {note.confidence}）",
                f"table 3: {gas.name.en} (confidence {note.confidence})",
            )
    if item.categories:
        category = max((edition.categories[one] for one in item.categories), key=lambda one: one.beta)
        return category.beta, _table_4(category.symbol, edition)
    for cas in numbers:
        chemical = catalogue.chemicals.get(cas)
        if chemical is not None and chemical.beta is not None:
            return exact(chemical.beta.value), _inferred(chemical.beta.basis, catalogue)
    raise DeclarationError([f"row {row.row} of table 1; beta goes by its hazard category: declare its categories"])


def _by_table_2(item: Item, edition: Edition) -> Factors:
    """Take the lowest Q of its categories; of equal ones the one with the highest beta."""
    decides = min((edition.categories[one] for one in item.categories), key=lambda one: (one.quantity_t, -one.beta))
    note = edition.sources["table_2"]
    basis = Text(
        f"表2 {decides.symbol}「{decides.name.zh}」（可信度 {note.confidence}）",
        f"table 2 {decides.symbol}: {decides.name.en} (confidence {note.confidence})",
    )
    return Factors(decides.quantity_t, decides.beta, basis, _table_4(decides.symbol, edition))


def _by_catalogue(chemical: Chemical, edition: Edition, catalogue: Catalogue) -> Factors:
    """Take what the catalogue says of a substance that table 1 does not name."""
    decides = chemical.critical[0]
    if chemical.beta is None:
        raise DeclarationError(["beta goes by its hazard category: declare its categories"])
    symbol = chemical.beta.basis.removeprefix("inferred ")
    note = edition.sources["table_2"]
    basis = Text(
        f"表2 {symbol}（按物质目录推定，可信度 I；表2可信度 {note.confidence}）",
        f"table 2 {symbol} (inferred by the catalogue, confidence I; table 2 {note.confidence})",
    )
    return Factors(
        exact(decides.quantity_t), exact(chemical.beta.value), basis, _inferred(chemical.beta.basis, catalogue)
    )


def _table_4(symbol: str, edition: Edition) -> Text:
    note = edition.sources["table_4"]
    return Text(f"表4 {symbol}（可信度 {note.confidence}）", f"table 4 {symbol} (confidence {note.confidence})")


def _inferred(basis: str, catalogue: Catalogue) -> Text:
    symbol, note = basis.removeprefix("inferred "), catalogue.sources["beta"]
    return Text(
        f"表4 {symbol}（由危险性类别推定，可信度 I，以许可文件为准；目录：{note.confidence}）",
        f"table 4 {symbol} (inferred from its category, confidence I, to be confirmed; catalogue: {note.confidence})",
    )


def _names(row: CriticalQuantity, catalogue: Catalogue) -> set[str]:
    """Return what a row of table 1 is called: as printed, and without what is in brackets behind."""
    known = [catalogue.chemicals[cas].name for cas in row.cas if cas in catalogue.chemicals]
    names = [row.name, *(text for name in known for text in (name.zh, name.en))]
    return {_plain(form) for name in names for form in (name, re.sub(r"[（(].*", "", name))} - {""}


def _plain(name: str) -> str:
    return re.sub(r"\s+", "", name.replace("（", "(").replace("）", ")")).casefold()
