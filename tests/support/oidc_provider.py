"""A small OpenID Connect provider on a port of its own: discovery, authorization code with PKCE, tokens, keys.

It checks what a provider checks (client, secret, redirect, verifier, a code counts once), and can be told to misbehave.
"""

from __future__ import annotations

import json
import secrets
import threading
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

__all__ = ["CLIENT", "SECRET", "OidcProvider", "provider_on_a_port"]

CLIENT, SECRET = "hazgate", "the secret of the client"


@dataclass
class OidcProvider:
    """What the provider knows, and the hands to change it."""

    address: str
    now_s: int
    user: dict[str, Any] = field(default_factory=lambda: {"sub": "u-1", "preferred_username": "li", "groups": ["duty"]})
    """Whoever asks is this one."""
    keys: list[RSAKey] = field(default_factory=lambda: [RSAKey.generate_key(2048, {"kid": "k1"})])
    """The first one signs."""
    spoilt: dict[str, Any] = field(default_factory=dict)
    """Claims that are written otherwise; None: left out."""
    algorithm: str = "RS256"
    issuer: str = ""
    """As discovery says; empty: as it is."""
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def authorize(self, query: dict[str, str]) -> str:
        """Return where the browser is sent back to."""
        assert query["response_type"] == "code"
        assert (query["client_id"], query["code_challenge_method"]) == (CLIENT, "S256")
        assert "openid" in query["scope"].split()
        code = secrets.token_urlsafe(16)
        self.codes[code] = query
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state'], 'iss': self.address})}"

    def token(self, fields: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        """Return the answer to somebody who brings a code."""
        if authorization != "Basic " + b64encode(f"{CLIENT}:{SECRET}".encode()).decode():
            return 401, {"error": "invalid_client"}
        began = self.codes.pop(fields.get("code", ""), None)
        challenge = urlsafe_b64encode(sha256(fields.get("code_verifier", "").encode()).digest()).decode().rstrip("=")
        if (
            began is None
            or fields["grant_type"] != "authorization_code"
            or fields["redirect_uri"] != began["redirect_uri"]
            or challenge != began["code_challenge"]
        ):
            return 400, {"error": "invalid_grant"}
        times = {"iat": self.now_s, "exp": self.now_s + 300}
        claims = {"iss": self.address, "aud": CLIENT, "nonce": began["nonce"], **times, **self.user, **self.spoilt}
        return 200, {"access_token": "x", "token_type": "Bearer", "id_token": self._sign(claims)}

    def _sign(self, claims: dict[str, Any]) -> str:
        header = {"alg": self.algorithm, "kid": self.keys[0].kid}
        key = OctKey.import_key(SECRET) if self.algorithm == "HS256" else self.keys[0]
        said = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(header, said, key, algorithms=[self.algorithm])

    def answer(self, method: str, path: str, fields: dict[str, str], authorization: str) -> tuple[int, object]:
        """Return status and body; a text: where to go."""
        self.asked.append(path)
        match method, path:
            case "GET", "/.well-known/openid-configuration":
                ways = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "jwks"}
                said = {name: f"{self.address}/{way}" for name, way in ways.items()}
                return 200, {"issuer": self.issuer or self.address, **said}
            case "GET", "/jwks":
                return 200, {"keys": [key.as_dict(private=False) for key in self.keys]}
            case "GET", "/authorize":
                return 302, self.authorize(fields)
            case "POST", "/token":
                return self.token(fields, authorization)
            case _:
                return 404, {}


@contextmanager
def provider_on_a_port(now_s: int) -> Iterator[OidcProvider]:
    """Yield a provider that answers."""

    class Handler(BaseHTTPRequestHandler):
        provider: ClassVar[OidcProvider]

        def do_GET(self) -> None:
            self._answer("GET", dict(parse_qsl(urlsplit(self.path).query)))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self._answer("POST", dict(parse_qsl(body)))

        def _answer(self, method: str, fields: dict[str, str]) -> None:
            given = self.headers.get("Authorization", "")
            status, said = self.provider.answer(method, urlsplit(self.path).path, fields, given)
            body = json.dumps(said).encode()
            self.send_response(status)
            if isinstance(said, str):
                self.send_header("Location", said)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Handler.provider = OidcProvider(f"http://127.0.0.1:{server.server_address[1]}", now_s)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield Handler.provider
        finally:
            server.shutdown()
            thread.join()
