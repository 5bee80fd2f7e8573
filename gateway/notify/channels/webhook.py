"""A signed POST of a CloudEvents 1.0 envelope to whoever listens."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from hashlib import sha256

from config.clock import Clock
from config.duty.channels import WebhookSettings
from gateway.notify.channels.http import Poster, as_json
from gateway.notify.channels.limit import Limit
from gateway.notify.channels.target import Resolver, resolve
from gateway.notify.channels.text import iso
from gateway.notify.port import Delivery, Message, Receipt, Recipient

__all__ = ["Webhook", "signature"]


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Return what stands in ``X-HazGate-Signature``: HMAC-SHA256 over ``timestamp.body``, hex."""
    return "sha256=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, sha256).hexdigest()


class Webhook:
    """The channel `webhook`."""

    def __init__(self, settings: WebhookSettings, clock: Clock, resolver: Resolver = resolve) -> None:
        self._settings = settings
        self._clock = clock
        self._secret = settings.secret.get_secret_value()
        self._limit = Limit(settings.per_minute, clock)
        self._poster = Poster(settings, clock, (self._secret,), resolver)

    def send(self, message: Message, recipients: Sequence[Recipient], within_s: float) -> Receipt:
        """Post it; 2xx is accepted."""
        body = as_json(self._envelope(message, recipients))
        timestamp = str(self._clock.wall_ms() // 1000)
        self._limit.take()
        self._poster.post(
            body,
            within_s,
            {
                "Content-Type": "application/cloudevents+json; charset=utf-8",
                "Idempotency-Key": message.key,
                "X-HazGate-Timestamp": timestamp,
                "X-HazGate-Signature": signature(self._secret, timestamp, body),
            },
        )
        return Receipt(Delivery.ACCEPTED)

    def _envelope(self, message: Message, recipients: Sequence[Recipient]) -> dict[str, object]:
        """Return the message as an event; the same message is the same bytes."""
        return {
            "specversion": "1.0",
            "id": message.key,
            "source": self._settings.source,
            "type": f"hazgate.notification.{message.kind}",
            "time": iso(message.made_ms),
            "datacontenttype": "application/json",
            "data": {
                "tier": message.tier,
                "title": {"zh": message.title.zh, "en": message.title.en},
                "body": {"zh": message.body.zh, "en": message.body.en},
                "alarms": [dict(row) for row in message.alarms],
                "count": message.count,
                "link": message.link,
                "recipients": [self._person(one) for one in recipients],
            },
        }

    def _person(self, one: Recipient) -> dict[str, str]:
        person = {"id": one.id, "name": one.name}
        if self._settings.contacts:
            person |= {"phone": one.phone, "email": one.email}
        return person

    def close(self) -> None:
        """Nothing is kept open."""
