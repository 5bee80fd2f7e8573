"""What the fields of records may hold."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from config.chemicals import is_cas

__all__ = [
    "Cas",
    "Code",
    "Day",
    "Item",
    "Latitude",
    "Longitude",
    "Named",
    "Record",
    "Ref",
    "Title",
    "Tonnes",
    "Uscc",
    "Words",
    "is_uscc",
]

_USCC = "0123456789ABCDEFGHJKLMNPQRTUWXY"
"""The 31 characters of GB 32100-2015, in the order of their values."""
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_DAY = r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$"


def is_uscc(code: str) -> bool:
    """Say whether a unified social credit code (统一社会信用代码) is well formed and its check character right.

    GB 32100-2015, 5: weights are 3 to the power of the place, modulo 31; the last character makes the sum divisible
    by 31.
    """
    if not re.fullmatch(f"[{_USCC}]{{18}}", code):
        return False
    values = [_USCC.index(one) for one in code]
    weighed = sum(value * pow(3, place, 31) for place, value in enumerate(values[:17]))
    return values[17] == (31 - weighed % 31) % 31


def _check_uscc(code: str) -> str:
    if code and not is_uscc(code):
        raise ValueError("not a 统一社会信用代码: 18 characters of GB 32100-2015, the last one a check character")
    return code


def _check_cas(cas: str) -> str:
    if cas and not is_cas(cas):
        raise ValueError("not a CAS number: digits-digits-check digit, such as 7664-41-7")
    return cas


def _one_kind_of_line_end(text: str) -> str:
    """Lines end as they come back from a workbook; what no workbook can hold is refused."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    if _CONTROL.search(plain):
        raise ValueError("no control characters but line feeds and tabs")
    return plain


Code = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
"""What a record is called by other records."""
Ref = Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]{0,127})?$")]
"""The id of another record; empty: none."""
Words = Annotated[str, StringConstraints(strip_whitespace=True, max_length=4000), AfterValidator(_one_kind_of_line_end)]
Title = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=128), AfterValidator(_one_kind_of_line_end)
]
Item = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=128), AfterValidator(_one_kind_of_line_end)
]
"""One of several, such as another name."""
Day = Annotated[str, StringConstraints(pattern=f"{_DAY}|^$")]
"""A day of the calendar, ``YYYY-MM-DD``; empty: not said."""
Uscc = Annotated[str, AfterValidator(_check_uscc)]
Cas = Annotated[str, AfterValidator(_check_cas)]
Latitude = Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
Longitude = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]
Tonnes = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Record(BaseModel):
    """What every record has."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Code


class Named(Record):
    """What is called by a name."""

    name_zh: Title
    name_en: Words = ""
