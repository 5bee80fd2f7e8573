"""Who may say and hear what on a broker: computed once from the plant, written for each kind of broker elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from config.contract.topics import (
    Kind,
    alarm_topic,
    doctor_topic,
    edge_topic,
    local_alarm_topic,
    point_topic,
    site_topics,
)
from config.errors import ConfigError
from config.plant.model import Edge, EdgeKind, Plant

__all__ = ["GATEWAY", "OPTIONAL", "READER", "SIMULATOR", "Account", "accounts"]

GATEWAY = "gateway"
READER = "reader"
"""For whoever else wants to know the alarms."""
SIMULATOR = "simulator"
"""Speaks for all sensors; for trials only."""
OPTIONAL = frozenset({READER, SIMULATOR})
"""Get credentials only when they are asked for by name."""

_SENSORS = "-sensors"


@dataclass(frozen=True, slots=True)
class Account:
    """One client of a broker. What is not listed is refused."""

    name: str
    """User name, and common name of its certificate."""
    publishes: tuple[str, ...]
    """MQTT topic filters."""
    reads: tuple[str, ...]
    """MQTT topic filters."""


def accounts(plant: Plant) -> dict[str, Account]:
    """Return every account a plant knows of, by name, in the order of the file.

    An edge agent has an account of its own name, its plain MQTT sensors together have one named ``{edge}-sensors``;
    a direct edge is only its sensors, and has its own name.

    Raises:
        ConfigError: Two of them would have the same name.
    """
    found: dict[str, Account] = {}
    for account in _all(plant):
        if account.name in found:
            raise ConfigError(f"two accounts are called {account.name!r}: give the edge another name")
        found[account.name] = account
    return found


def _all(plant: Plant) -> Iterator[Account]:
    site = plant.site.id
    kept, alarms = edge_topic(site, "+", Kind.KEPT), alarm_topic(site, "+")
    trial = doctor_topic("+")
    yield Account(GATEWAY, (kept, alarms, trial), (site_topics(site), trial))
    yield Account(READER, (), (alarm_topic(site, "#"),))
    sensors: list[Account] = []
    for edge in plant.edges.values():
        if edge.kind is EdgeKind.AGENT:
            yield _agent(plant, edge)
        sensors += _sensors(plant, edge)
    yield from sensors
    yield Account(SIMULATOR, tuple(dict.fromkeys(topic for one in sensors for topic in one.publishes)), ())


def _agent(plant: Plant, edge: Edge) -> Account:
    site = plant.site.id
    kinds = (Kind.TELEMETRY, Kind.BACKLOG, Kind.STATUS, Kind.ALARMS)
    own_alarms = local_alarm_topic(site, edge.id, "+")
    says = (*(edge_topic(site, edge.id, kind) for kind in kinds), own_alarms, point_topic(site, edge.id, "#"))
    return Account(edge.id, says, (edge_topic(site, edge.id, Kind.KEPT), own_alarms, *_sources(plant, edge)))


def _sensors(plant: Plant, edge: Edge) -> list[Account]:
    if edge.kind is EdgeKind.DIRECT:
        return [Account(edge.id, (point_topic(plant.site.id, edge.id, "+"),), ())]
    sources = _sources(plant, edge)
    return [Account(f"{edge.id}{_SENSORS}", sources, ())] if sources else []


def _sources(plant: Plant, edge: Edge) -> tuple[str, ...]:
    """Return the plant-side topics of an agent's tags, each once."""
    found = (tag.source.topic for tag in plant.tags.values() if tag.edge == edge.id and tag.source is not None)
    return tuple(dict.fromkeys(topic for topic in found if topic))
