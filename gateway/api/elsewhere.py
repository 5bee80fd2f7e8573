"""Endpoints to sign in at one's organisation (OpenID Connect): there, and back."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from gateway.access.oidc import Provider
from gateway.access.sessions import Sessions
from gateway.api.context import Context, InContext
from gateway.api.guard import COOKIE, SECURE_COOKIE, origin_of
from gateway.api.page import templates
from gateway.api.words import pick_language
from gateway.errors import NotFoundError, UnauthenticatedError

__all__ = ["router"]

router = APIRouter(prefix="/api/v1/session/oidc", include_in_schema=False)  # for browsers on their way

_CARRIED = "hazgate-oidc"
_PATH = "/api/v1/session/oidc"
_WITHIN_S = 600


@router.get("")
def sign_in_elsewhere(context: InContext, request: Request) -> Response:
    """Send the browser to the provider."""
    provider, _ = _parts(context)
    beginning = provider.begin()
    response = RedirectResponse(beginning.url, HTTPStatus.SEE_OTHER)
    response.set_cookie(
        _CARRIED,
        beginning.cookie,
        max_age=_WITHIN_S,
        path=_PATH,
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",  # it comes back from another site
    )
    return response


@router.get("/callback")
def come_back(
    context: InContext,
    request: Request,
    state: Annotated[str, Query(max_length=512)],
    code: Annotated[str, Query(max_length=4096)] = "",
    error: Annotated[str, Query(max_length=512)] = "",
    error_description: Annotated[str, Query(max_length=4096)] = "",
    iss: Annotated[str, Query(max_length=512)] = "",
    session_state: Annotated[str, Query(max_length=512)] = "",
) -> Response:
    """Open a session for whom the provider has let in, and go on to the live page."""
    del session_state  # some providers send it; nobody here has a use for it
    provider, sessions = _parts(context)
    if not code or iss not in ("", provider.issuer):
        raise UnauthenticatedError(f"the provider refused: {error or 'no code'} {error_description}"[:300])
    person = provider.finish(code, state, request.cookies.get(_CARRIED, ""))
    opened = sessions.open_for(person, origin_of(request))
    lang = pick_language(None, request.headers.get("Accept-Language", ""))
    # A page, no redirect: a browser shows a SameSite=Strict cookie only to what this site itself leads to.
    response = HTMLResponse(templates.get_template("back.html").render(lang=lang))
    secure = request.url.scheme == "https"
    name = SECURE_COOKIE if secure else COOKIE
    response.set_cookie(name, opened.secret, httponly=True, samesite="strict", secure=secure, path="/")
    response.delete_cookie(_CARRIED, path=_PATH, secure=secure, httponly=True, samesite="lax")
    return response


def _parts(context: Context) -> tuple[Provider, Sessions]:
    provider, sessions = context.gate.provider, context.gate.sessions
    if provider is None or sessions is None:
        raise NotFoundError("nobody signs in elsewhere here（未配置统一认证）")
    return provider, sessions
