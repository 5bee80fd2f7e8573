"""A robot of a WeCom group (企业微信)."""

from __future__ import annotations

from collections.abc import Sequence

from config.clock import Clock
from config.duty.channels import WeComSettings
from gateway.notify.channels.http import Poster, as_json
from gateway.notify.channels.limit import Limit
from gateway.notify.channels.robot import judge
from gateway.notify.channels.target import Resolver, resolve
from gateway.notify.channels.text import cut, markdown, one_line, phones, plain
from gateway.notify.port import Delivery, Message, Receipt, Recipient

__all__ = ["WeCom"]

_LATER = {-1: 5.0, 45009: 60.0, 45033: 5.0}
"""-1: busy, 45009: too many a minute, 45033: too many at once."""
_MOST_TEXT_BYTES = 2048
_MOST_MARKDOWN_BYTES = 4096


class WeCom:
    """The channel `wecom`."""

    def __init__(self, settings: WeComSettings, clock: Clock, resolver: Resolver = resolve) -> None:
        self._limit = Limit(settings.per_minute, clock)
        self._poster = Poster(settings, clock, (), resolver)

    def send(self, message: Message, recipients: Sequence[Recipient], within_s: float) -> Receipt:
        """Post it to the group: as text when people are mentioned (markdown cannot, by phone), else as markdown."""
        content: dict[str, object]
        if mobiles := phones(recipients):
            text = cut(f"{one_line(message)}\n\n{plain(message)}", _MOST_TEXT_BYTES)
            content = {"msgtype": "text", "text": {"content": text, "mentioned_mobile_list": mobiles}}
        else:
            content = {"msgtype": "markdown", "markdown": {"content": cut(markdown(message), _MOST_MARKDOWN_BYTES)}}
        self._limit.take()
        answer = self._poster.post(as_json(content), within_s)
        judge(self._poster, answer, ("errcode", "errmsg"), _LATER, "wecom")
        return Receipt(Delivery.ACCEPTED)

    def close(self) -> None:
        """Nothing is kept open."""
