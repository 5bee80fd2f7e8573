"""Drivers: one file of one shape per kind of hardware, all named here."""

from __future__ import annotations

from collections.abc import Callable

from edge.driver import Driver, DriverSetup
from edge.drivers.canary import Canary
from edge.drivers.mqtt_sensor import MqttSensor

__all__ = ["DRIVERS"]

DRIVERS: dict[str, Callable[[DriverSetup], Driver]] = {
    "canary": Canary,
    "mqtt_sensor": MqttSensor,
}
"""Name in the plant description (``source.driver``) -> what makes it."""
