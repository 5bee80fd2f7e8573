"""What Alertmanager posts to its webhook receivers (version 4), so that whatever serves it serves us."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from config.clock import Clock
from config.duty.channels import AlertmanagerSettings
from gateway.notify.channels.http import Poster, as_json
from gateway.notify.channels.limit import Limit
from gateway.notify.channels.target import Resolver, resolve
from gateway.notify.channels.text import iso, one_line, plain
from gateway.notify.port import Delivery, Kind, Message, Receipt, Recipient

__all__ = ["Alertmanager", "fingerprint"]

_NOT_ENDED = "0001-01-01T00:00:00Z"
"""Go's zero time, which is what Alertmanager says of an alert that goes on."""
_SEVERITIES = {1: "critical", 2: "major", 3: "minor", 4: "warning"}
_IDENTITY = ("alertname", "alarm_id", "tag", "condition")
"""Labels that stay the same from firing to resolved; the tier may rise meanwhile."""
_FNV_OFFSET = 0xCBF29CE484222325
_FNV_PRIME = 0x100000001B3
_WORD = 0xFFFFFFFFFFFFFFFF


def fingerprint(labels: Mapping[str, str]) -> str:
    """Return the hash by which Prometheus names a set of labels (FNV-1a, 64 bits)."""
    value = _FNV_OFFSET
    for name in sorted(labels):
        for byte in name.encode() + b"\xff" + labels[name].encode() + b"\xff":
            value = (value ^ byte) * _FNV_PRIME & _WORD
    return f"{value:016x}"


def _common(sets: Sequence[Mapping[str, str]]) -> dict[str, str]:
    return {name: value for name, value in sets[0].items() if all(one.get(name) == value for one in sets)}


class Alertmanager:
    """The channel `alertmanager`."""

    def __init__(self, settings: AlertmanagerSettings, clock: Clock, resolver: Resolver = resolve) -> None:
        self._settings = settings
        self._token = settings.token.get_secret_value() if settings.token else ""
        self._limit = Limit(settings.per_minute, clock)
        self._poster = Poster(settings, clock, (self._token,) if self._token else (), resolver)

    def send(self, message: Message, recipients: Sequence[Recipient], within_s: float) -> Receipt:
        """Post it; 2xx is accepted. Who is to be told is in the annotations, routing is the receiver's."""
        body = as_json(self._group(message, recipients))
        headers = {"Idempotency-Key": message.key}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        self._limit.take()
        self._poster.post(body, within_s, headers)
        return Receipt(Delivery.ACCEPTED)

    def _group(self, message: Message, recipients: Sequence[Recipient]) -> dict[str, object]:
        alerts = [self._alert(message, row, recipients) for row in message.alarms or ({},)]
        group = {"alertname": _name(message)}
        return {
            "version": "4",
            "groupKey": f'{{}}:{{alertname="{group["alertname"]}"}}',
            "truncatedAlerts": max(message.count - len(message.alarms), 0) if message.alarms else 0,
            "status": _status(message),
            "receiver": self._settings.receiver,
            "groupLabels": group,
            "commonLabels": _common([one["labels"] for one in alerts]),
            "commonAnnotations": _common([one["annotations"] for one in alerts]),
            "externalURL": self._settings.external_url,
            "alerts": alerts,
        }

    def _alert(self, message: Message, row: Mapping[str, Any], recipients: Sequence[Recipient]) -> dict[str, Any]:
        labels = _labels(message, row)
        ends_ms = (row.get("cleared_ms") or message.made_ms) if message.kind is Kind.OVER else None
        annotations = {
            "summary": one_line(message),
            "description": plain(message),
            "recipients": ",".join(one.name for one in recipients),
            "mobiles": ",".join(one.phone for one in recipients if one.phone),
        }
        return {
            "status": _status(message),
            "labels": labels,
            "annotations": {name: value for name, value in annotations.items() if value},
            "startsAt": iso(row.get("raised_ms") or message.made_ms),
            "endsAt": _NOT_ENDED if ends_ms is None else iso(ends_ms),
            "generatorURL": message.link,
            "fingerprint": fingerprint({name: labels[name] for name in _IDENTITY if name in labels}),
        }

    def close(self) -> None:
        """Nothing is kept open."""


def _status(message: Message) -> str:
    return "resolved" if message.kind is Kind.OVER else "firing"


def _name(message: Message) -> str:
    """Return one name for an alarm, its being overdue and its being over: they are the same alert."""
    return "HazGateSelfTest" if message.kind is Kind.SELF_TEST else "HazGateAlarm"


def _labels(message: Message, row: Mapping[str, Any]) -> dict[str, str]:
    tier = int(row.get("tier") or message.tier)
    given = {
        "alertname": _name(message),
        "alarm_id": row.get("alarm_id"),
        "condition": row.get("condition"),
        "hazard_unit": row.get("hazard_unit"),
        "kind": message.kind.value,
        "severity": _SEVERITIES.get(tier, "none"),
        "tag": row.get("tag"),
        "tier": tier,
    }
    return {name: str(value) for name, value in given.items() if value not in (None, "")}
