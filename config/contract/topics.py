"""Every MQTT topic of HazGate, built and read in one place (design 5.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from config.errors import TopicError

__all__ = [
    "ROOT",
    "EdgeTopic",
    "Kind",
    "alarm_topic",
    "doctor_topic",
    "edge_topic",
    "is_edge_id",
    "is_tag_name",
    "local_alarm_topic",
    "parse_edge_topic",
    "point_topic",
    "site_topics",
    "subscriptions",
]

ROOT = "hazard/v1"

_EDGE_ID = re.compile(r"[a-z0-9._-]{1,64}")
_TAG_NAME = re.compile(r"[A-Za-z0-9._-]{1,128}")


class Kind(StrEnum):
    """What travels on a topic below ``hazard/v1/{site}/{edge}/``."""

    TELEMETRY = "telemetry"
    BACKLOG = "backlog"
    POINTS = "points"
    KEPT = "kept"
    STATUS = "status"
    ALARMS = "alarms"


@dataclass(frozen=True, slots=True)
class EdgeTopic:
    """A topic ``hazard/v1/{site}/{edge}/{kind}[/{tag}]``, read."""

    site: str
    edge: str
    kind: Kind
    tag: str = ""
    """Only for `Kind.POINTS`."""


def is_edge_id(text: str) -> bool:
    """Say whether ``text`` may name a site or an edge."""
    return _EDGE_ID.fullmatch(text) is not None


def is_tag_name(text: str) -> bool:
    """Say whether ``text`` may name a tag."""
    return _TAG_NAME.fullmatch(text) is not None


def edge_topic(site: str, edge: str, kind: Kind) -> str:
    """Return the topic of one edge for one kind (not points)."""
    return f"{ROOT}/{site}/{edge}/{kind.value}"


def point_topic(site: str, edge: str, tag: str) -> str:
    """Return the topic on which a plain sensor publishes one tag."""
    return f"{ROOT}/{site}/{edge}/{Kind.POINTS.value}/{tag}"


def local_alarm_topic(site: str, edge: str, alarm_id: str) -> str:
    """Return the topic on the plant's broker on which an edge retains one of its own alarms; ``+`` for all."""
    return f"{ROOT}/{site}/{edge}/{Kind.ALARMS.value}/{alarm_id}"


def alarm_topic(site: str, alarm_id: str) -> str:
    """Return the topic on which the gateway retains the state of one alarm."""
    return f"{ROOT}/{site}/alarms/{alarm_id}"


def site_topics(site: str) -> str:
    """Return the filter of all that is said of one site."""
    return f"{ROOT}/{site}/#"


def doctor_topic(name: str) -> str:
    """Return the topic on which `hazgate doctor` tries a broker; ``+`` for all."""
    return f"hazgate-doctor/{name}"


def subscriptions(site: str = "+") -> tuple[str, ...]:
    """Return the filters a gateway subscribes to; ``+`` sees the edges of every site on the broker."""
    kinds = (Kind.TELEMETRY, Kind.BACKLOG, Kind.STATUS, Kind.ALARMS)
    return (
        *(edge_topic(site, "+", kind) for kind in kinds),
        point_topic(site, "+", "+"),
    )


def parse_edge_topic(topic: str) -> EdgeTopic:
    """Read a topic of an edge.

    Raises:
        TopicError: It is not ``hazard/v1/{site}/{edge}/{kind}[/{tag}]`` with ids of the allowed form.
    """
    parts = topic.split("/")
    if len(parts) not in (5, 6) or "/".join(parts[:2]) != ROOT:
        message = f"topic {topic!r}: expected {ROOT}/{{site}}/{{edge}}/{{kind}}[/{{tag}}]"
        raise TopicError(message)
    site, edge, kind_text, *tag = parts[2:]
    if not (is_edge_id(site) and is_edge_id(edge)):
        message = f"topic {topic!r}: site and edge must match [a-z0-9._-]{{1,64}}"
        raise TopicError(message)
    try:
        kind = Kind(kind_text)
    except ValueError:
        message = f"topic {topic!r}: kind {kind_text!r} is none of {', '.join(Kind)}"
        raise TopicError(message) from None
    if (kind is Kind.POINTS) != bool(tag) or (tag and not is_tag_name(tag[0])):
        message = f"topic {topic!r}: points need exactly one tag matching [A-Za-z0-9._-]{{1,128}}"
        raise TopicError(message)
    return EdgeTopic(site, edge, kind, tag[0] if tag else "")
