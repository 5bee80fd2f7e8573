"""A small certificate authority for a plant that has none: one for the brokers, gateways and clients of a site."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gateway.credentials import write_private
from gateway.errors import CredentialsError

__all__ = ["CA_CERTIFICATE", "CA_KEY", "Authority", "client_files", "server_files"]

CA_CERTIFICATE = "ca.crt"
CA_KEY = "ca.key"
_CA_DAYS = 3650
_BACKDATED = timedelta(hours=1)
"""An edge's clock may be a little behind ours."""


def server_files(folder: Path) -> tuple[Path, Path]:
    """Return certificate and key of the broker and of HTTPS."""
    return folder / "server.crt", folder / "server.key"


def client_files(folder: Path, name: str) -> tuple[Path, Path]:
    """Return certificate and key of one client."""
    return folder / "clients" / f"{name}.crt", folder / "clients" / f"{name}.key"


class Authority:
    """Signs certificates with ``ca.key`` in a directory; makes one there when there is none.

    Args:
        folder: Made when missing.
        now_ms: When certificates begin.

    Raises:
        CredentialsError: What is there cannot be read, or nothing can be written.
    """

    def __init__(self, folder: Path, now_ms: int) -> None:
        self._folder = folder
        self._now = datetime.fromtimestamp(now_ms / 1000, UTC)
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not (folder / CA_CERTIFICATE).exists():
                self._make()
            self._certificate = x509.load_pem_x509_certificate((folder / CA_CERTIFICATE).read_bytes())
            key = serialization.load_pem_private_key((folder / CA_KEY).read_bytes(), None)
        except (OSError, ValueError, TypeError) as error:
            raise CredentialsError(f"{folder}: its {CA_CERTIFICATE} and {CA_KEY} cannot be used: {error}") from error
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != self._certificate.public_key():
            raise CredentialsError(f"{folder}: {CA_KEY} is not the key of {CA_CERTIFICATE}")
        self._key = key

    def server(self, names: Sequence[str], days: int) -> Path:
        """Make certificate and key of a server reached under these host names and addresses; returns the former."""
        return self._issue(server_files(self._folder), names[0], names, days, ExtendedKeyUsageOID.SERVER_AUTH)

    def client(self, name: str, days: int) -> Path:
        """Make certificate and key of a client with this account; returns the former."""
        return self._issue(client_files(self._folder, name), name, [name], days, ExtendedKeyUsageOID.CLIENT_AUTH)

    def _issue(
        self, files: tuple[Path, Path], common: str, names: Sequence[str], days: int, usage: x509.ObjectIdentifier
    ) -> Path:
        key = ec.generate_private_key(ec.SECP256R1())
        unsigned = (
            self._begun(common, days)
            .issuer_name(self._certificate.subject)
            .public_key(key.public_key())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([_named(name) for name in names]), critical=False)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
        )
        self._write(*files, unsigned.sign(self._key, hashes.SHA256()), key)
        return files[0]

    def _make(self) -> None:
        if (self._folder / CA_KEY).exists():
            raise CredentialsError(f"{self._folder}: there is a {CA_KEY} without its {CA_CERTIFICATE}")
        key = ec.generate_private_key(ec.SECP256R1())
        unsigned = self._begun("HazGate CA", _CA_DAYS)
        certificate = (
            unsigned.issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "HazGate CA")]))
            .public_key(key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_CA_USAGE, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        self._write(self._folder / CA_CERTIFICATE, self._folder / CA_KEY, certificate, key)

    def _begun(self, common: str, days: int) -> x509.CertificateBuilder:
        try:
            subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
        except ValueError as error:
            raise CredentialsError(f"{common!r} cannot be the name in a certificate: {error}") from error
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._now - _BACKDATED)
            .not_valid_after(self._now + timedelta(days=days))
        )

    def _write(
        self, certificate_file: Path, key_file: Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey
    ) -> None:
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        try:
            key_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_private(key_file, private.decode())
            write_private(certificate_file, certificate.public_bytes(serialization.Encoding.PEM).decode())
        except OSError as error:
            raise CredentialsError(f"{key_file.parent} cannot be written: {error}") from error


_CA_USAGE = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


def _named(name: str) -> x509.GeneralName:
    """Return a host name or an address as a certificate carries it."""
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
