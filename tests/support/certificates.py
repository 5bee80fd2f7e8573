"""Certificates for tests that speak TLS: one that signs itself, for a name or an address."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

__all__ = ["self_signed"]


def self_signed(work_dir: Path, name: str) -> tuple[ssl.SSLContext, Path]:
    """Return a context for a server of this name, and the file that a client has to trust.

    Args:
        work_dir: For the files.
        name: Subject alternative name as OpenSSL writes it, e.g. ``DNS:a.example``.
    """
    key, certificate = work_dir / "key.pem", work_dir / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "2", "-subj", "/CN=test", "-addext", f"subjectAltName={name}"]
    subprocess.run([*command, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context, certificate
