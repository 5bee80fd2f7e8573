"""4-20 mA current loops: NAMUR NE 43 tells a measurement from a fault.

<= 3.6        fault, low (open loop, burn-out)
3.6 - 3.8     undefined
3.8 - 4.0     measuring, saturated below the range
4.0 - 20.0    measuring
20.0 - 20.5   measuring, saturated above the range
20.5 - 21.0   undefined
>= 21.0       fault, high
"""

from __future__ import annotations

from config.contract.quality import Reason

__all__ = ["fault_of", "span"]

FAULT_LOW_MA = 3.6
MEASURE_LOW_MA = 3.8
ZERO_MA = 4.0
FULL_MA = 20.0
MEASURE_HIGH_MA = 20.5
FAULT_HIGH_MA = 21.0


def fault_of(current_ma: float) -> Reason:
    """Return what a loop current says about its transmitter; `Reason.NONE` in the measuring band."""
    if MEASURE_LOW_MA <= current_ma <= MEASURE_HIGH_MA:
        return Reason.NONE
    if current_ma <= FAULT_LOW_MA:
        return Reason.FAULT_CURRENT_LOW
    if current_ma >= FAULT_HIGH_MA:
        return Reason.FAULT_CURRENT_HIGH
    return Reason.UNDEFINED_CURRENT


def span(current_ma: float, low: float, high: float) -> float:
    """Return the measurement: 4 mA is ``low``, 20 mA is ``high``, in between and in saturation a straight line."""
    return low + (current_ma - ZERO_MA) / (FULL_MA - ZERO_MA) * (high - low)
