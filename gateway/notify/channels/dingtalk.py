"""A robot of a DingTalk group (钉钉)."""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from urllib.parse import urlencode

from config.clock import Clock
from config.duty.channels import DingTalkSettings
from gateway.notify.channels.http import Poster, as_json
from gateway.notify.channels.limit import Limit
from gateway.notify.channels.robot import judge
from gateway.notify.channels.target import Resolver, resolve
from gateway.notify.channels.text import cut, markdown, one_line, phones
from gateway.notify.port import Delivery, Message, Receipt, Recipient

__all__ = ["DingTalk", "signature"]

_LATER = {-1: 5.0, 90030: 600.0, 130101: 600.0, 410100: 600.0}
"""-1: busy; the others: too many, and whoever is above the limit is shut out for ten minutes."""
_MOST_BYTES = 18_000
"""A message of more than 20 000 bytes is refused."""
_MOST_TITLE_BYTES = 200


def signature(secret: str, timestamp_ms: int) -> str:
    """Return the sign of a moment: HMAC-SHA256 of both under the secret, base64."""
    text = f"{timestamp_ms}\n{secret}"
    return b64encode(hmac.new(secret.encode(), text.encode(), sha256).digest()).decode()


class DingTalk:
    """The channel `dingtalk`."""

    def __init__(self, settings: DingTalkSettings, clock: Clock, resolver: Resolver = resolve) -> None:
        self._clock = clock
        self._secret = settings.secret.get_secret_value() if settings.secret else ""
        self._limit = Limit(settings.per_minute, clock)
        self._poster = Poster(settings, clock, (self._secret,) if self._secret else (), resolver)

    def send(self, message: Message, recipients: Sequence[Recipient], within_s: float) -> Receipt:
        """Post it to the group; who has a phone is mentioned by it."""
        mobiles = phones(recipients)
        mentions = " ".join(f"@{one}" for one in mobiles)  # it mentions nobody whose number is not in the text
        text = cut(markdown(message), _MOST_BYTES - len(mentions)) + (f"\n\n{mentions}" if mentions else "")
        content = {
            "msgtype": "markdown",
            "markdown": {"title": cut(one_line(message), _MOST_TITLE_BYTES), "text": text},
            "at": {"atMobiles": mobiles, "isAtAll": False},
            "msgUuid": message.key,
        }
        query = ""
        if self._secret:
            now_ms = self._clock.wall_ms()
            query = urlencode({"timestamp": now_ms, "sign": signature(self._secret, now_ms)})
        self._limit.take()
        answer = self._poster.post(as_json(content), within_s, query=query)
        judge(self._poster, answer, ("errcode", "errmsg"), _LATER, "dingtalk")
        return Receipt(Delivery.ACCEPTED)

    def close(self) -> None:
        """Nothing is kept open."""
