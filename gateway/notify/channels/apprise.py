"""Anything that Apprise can reach; an extra, ``hazgate[apprise]``.

Apprise makes its own connections: addresses are not checked, and what it says is not shown, for its texts have the
secrets of its URLs in them.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from config.clock import Clock
from config.duty.channels import AppriseSettings
from gateway.notify.channels.bounded import bounded
from gateway.notify.channels.limit import Limit
from gateway.notify.channels.text import one_line, plain
from gateway.notify.port import ChannelError, Delivery, Message, Receipt, Recipient

__all__ = ["AppriseChannel"]


class AppriseChannel:
    """The channel `apprise`. Sent: Apprise says that it went; who has it, it does not say.

    Raises:
        ChannelError: It is not installed, or does not understand an address; permanent.
    """

    def __init__(self, settings: AppriseSettings, clock: Clock) -> None:
        try:
            library = import_module("apprise")
        except ImportError:
            raise ChannelError("apprise is not installed: pip install 'hazgate[apprise]'", retry=False) from None
        self._limit = Limit(settings.per_minute, clock)
        self._apprise = library.Apprise()
        for number, url in enumerate(settings.urls, 1):
            if not self._apprise.add(url.get_secret_value()):
                raise ChannelError(f"apprise does not understand address {number} of its urls", retry=False)

    def send(self, message: Message, recipients: Sequence[Recipient], within_s: float) -> Receipt:  # noqa: ARG002 - its URLs say who
        """Tell all its addresses."""
        self._limit.take()
        try:
            told = bounded(lambda: self._apprise.notify(title=one_line(message), body=plain(message)), within_s)
        except ChannelError:
            raise
        except Exception as error:  # noqa: BLE001 - a hundred plug-ins, each with errors of its own
            raise ChannelError(f"apprise failed ({type(error).__name__})") from None
        if not told:
            raise ChannelError("apprise: at least one of its addresses was not reached")
        return Receipt(Delivery.SENT)

    def close(self) -> None:
        """Nothing is kept open."""
