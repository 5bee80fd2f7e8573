"""Arithmetic on arrays that fall into segments (one per tag, one per tag and condition)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["first_of_runs", "order_by", "rising", "running_max"]


def order_by(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the stable order that sorts ``rows`` (at least 0, below 2**32).

    numpy sorts 16-bit numbers by radix, several times faster than wider ones: first by the low half, then by the high.
    """
    order = rows.astype(np.uint16).argsort(kind="stable")
    high = (rows >> 16).astype(np.uint16)
    return order.take(high.take(order).argsort(kind="stable")) if high.any() else order


def rising(first: NDArray[np.int64], second: NDArray[np.int64]) -> bool:
    """Say whether each pair of two columns is above the one before: by the first, where that is equal by the second."""
    rises = second[1:] > second[:-1]
    rises &= first[1:] == first[:-1]
    rises |= first[1:] > first[:-1]
    return bool(rises.all())


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
