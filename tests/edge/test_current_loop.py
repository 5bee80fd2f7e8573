"""NAMUR NE 43, band by band."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.contract.quality import Reason
from edge.current_loop import fault_of, span

LOW, HIGH, UNDEFINED, FINE = (
    Reason.FAULT_CURRENT_LOW,
    Reason.FAULT_CURRENT_HIGH,
    Reason.UNDEFINED_CURRENT,
    Reason.NONE,
)


@pytest.mark.parametrize(
    ("current_ma", "reason"),
    [
        (-1.0, LOW),
        (0.0, LOW),
        (3.6, LOW),
        (math.nextafter(3.6, 9), UNDEFINED),
        (3.7, UNDEFINED),
        (math.nextafter(3.8, 0), UNDEFINED),
        (3.8, FINE),
        (4.0, FINE),
        (12.0, FINE),
        (20.0, FINE),
        (20.5, FINE),
        (math.nextafter(20.5, 99), UNDEFINED),
        (20.9, UNDEFINED),
        (math.nextafter(21.0, 0), UNDEFINED),
        (21.0, HIGH),
        (22.5, HIGH),
        (math.inf, HIGH),
        (-math.inf, LOW),
    ],
)
def test_the_bands(current_ma: float, reason: Reason) -> None:
    assert fault_of(current_ma) is reason


@pytest.mark.parametrize(
    ("current_ma", "value"), [(4.0, -20.0), (8.0, 5.0), (12.0, 30.0), (20.0, 80.0), (3.8, -21.25), (20.5, 83.125)]
)
def test_the_measurement_is_a_straight_line_beyond_both_ends_of_the_range(current_ma: float, value: float) -> None:
    assert span(current_ma, -20.0, 80.0) == pytest.approx(value, abs=1e-12)


@given(st.floats(3.8, 20.5), st.floats(3.8, 20.5))
def test_more_current_is_never_less_value(one_ma: float, other_ma: float) -> None:
    one_ma, other_ma = sorted((one_ma, other_ma))
    assert span(one_ma, 0.0, 5.0) <= span(other_ma, 0.0, 5.0)
