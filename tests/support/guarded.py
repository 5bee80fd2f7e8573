"""A broker that lets in only whom it knows: accounts of the small plant, certificates of an authority of its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from config.access import accounts
from config.clock import SystemClock
from config.settings import BrokerAddress, BrokerGuard
from config.tls import client_context
from gateway.certificates import CA_CERTIFICATE, Authority, client_files, server_files
from gateway.credentials import Hashes, new_password, read_book, write_book
from tests.support.plants import mini_plant
from tests.support.servers import BROKERS, Broker
from tests.support.waiting import eventually

__all__ = ["Guarded", "Visitor", "guarded"]

_DAY_MS = 86_400_000
_WITHIN_S = 10.0


@dataclass
class Guarded:
    """A running broker and the keys to it."""

    broker: Broker
    accounts: Path
    certificates: Path
    passwords: dict[str, str] = field(default_factory=dict)

    def address(self, name: str, *, password: str | None = None) -> BrokerAddress:
        """Return the way in for a client, by password or by certificate as the broker wants it."""
        guard = self.broker.guard
        tls = guard.certificate is not None
        where = BrokerAddress(host="127.0.0.1", port=self.broker.port, tls=tls)
        if tls:
            where = where.model_copy(update={"ca": self.certificates / CA_CERTIFICATE})
        if guard.client_ca:
            certificate, key = client_files(self.certificates, name)
            return where.model_copy(update={"cert": certificate, "key": key})
        scheme = "mqtts" if tls else "mqtt"
        query = f"?ca={where.ca}" if tls else ""
        secret = self.passwords[name] if password is None else password
        return BrokerAddress.parse(f"{scheme}://{name}@127.0.0.1:{self.broker.port}{query}", secret)

    def give(self, *names: str) -> None:
        """Make passwords, in the place of those there were."""
        book = read_book(self.accounts)
        for name in names:
            self.passwords[name] = new_password()
            book[name] = Hashes.of(self.passwords[name])
        write_book(self.accounts, book, accounts(mini_plant()))

    def revoke(self, name: str) -> None:
        """Take an account out."""
        book = read_book(self.accounts)
        del book[name]
        write_book(self.accounts, book, accounts(mini_plant()))


@contextmanager
def guarded(
    kind: str, folder: Path, names: Sequence[str], *, tls: bool = False, certificates: bool = False
) -> Iterator[Guarded]:
    """Run a broker with accounts; ``tls`` with a certificate of its own, ``certificates``: clients need one, too."""
    store, books = folder / "certificates", folder / "accounts"
    guard = BrokerGuard(accounts=books)
    if tls or certificates:
        authority = Authority(store, SystemClock().wall_ms())
        authority.server(["127.0.0.1", "localhost"], 30)
        for name in names:
            authority.client(name, 30)
        certificate, key = server_files(store)
        client_ca = store / CA_CERTIFICATE if certificates else None
        guard = BrokerGuard(accounts=books, certificate=certificate, key=key, client_ca=client_ca)
    broker = BROKERS[kind](folder, guard=guard)
    made = Guarded(broker, books, store)
    made.give(*names)
    with broker:
        yield made


class Visitor:
    """A client that notes what it hears and how it is refused. Use it as a context manager.

    Args:
        address: The way in.
        listen: Topic filters to listen to.
        session: Client id of a session that outlasts the connection; empty: none does.
    """

    def __init__(self, address: BrokerAddress, *listen: str, session: str = "") -> None:
        self._address = address
        self._listen = listen
        self._settled = threading.Event()
        self.heard: list[tuple[str, bytes]] = []
        self.refused = ""
        """Why we were not let in."""
        self.unheard: list[str] = []
        """Topics we may not subscribe to."""
        self.gone = threading.Event()
        self._client = Client(
            CallbackAPIVersion.VERSION2, session, clean_session=not session, reconnect_on_failure=False
        )
        if address.username is not None:
            self._client.username_pw_set(address.username, address.secret())
        context = client_context(address)
        if context is not None:
            self._client.tls_set_context(context)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._client.on_disconnect = self._on_disconnect

    def send(self, topic: str, payload: bytes) -> None:
        """Publish and do not wait."""
        self._client.publish(topic, payload, 1)

    def publish(self, topic: str, payload: bytes = b"x", *, retain: bool = False) -> None:
        """Publish and return when the broker has answered in whatever way."""
        said = self._client.publish(topic, payload, 1, retain)
        with suppress(RuntimeError):  # we are not let in
            eventually(lambda: said.is_published() or self.gone.is_set(), _WITHIN_S)

    def __enter__(self) -> Self:
        self._client.connect(self._address.host, self._address.port)
        self._client.loop_start()
        assert self._settled.wait(_WITHIN_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(self, client: Client, _u: object, _f: object, reason: object, _p: object) -> None:
        if getattr(reason, "is_failure", False):
            self.refused = str(reason)
            self._settled.set()
        elif self._listen:
            client.subscribe([(topic, 1) for topic in self._listen])
        else:
            self._settled.set()

    def _on_subscribe(self, _c: Client, _u: object, _m: int, codes: Sequence[object], _p: object) -> None:
        pairs = zip(self._listen, codes, strict=True)
        self.unheard = [topic for topic, code in pairs if getattr(code, "is_failure", False)]
        self._settled.set()

    def _on_message(self, _c: Client, _u: object, message: MQTTMessage) -> None:
        self.heard.append((message.topic, bytes(message.payload)))

    def _on_disconnect(self, *_: object) -> None:
        self.gone.set()
        self._settled.set()
