"""The entrance of the embedded broker: who is let in, how we get in ourselves, and whether that has changed."""

from __future__ import annotations

import secrets
from pathlib import Path

from config.settings import BrokerGuard
from gateway.certificates import CA_CERTIFICATE, Authority, client_files
from gateway.credentials import NATS_USERS, write_private
from gateway.nats import PROBE, Insiders, nats_conf
from gateway.probe import Probe, unverified

__all__ = ["Entrance"]

_OURS = "insider"
_BUNDLE = "client-ca.pem"
_DAYS = 3650


class Entrance:
    """Writes the configuration of a NATS server with its guard, and knows the way in.

    Args:
        state_dir: Of the server.
        guard: Whom it lets in; with a ``client_ca`` it trusts, beside that, one of our own for the probe alone.
        now_ms: When our own certificates begin.
    """

    def __init__(self, state_dir: Path, guard: BrokerGuard, now_ms: int) -> None:
        self._state_dir = state_dir
        self._guard = guard
        self._now_ms = now_ms
        self._seen: tuple[float, ...] = ()
        self.insiders = Insiders(secrets.token_hex(16), secrets.token_hex(16)) if guard.accounts else None

    def write(self, conf: Path, host: str, port: int, log_file: Path | None = None) -> None:
        """Write the configuration; for its owner only, since it holds our own passwords.

        Raises:
            OSError: It cannot be written, or the accounts cannot be read.
            CredentialsError: Our own certificate cannot be made.
        """
        self._seen = self._stamps()
        guard = self._guard
        if guard.client_ca:
            bundle = self._state_dir / _BUNDLE
            ours = self._state_dir / _OURS
            Authority(ours, self._now_ms).client(PROBE, _DAYS)
            trusted = [guard.client_ca, ours / CA_CERTIFICATE]
            write_private(bundle, "\n".join(one.read_text(encoding="ascii", errors="replace") for one in trusted))
            guard = guard.model_copy(update={"client_ca": bundle})
        text = nats_conf(self._state_dir, host, port, log_file=log_file, guard=guard, insiders=self.insiders)
        write_private(conf, text)

    def probe(self, host: str, port: int) -> Probe:
        """Return what asks the server whether it lets us in; the configuration has been written."""
        password = self.insiders.probe if self.insiders else ""
        if self._guard.certificate is None:
            return Probe(host, port, PROBE if password else "", password)
        if self._guard.client_ca:
            return Probe(host, port, tls=unverified(client_files(self._state_dir / _OURS, PROBE)))
        return Probe(host, port, PROBE if password else "", password, unverified())

    def changed(self) -> bool:
        """Say whether accounts or certificates are other files than when the configuration was written."""
        return self._stamps() != self._seen

    def _stamps(self) -> tuple[float, ...]:
        guard = self._guard
        users = guard.accounts / NATS_USERS if guard.accounts else None
        files = [one for one in (users, guard.certificate, guard.key, guard.client_ca) if one]
        return tuple(one.stat().st_mtime if one.exists() else 0.0 for one in files)
