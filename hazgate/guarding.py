"""What commands say of the embedded broker's guard, and of how it is reached from beside it."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated

import typer

from config.access import GATEWAY
from config.settings import BrokerAddress, BrokerGuard
from gateway.broker import EmbeddedBroker
from gateway.certificates import CA_CERTIFICATE, client_files, server_files
from gateway.credentials import NATS_USERS, password_file
from hazgate.arguments import wrong_use

__all__ = [
    "BrokerAnonymous",
    "BrokerCertificates",
    "BrokerClientCertificates",
    "BrokerCredentials",
    "beside",
    "guard_of",
]

BrokerCredentials = Annotated[
    Path | None,
    typer.Option("--broker-credentials", help="Accounts made by `hazgate broker credentials`; a change is noticed."),
]
BrokerCertificates = Annotated[
    Path | None,
    typer.Option("--broker-certificates", help="TLS: directory made by `hazgate broker certificates`, or like it."),
]
BrokerClientCertificates = Annotated[
    bool, typer.Option("--client-certificates", help="Clients show a certificate instead of a password.")
]
BrokerAnonymous = Annotated[
    bool, typer.Option("--mqtt-anonymous", help="Let everybody do everything, also from other machines.")
]


def guard_of(
    host: str,
    credentials: Path | None,
    certificates: Path | None,
    client_certificates: bool,
    *,
    anonymous: bool,
) -> BrokerGuard:
    """Return whom the broker lets in; what makes no sense, or is open to the network by accident, ends with exit 2."""
    if credentials is None and not anonymous and not _is_loopback(host):
        wrong_use(
            f"{host} is open to the network: give --broker-credentials DIR (made by `hazgate broker credentials`), "
            "or --mqtt-anonymous to let everybody do everything"
        )
    if credentials is not None and not (credentials / NATS_USERS).is_file():
        wrong_use(f"{credentials}: no accounts there; make them with `hazgate broker credentials --dir {credentials}`")
    if client_certificates and (certificates is None or credentials is None):
        wrong_use("--client-certificates needs --broker-certificates DIR and --broker-credentials DIR")
    if certificates is None:
        return BrokerGuard(accounts=credentials)
    certificate, key = server_files(certificates)
    for path in (certificate, key, certificates / CA_CERTIFICATE):
        if not path.is_file():
            wrong_use(f"{path}: not there; make it with `hazgate broker certificates --dir {certificates}`")
    client_ca = certificates / CA_CERTIFICATE if client_certificates else None
    return BrokerGuard(accounts=credentials, certificate=certificate, key=key, client_ca=client_ca)


def beside(broker: EmbeddedBroker, guard: BrokerGuard) -> BrokerAddress:
    """Return how the gateway of the same command reaches its broker; without its key it ends with exit 2."""
    host, _, port = broker.address.rpartition(":")
    address = BrokerAddress(host=host, port=int(port))
    if guard.certificate:
        address = address.model_copy(update={"tls": True, "ca": guard.certificate.parent / CA_CERTIFICATE})
    if guard.client_ca:
        certificate, key = client_files(guard.client_ca.parent, GATEWAY)
        if not certificate.is_file():
            wrong_use(f"{certificate}: not there; `hazgate broker certificates --dir DIR --client {GATEWAY}`")
        return address.model_copy(update={"cert": certificate, "key": key})
    if guard.accounts is None:
        return address
    try:
        secret = password_file(guard.accounts, GATEWAY).read_text(encoding="utf-8").strip()
    except OSError as error:
        wrong_use(f"the gateway has no password: {error}; `hazgate broker credentials --dir DIR --replace {GATEWAY}`")
    return BrokerAddress(**{**address.model_dump(), "username": GATEWAY, "password": secret})


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
