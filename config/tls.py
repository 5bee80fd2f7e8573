"""TLS to a server: what we accept, and in plain words why we did not."""

from __future__ import annotations

import ssl
from pathlib import Path

from config.errors import CertificateError
from config.plant.model import Text
from config.settings import BrokerAddress

__all__ = ["client_context", "explained", "server_context"]

_VERIFY = {
    9: Text("对方证书尚未生效：核对时钟", "its certificate is not valid yet: see to the clocks"),
    10: Text("对方证书已过期：更换证书", "its certificate has expired: renew it"),
    18: Text(
        "对方证书自签，未被信任：用 ?ca= 指定签发者",
        "its certificate vouches for itself: name its issuer with ?ca=FILE",
    ),
    19: Text("签发者未被信任：用 ?ca= 指定签发者", "its issuer is not trusted: name the right one with ?ca=FILE"),
    20: Text("签发者未被信任：用 ?ca= 指定签发者", "its issuer is not trusted: name the right one with ?ca=FILE"),
    62: Text(
        "证书不属于该主机名", "its certificate is for another host name: use the name in it, or have it made anew"
    ),
    64: Text("证书不属于该地址", "its certificate is for another address: use the name in it, or have it made anew"),
}
"""OpenSSL's reason to refuse a certificate (X509_V_ERR_..) -> what to do."""

_ALERTS = {
    "CERTIFICATE_REQUIRED": Text(
        "对方要求客户端证书：?cert= 与 &key=", "it wants a certificate of ours: ?cert=FILE&key=FILE"
    ),
    "CERTIFICATE_EXPIRED": Text("我方证书已过期：更换", "our certificate has expired: renew it"),
    "CERTIFICATE_REVOKED": Text("我方证书已吊销", "our certificate has been revoked"),
    "UNKNOWN_CA": Text("对方不信任我方证书的签发者", "it does not trust the issuer of our certificate"),
    "BAD_CERTIFICATE": Text("对方不接受我方证书", "it does not accept our certificate: expired, or of another issuer?"),
    "HANDSHAKE_FAILURE": Text(
        "握手被拒绝：对方要求客户端证书？", "it refuses the handshake: does it want ?cert=FILE&key=FILE?"
    ),
    "WRONG_VERSION_NUMBER": Text(
        "对方不是 TLS 端口", "no TLS is spoken there: mqtt:// instead of mqtts://, or another port?"
    ),
    "PROTOCOL_VERSION": Text("对方只支持过旧的 TLS", "it speaks only TLS before 1.2"),
}
"""Part of OpenSSL's name of an alert -> what to do."""


class _TidySocket(ssl.SSLSocket):
    """Closes itself when the handshake fails, which paho leaves to whoever collects the garbage."""

    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002 - as in the base class
        try:
            super().do_handshake(block)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except OSError:
            self.close()
            raise


def client_context(address: BrokerAddress) -> ssl.SSLContext | None:
    """Return what a connection to this broker needs; None when it is plain.

    Files are read each time: a renewed certificate is used at the next connection.

    Raises:
        CertificateError: A file cannot be read, or is not what it should be.
    """
    if not address.tls:
        return None
    try:
        context = ssl.create_default_context(cafile=address.ca)
    except OSError as error:
        raise CertificateError(f"{address.ca}: no certificates (PEM) to trust in it: {_why(error)}") from error
    context.sslsocket_class = _TidySocket
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if address.cert is not None:
        _show(context, address.cert, address.key)
    return context


def server_context(certificate: Path, key: Path | None) -> ssl.SSLContext:
    """Return what a server of ours needs to show who it is.

    Raises:
        CertificateError: A file cannot be read, or the key is not the certificate's.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _show(context, certificate, key)
    return context


def explained(error: BaseException | str, said: str = "") -> str:
    """Return the error in words that name the mend when it, or what caused it, is about TLS; else as it is.

    Args:
        error: What went wrong.
        said: What a library wrote down about it, where its error does not tell.
    """
    cause = error if isinstance(error, BaseException) else None
    while cause is not None and not isinstance(cause, ssl.SSLError):
        cause = cause.__cause__ or cause.__context__
    if isinstance(cause, ssl.SSLCertVerificationError) and cause.verify_code in _VERIFY:
        mend = _VERIFY[cause.verify_code]
    else:
        told = f"{cause or ''} {said}".upper()
        found = next((text for name, text in _ALERTS.items() if name in told), None)
        if found is None:
            return f"{error}"
        mend = found
    return f"{mend.zh} / {mend.en} ({cause or said})"


def _show(context: ssl.SSLContext, certificate: Path, key: Path | None) -> None:
    try:
        context.load_cert_chain(certificate, key)
    except OSError as error:
        files = f"{certificate} and {key}" if key else f"{certificate} (certificate and key in one file)"
        raise CertificateError(f"{files}: not a certificate (PEM) and its key: {_why(error)}") from error


def _why(error: OSError) -> str:
    return error.strerror or str(error)
