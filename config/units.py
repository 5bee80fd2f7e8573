"""Quantities and their canonical units."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Quantity"]


class Quantity(StrEnum):
    """What is measured; each has one canonical unit, in which everything inside is kept."""

    COMBUSTIBLE_GAS = "combustible_gas"
    """canonical %LEL"""
    TOXIC_GAS = "toxic_gas"
    """canonical ppm"""
    LEVEL = "level"
    """canonical m"""
    FRACTION = "fraction"
    """canonical % (level in percent, oxygen in %vol, humidity)"""
    TEMPERATURE = "temperature"
    """canonical degC"""
    PRESSURE = "pressure"
    """canonical kPa (gauge)"""
    SPEED = "speed"
    """canonical km/h"""
    MASS_FLOW = "mass_flow"
    """canonical t/h"""
    NUMBER = "number"
    """canonical 1 (anything else; never converted)"""
