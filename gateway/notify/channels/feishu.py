"""A custom bot of a Feishu group (飞书)."""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from config.clock import Clock
from config.duty.channels import FeishuSettings
from gateway.notify.channels.http import Poster, as_json
from gateway.notify.channels.limit import Limit
from gateway.notify.channels.robot import judge
from gateway.notify.channels.target import Resolver, resolve
from gateway.notify.channels.text import cut, one_line, plain
from gateway.notify.port import Delivery, Message, Receipt, Recipient

__all__ = ["Feishu", "signature"]

_LATER = {11232: 60.0, 11233: 60.0, 99991400: 60.0}
"""All: too many."""
_MOST_BYTES = 16_000
"""A request of more than 20 KB is refused."""
_MOST_TITLE_BYTES = 200
_COLOURS = {1: "red", 2: "orange", 3: "yellow", 4: "blue"}


def signature(secret: str, timestamp_s: int) -> str:
    """Return the sign of a moment: HMAC-SHA256 of nothing under a key of both, base64."""
    key = f"{timestamp_s}\n{secret}"
    return b64encode(hmac.new(key.encode(), b"", sha256).digest()).decode()


class Feishu:
    """The channel `feishu`."""

    def __init__(self, settings: FeishuSettings, clock: Clock, resolver: Resolver = resolve) -> None:
        self._clock = clock
        self._open_ids = settings.open_ids
        self._secret = settings.secret.get_secret_value() if settings.secret else ""
        self._limit = Limit(settings.per_minute, clock)
        self._poster = Poster(settings, clock, (self._secret,) if self._secret else (), resolver)

    def send(self, message: Message, recipients: Sequence[Recipient], within_s: float) -> Receipt:
        """Post it to the group as a card in the colour of the tier; who has an open id is mentioned, others named."""
        content: dict[str, object] = {"msg_type": "interactive", "card": self._card(message, recipients)}
        if self._secret:
            now_s = self._clock.wall_ms() // 1000
            content |= {"timestamp": str(now_s), "sign": signature(self._secret, now_s)}
        self._limit.take()
        answer = self._poster.post(as_json(content), within_s)
        judge(self._poster, answer, ("code", "msg"), _LATER, "feishu")
        return Receipt(Delivery.ACCEPTED)

    def _card(self, message: Message, recipients: Sequence[Recipient]) -> dict[str, Any]:
        elements: list[dict[str, Any]] = [
            {"tag": "div", "text": {"tag": "plain_text", "content": cut(plain(message), _MOST_BYTES)}}
        ]
        known = [self._open_ids[one.id] for one in recipients if one.id in self._open_ids]
        if known:
            elements.append({"tag": "markdown", "content": " ".join(f"<at id={one}></at>" for one in known)})
        named = [one.name for one in recipients if one.id not in self._open_ids]
        if named:
            elements.append({"tag": "div", "text": {"tag": "plain_text", "content": "通知 / To: " + ", ".join(named)}})
        if message.link:
            button = {"tag": "button", "type": "primary", "url": message.link}
            button_text = {"text": {"tag": "plain_text", "content": "处理 / Handle"}}
            elements.append({"tag": "action", "actions": [button | button_text]})
        return {
            "config": {"wide_screen_mode": True},
            "header": {
                "template": _COLOURS.get(message.tier, "grey"),
                "title": {"tag": "plain_text", "content": cut(one_line(message), _MOST_TITLE_BYTES)},
            },
            "elements": elements,
        }

    def close(self) -> None:
        """Nothing is kept open."""
