"""An SMTP server in a thread that keeps its mail, and misbehaves on demand."""

from __future__ import annotations

import socketserver
import ssl
import threading
from contextlib import suppress
from email import message_from_bytes, policy
from email.message import EmailMessage
from types import TracebackType
from typing import Self

__all__ = ["SmtpReceiver"]


class SmtpReceiver:
    """Speaks as much SMTP as a client needs, on a free port of this machine while it is entered.

    Attributes:
        replies: Verb -> reply instead of the usual one, e.g. ``{"RCPT": "451 later"}``; ``""``: no reply at all, ever.
        refuse: Recipient -> reply.
        mails: What came, with its recipients.
        logins: What AUTH PLAIN brought.
    """

    def __init__(self, tls: ssl.SSLContext | None = None, *, at_once: bool = False) -> None:
        self.replies: dict[str, str] = {}
        self.refuse: dict[str, str] = {}
        self.cut_after_data = False
        self.mails: list[tuple[list[str], EmailMessage]] = []
        self.logins: list[str] = []
        self.tls = tls
        self.at_once = at_once
        self.ended = threading.Event()
        receiver = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with suppress(OSError):  # the client went away, which is what it is tested for
                    _Conversation(receiver, self.request).run()

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self.port = int(self._server.server_address[1])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Conversation:
    def __init__(self, receiver: SmtpReceiver, connection: ssl.SSLSocket) -> None:
        self._receiver = receiver
        self._connection = connection
        self._secure = False
        self._to: list[str] = []

    def run(self) -> None:
        if self._receiver.at_once:
            self._upgrade()
        self._lines = self._connection.makefile("rb")
        self._say("220 ready")
        try:
            while line := self._lines.readline():
                text = line.decode().strip()
                verb = text.partition(" ")[0].upper()
                if verb in self._receiver.replies:
                    reply = self._receiver.replies[verb]
                    if not reply:
                        self._receiver.ended.wait(30)
                        return
                    self._say(reply)
                elif not self._obey(verb, text):
                    return
        finally:
            self._lines.close()
            self._connection.close()

    def _obey(self, verb: str, text: str) -> bool:
        """Do what a command says; False ends the conversation."""
        if verb == "EHLO":
            starttls = self._receiver.tls is not None and not self._secure
            self._say("250-test\r\n250-AUTH PLAIN" + ("\r\n250-STARTTLS" if starttls else "") + "\r\n250 SIZE 1000000")
        elif verb == "STARTTLS":
            self._say("220 go")
            self._lines.close()
            self._upgrade()
            self._lines = self._connection.makefile("rb")
        elif verb == "AUTH":
            self._receiver.logins.append(text)
            self._say("235 in")
        elif verb == "RCPT":
            address = text[text.index("<") + 1 : text.index(">")]
            if address in self._receiver.refuse:
                self._say(self._receiver.refuse[address])
            else:
                self._to.append(address)
                self._say("250 ok")
        elif verb == "DATA":
            return self._take()
        elif verb == "QUIT":
            self._say("221 bye")
            return False
        else:
            self._say("250 ok")
        return True

    def _take(self) -> bool:
        self._say("354 go on")
        lines = []
        while (line := self._lines.readline()) != b".\r\n":
            lines.append(line)
        if self._receiver.cut_after_data:
            return False
        mail = message_from_bytes(b"".join(lines), policy=policy.default)
        self._receiver.mails.append((self._to, mail))
        self._say("250 taken")
        return True

    def _upgrade(self) -> None:
        assert self._receiver.tls is not None
        self._connection = self._receiver.tls.wrap_socket(self._connection, server_side=True)
        self._secure = True

    def _say(self, text: str) -> None:
        self._connection.sendall(text.encode() + b"\r\n")
