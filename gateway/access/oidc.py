"""Signing in at one's organisation: OpenID Connect, authorization code with PKCE, state and nonce.

The provider says who somebody is; which groups may do what is written here, in the settings. What a browser carries
meanwhile is in a cookie of its own, so that any process of the gateway can finish what another began.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode, urlsplit

import urllib3
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from config.clock import Clock
from config.settings import OidcSettings
from gateway.access.roles import Role, Scope
from gateway.errors import ForbiddenError, GatewayError, UnauthenticatedError

__all__ = ["Beginning", "Person", "Provider", "is_safe"]

_ALGORITHMS = ("RS256", "PS256", "ES256", "ES384", "EdDSA")
"""Of signatures; never what a token itself asks for, never one with a shared secret."""
_LEEWAY_S = 60
_KEEP_S = 3_600.0
_AGAIN_S = 60.0
"""Keys are asked for again when one is missing, but no more often: a provider changes them now and then."""
_LONGEST_ANSWER = 1_000_000
_TIMEOUT = urllib3.Timeout(connect=3.0, read=5.0)


@dataclass(frozen=True, slots=True)
class Beginning:
    """Where a browser is sent, and what it carries until it is back."""

    url: str
    cookie: str


@dataclass(frozen=True, slots=True)
class Person:
    """Whom the provider has let in, and what that is here."""

    subject: str
    """Digest of issuer and subject: names may change hands, this does not."""
    name: str
    display: str
    role: Role
    scope: Scope


@dataclass(frozen=True, slots=True)
class _Known:
    """What the provider says about itself."""

    authorize: str
    token: str
    keys: KeySet
    read_s: float


class Provider:
    """An OpenID Connect provider. Any thread may use it.

    Args:
        settings: Which, and what its groups are here.
        clock: Wall and monotonic.
    """

    def __init__(self, settings: OidcSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._pool = urllib3.PoolManager(timeout=_TIMEOUT, retries=False)
        self._known: _Known | None = None
        self._lock = threading.Lock()

    @property
    def issuer(self) -> str:
        """Its name."""
        return self._settings.issuer

    @property
    def _back(self) -> str:
        return f"{self._settings.address}/api/v1/session/oidc/callback"

    def begin(self) -> Beginning:
        """Return where to send a browser that wants to sign in.

        Raises:
            GatewayError: The provider does not answer.
        """
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        url = prepare_grant_uri(
            self._provider().authorize,
            client_id=self._settings.client_id,
            response_type="code",
            redirect_uri=self._back,
            scope=self._settings.scope,
            state=state,
            nonce=nonce,
            code_challenge=create_s256_code_challenge(verifier),
            code_challenge_method="S256",
        )
        return Beginning(url, f"{state}.{nonce}.{verifier}")

    def finish(self, code: str, state: str, cookie: str) -> Person:
        """Return who has come back.

        Args:
            code: Of the provider.
            state: As the provider gave it back.
            cookie: What the browser carried.

        Raises:
            UnauthenticatedError: It is not who began, or the provider did not sign for it.
            ForbiddenError: None of the groups is anything here.
            GatewayError: The provider does not answer.
        """
        began, nonce, verifier = (*cookie.split("."), "", "", "")[:3]
        if not verifier or not secrets.compare_digest(began.encode(), state.encode()):
            raise UnauthenticatedError("this sign-in was not begun here, or too long ago（登录已过期，请重试）")
        return self._person(self._claims(self._exchange(code, verifier), nonce))

    def _exchange(self, code: str, verifier: str) -> str:
        """Return the signed word of the provider for a code."""
        fields = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._back,
            "client_id": self._settings.client_id,
            "code_verifier": verifier,
        }
        headers = {}
        if self._settings.client_secret is not None:
            secret = self._settings.client_secret.get_secret_value()
            headers = urllib3.make_headers(basic_auth=f"{self._settings.client_id}:{secret}")
        status, said = self._ask("POST", self._provider().token, fields, headers)
        token = said.get("id_token")
        if status != HTTPStatus.OK or not isinstance(token, str):
            raise UnauthenticatedError(f"the provider refused: {str(said.get('error', status))[:100]}")
        return token

    def _claims(self, token: str, nonce: str) -> dict[str, Any]:
        """Return what the provider says, once it is certain that it says so, to us, now, and in answer to this."""
        ours, now_s = self._settings, self._clock.wall_ms() // 1000
        wanted = jwt.JWTClaimsRegistry(
            now=now_s,
            leeway=_LEEWAY_S,
            iss={"essential": True, "value": ours.issuer},
            aud={"essential": True, "value": ours.client_id},
            exp={"essential": True},
            iat={"essential": True},
            sub={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        try:
            claims = self._decoded(token)
            wanted.validate(claims)
        except (JoseError, ValueError) as error:
            raise UnauthenticatedError(f"the provider's word does not hold: {type(error).__name__}") from error
        if claims.get("azp", ours.client_id) != ours.client_id:
            raise UnauthenticatedError("the provider's word is for another application")
        return claims

    def _decoded(self, token: str) -> dict[str, Any]:
        known = self._provider()
        try:
            return dict(jwt.decode(token, known.keys, algorithms=list(_ALGORITHMS)).claims)
        except (JoseError, ValueError):
            if self._clock.monotonic_s() - known.read_s < _AGAIN_S:
                raise
            return dict(
                jwt.decode(token, self._provider(older_than_s=_AGAIN_S).keys, algorithms=list(_ALGORITHMS)).claims
            )

    def _person(self, claims: Mapping[str, Any]) -> Person:
        groups = claims.get(self._settings.groups_claim, ())
        held = {groups} if isinstance(groups, str) else {one for one in groups if isinstance(one, str)}
        subject = sha256(f"{self._settings.issuer}\n{claims['sub']}".encode()).hexdigest()
        name = str(claims.get("preferred_username") or f"oidc-{subject[:12]}").lower()
        for group in self._settings.groups:  # the first that fits counts
            if group.group in held:
                scope = Scope(frozenset(group.enterprises), frozenset(group.districts))
                return Person(subject, name, str(claims.get("name") or name)[:128], Role(group.role), scope)
        raise ForbiddenError(f"{name}: none of your groups has a role here（您所在的组没有权限）")

    def _provider(self, older_than_s: float = _KEEP_S) -> _Known:
        """Return what the provider says about itself; asks when that is too old.

        Raises:
            GatewayError: It does not answer, or not what it should.
        """
        with self._lock:
            now_s = self._clock.monotonic_s()
            if self._known is None or now_s - self._known.read_s >= older_than_s:
                self._known = self._discover(now_s)
            return self._known

    def _discover(self, now_s: float) -> _Known:
        issuer = self._settings.issuer
        _, said = self._ask("GET", f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        if said.get("issuer") != issuer:
            raise GatewayError(f"the provider {issuer} says it is {str(said.get('issuer'))[:100]}")
        try:
            authorize, token, keys = (said[one] for one in ("authorization_endpoint", "token_endpoint", "jwks_uri"))
            if not all(is_safe(one) for one in (authorize, token, keys)):
                raise GatewayError(f"the provider {issuer} names an address without TLS")
            return _Known(authorize, token, KeySet.import_key_set(self._ask("GET", keys)[1]), now_s)  # type: ignore[arg-type]  # checked by it
        except (KeyError, ValueError, JoseError) as error:
            raise GatewayError(f"the provider {issuer} does not say what it should: {error!r}") from error

    def _ask(
        self, method: str, url: str, fields: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, Any]]:
        """Ask the provider; redirects are not followed, long answers not read.

        Raises:
            GatewayError: It does not answer, or not as JSON.
        """
        try:
            form = None if fields is None else urlencode(fields)
            kind = {} if fields is None else {"Content-Type": "application/x-www-form-urlencoded"}
            answer = self._pool.request(
                method, url, body=form, headers={**kind, **(headers or {})}, redirect=False, preload_content=False
            )
            try:
                body = answer.read(_LONGEST_ANSWER)
            finally:
                answer.release_conn()
            said = json.loads(body)
        except (urllib3.exceptions.HTTPError, ValueError) as error:
            raise GatewayError(
                f"the provider at {urlsplit(url).netloc} does not answer: {type(error).__name__}"
            ) from error
        return answer.status, said if isinstance(said, dict) else {}


def is_safe(url: object) -> bool:
    """Say whether an address is safe to be asked: over TLS, or on this machine."""
    parts = urlsplit(str(url))
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in {"127.0.0.1", "localhost", "::1"})
