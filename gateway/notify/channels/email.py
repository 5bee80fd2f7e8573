"""Mail over SMTP."""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from hashlib import sha256

from config.clock import Clock
from config.duty.channels import EmailSettings
from gateway.notify.channels.bounded import bounded
from gateway.notify.channels.limit import Limit
from gateway.notify.channels.text import one_line, plain
from gateway.notify.port import ChannelError, Delivery, Message, Receipt, Recipient

__all__ = ["Email", "message_id"]

_PERMANENT = 500
_URGENT_TIER = 2
_PAUSE_S = 60.0
"""After which a server that said "later" is asked again."""


def message_id(key: str, sender: str) -> str:
    """Return the Message-ID: the same for the same message, so that a repeated one is recognised."""
    return f"<{sha256(key.encode()).hexdigest()[:32]}.hazgate@{sender.rpartition('@')[2]}>"


class Email:
    """The channel `email`. What a server has taken is accepted; whether it is read, SMTP cannot say."""

    def __init__(self, settings: EmailSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._password = settings.password.get_secret_value() if settings.password else ""
        self._limit = Limit(settings.per_minute, clock)

    def send(self, message: Message, recipients: Sequence[Recipient], within_s: float) -> Receipt:
        """Hand it to the server for all that have an address."""
        to = list(dict.fromkeys([*(one.email for one in recipients if one.email), *self._settings.also_to]))
        if not to:
            raise ChannelError("nobody of the recipients has a mail address", retry=False)
        mail = self._mail(message, to)
        self._limit.take()
        session = _Session(self._settings, self._password, within_s)
        try:
            refused = bounded(lambda: session.run(mail, to), within_s, session.abort)
        except ChannelError as error:
            raise ChannelError(f"{self._settings.host}: {error}", retry=error.retry) from None
        except smtplib.SMTPRecipientsRefused as error:
            refused = error.recipients
        except smtplib.SMTPResponseException as error:
            raise self._said(error.smtp_code) from None
        except smtplib.SMTPNotSupportedError:
            raise ChannelError(
                f"{self._settings.host}: does not offer what is needed (STARTTLS, login or SMTPUTF8)", retry=False
            ) from None
        except ssl.SSLError:
            raise ChannelError(f"{self._settings.host}: TLS: its certificate or protocol was not accepted") from None
        except (smtplib.SMTPException, OSError, ValueError) as error:
            raise ChannelError(f"{self._settings.host}: not sent, or nobody knows ({type(error).__name__})") from None
        if refused:
            raise self._refused(refused, len(to))
        return Receipt(Delivery.ACCEPTED, str(mail["Message-ID"]))

    def _said(self, code: int) -> ChannelError:
        """Read a reply; its text is left out, servers repeat in it what they were told."""
        later = not code >= _PERMANENT
        return ChannelError(
            f"{self._settings.host}: answered {code}", retry=later, after_s=_PAUSE_S if later and code > 0 else 0.0
        )

    def _refused(self, refused: dict[str, tuple[int, bytes]], asked: int) -> ChannelError:
        """Say that somebody does not get it. Those who do would know a second one by its Message-ID."""
        later = any(code < _PERMANENT for code, _ in refused.values())
        codes = ", ".join(sorted({str(code) for code, _ in refused.values()}))
        return ChannelError(
            f"{self._settings.host}: refused {len(refused)} of {asked} recipients ({codes})",
            retry=later,
            after_s=_PAUSE_S if later else 0.0,
        )

    def _mail(self, message: Message, to: list[str]) -> EmailMessage:
        settings = self._settings
        mail = EmailMessage()
        try:
            mail["From"] = settings.sender
            mail["To"] = ", ".join(to)
            mail["Subject"] = one_line(message)
            mail["Date"] = format_datetime(datetime.fromtimestamp(self._clock.wall_ms() / 1000, UTC))
            mail["Message-ID"] = message_id(message.key, settings.sender)
            mail["Auto-Submitted"] = "auto-generated"
            mail["X-HazGate-Key"] = message.key
            if 0 < message.tier <= _URGENT_TIER:
                mail["X-Priority"] = "1"
                mail["Importance"] = "high"
        except ValueError:
            raise ChannelError("a mail address or the key has characters no header can have", retry=False) from None
        mail.set_content(plain(message) + "\n", cte="base64")  # goes through servers of seven bits
        return mail

    def close(self) -> None:
        """Nothing is kept open."""


class _Session:
    """One conversation with the server; `abort` may be called by another thread."""

    def __init__(self, settings: EmailSettings, password: str, within_s: float) -> None:
        self._settings = settings
        self._password = password
        self._within_s = within_s
        self._server: smtplib.SMTP | None = None
        self._over = False

    def run(self, mail: EmailMessage, to: list[str]) -> dict[str, tuple[int, bytes]]:
        """Send, and return who was refused."""
        server = self._server = self._connected()
        try:
            if self._settings.username is not None:
                server.login(self._settings.username, self._password)
            if self._over:
                raise TimeoutError
            refused = server.send_message(mail, to_addrs=to)
            with suppress(smtplib.SMTPException, OSError):  # it has the mail; what it says to good-bye is no matter
                server.quit()
            return refused
        finally:
            server.close()

    def _connected(self) -> smtplib.SMTP:
        settings = self._settings
        context = ssl.create_default_context(cafile=None if settings.ca_file is None else str(settings.ca_file))
        if settings.security == "tls":
            return smtplib.SMTP_SSL(settings.host, settings.port, timeout=self._within_s, context=context)
        server = smtplib.SMTP(settings.host, settings.port, timeout=self._within_s)
        if settings.security == "starttls":
            try:
                server.starttls(context=context)
            except BaseException:
                server.close()
                raise
        return server

    def abort(self) -> None:
        """Cut the connection."""
        self._over = True
        server = self._server
        if server is not None and isinstance(server.sock, socket.socket):
            with suppress(OSError):
                socket.socket.shutdown(server.sock, socket.SHUT_RDWR)
