"""Arithmetic on arrays that fall into segments (one per tag, one per tag and condition)."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["distinct", "first_of_runs", "last_of_each", "order_by", "rising", "running_max"]

_HALF_BITS: Final = 16
_DENSE: Final = 8
_GLANCE: Final = 64


def order_by(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the stable order that sorts ``rows`` (at least 0, below 2**32; at least one).

    numpy sorts 16-bit numbers by radix, several times faster than wider ones: first by the low half, then by the high.
    """
    order = rows.astype(np.uint16).argsort(kind="stable")
    high = rows >> _HALF_BITS
    return order.take(high.astype(np.uint16).take(order).argsort(kind="stable")) if high.any() else order


def rising(first: NDArray[np.int64], second: NDArray[np.int64]) -> bool:
    """Say whether each pair of two columns is above the one before: by the first, where that is equal by the second."""
    if len(first) > _GLANCE and not rising(first[:_GLANCE], second[:_GLANCE]):
        return False
    rises = second[1:] > second[:-1]
    rises &= first[1:] == first[:-1]
    rises |= first[1:] > first[:-1]
    return bool(rises.all())


def distinct(rows: NDArray[np.int64], count: int) -> bool:
    """Say whether no row (below ``count``) comes twice; False also where finding out costs more than sorting."""
    if len(rows) * _DENSE < count:
        return False
    return len(last_of_each(rows, count)) == len(rows)


def last_of_each(rows: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Return where each row (below ``count``) comes for the last time, in order; fast when rows come many times."""
    position = np.arange(len(rows), dtype=np.int32)
    last = np.empty(count, np.int32)
    last[rows] = position  # of a repeated index, numpy keeps the last assignment
    return np.flatnonzero(last.take(rows) == position)


def first_of_runs(values: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Say where a value differs from the one before it; the first always does."""
    first = np.empty(len(values), np.bool_)
    first[:1] = True
    np.not_equal(values[1:], values[:-1], out=first[1:])
    return first


def running_max(segment: NDArray[np.int64], values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the maximum of each value and those before it in its segment.

    Args:
        segment: Number of the segment of each value, not falling, at least 0 and below n.
        values: n values of any size; they are ranked first, so that nothing can overflow.
    """
    distinct, rank = np.unique(values, return_inverse=True)
    base = segment * len(values)
    return distinct[np.maximum.accumulate(base + rank) - base]
