"""Every error of the API as a problem document (RFC 9457) that names the parameter, what was found, what is allowed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from gateway.errors import (
    BadRequestError,
    ConflictError,
    ForbiddenError,
    GatewayError,
    HistoryError,
    NotFoundError,
    RecordsError,
    TooManyError,
    UnauthenticatedError,
)

__all__ = [
    "PROBLEM_JSON",
    "BadParameterError",
    "NoSuchThingError",
    "Problem",
    "Reproach",
    "install_problems",
    "problem_response",
    "problem_responses",
]

PROBLEM_JSON = "application/problem+json"

_FOUND_CHARS = 200
"""What was sent is repeated up to here: enough to recognise it."""

_MEANINGS: dict[int | str, str] = {
    401: "Nobody knows who asks",
    403: "Who asks may not",
    404: "There is no such thing",
    409: "It does not fit what there is now; look again",
    422: "A parameter makes no sense",
    429: "Too much at once; try again later",
    503: "Not now; trying again may help",
    "default": "Any other error",
}

_SECRET = {"password", "new", "code"}

_log = structlog.get_logger(__name__)


class Reproach(BaseModel):
    """One thing wrong with a request."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    parameter: str = Field(description="Which part of the request: a query or path parameter, a header, or `path`")
    found: str
    allowed: str


class Problem(BaseModel):
    """A problem document (RFC 9457)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: str = Field(description="`about:blank`, or a URN that names the kind of problem")
    title: str
    status: int
    detail: str
    instance: str = Field(description="The path that was asked for")
    errors: tuple[Reproach, ...] = Field(default=(), description="Everything wrong with the request, all at once")


class BadParameterError(BadRequestError):
    """A parameter of a request makes no sense."""

    def __init__(self, parameter: str, found: object, allowed: str) -> None:
        self.reproaches = (Reproach(parameter=parameter, found=_clip(found), allowed=allowed),)
        super().__init__(f"{parameter}: found {_clip(found)!r}; allowed: {allowed}")


class NoSuchThingError(NotFoundError):
    """What a path names does not exist."""

    def __init__(self, parameter: str, found: str, allowed: str) -> None:
        self.reproaches = (Reproach(parameter=parameter, found=_clip(found), allowed=allowed),)
        super().__init__(f"there is no {parameter} {_clip(found)!r}; allowed: {allowed}")


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe the problem documents of an operation for OpenAPI; anything else is covered by `default`."""
    keys: tuple[int | str, ...] = (*statuses, "default")
    return {key: _described(_MEANINGS[key]) for key in keys}


def problem_response(
    request: Request, status: int, detail: str, errors: Sequence[Reproach] = (), kind: str = "about:blank"
) -> JSONResponse:
    """Return a problem document."""
    problem = Problem(
        type=kind,
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        instance=request.url.path,
        errors=tuple(errors),
    )
    return JSONResponse(problem.model_dump(), status, media_type=PROBLEM_JSON)


def install_problems(app: FastAPI) -> None:
    """Make every error of ``app`` a problem document."""
    app.exception_handler(RequestValidationError)(_on_invalid)
    app.exception_handler(GatewayError)(_on_gateway_error)
    app.exception_handler(HTTPException)(_on_http_error)
    app.exception_handler(Exception)(_on_unexpected)


def _on_invalid(request: Request, error: RequestValidationError) -> JSONResponse:
    errors = [
        Reproach(
            parameter=_parameter(one["loc"]), found=_found(one["loc"], one.get("input")), allowed=_allowed(one["msg"])
        )
        for one in error.errors()
    ]
    detail = "; ".join(f"{one.parameter}: found {one.found!r}; allowed: {one.allowed}" for one in errors)
    return problem_response(request, 422, detail, errors, "urn:hazgate:problem:invalid-parameter")


_REFUSALS: Mapping[type[GatewayError], tuple[HTTPStatus, str]] = MappingProxyType(
    {
        NotFoundError: (HTTPStatus.NOT_FOUND, "not-found"),
        BadRequestError: (HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-parameter"),
        UnauthenticatedError: (HTTPStatus.UNAUTHORIZED, "unauthenticated"),
        ForbiddenError: (HTTPStatus.FORBIDDEN, "forbidden"),
        TooManyError: (HTTPStatus.TOO_MANY_REQUESTS, "too-many"),
        ConflictError: (HTTPStatus.CONFLICT, "conflict"),
    }
)


def _on_gateway_error(request: Request, error: GatewayError) -> Response:
    errors = getattr(error, "reproaches", ())
    for kind, (status, name) in _REFUSALS.items():
        if isinstance(error, kind):
            response = problem_response(request, status, str(error), errors, f"urn:hazgate:problem:{name}")
            return _with_hints(request, error, response)
    name = "history" if isinstance(error, HistoryError) else "records" if isinstance(error, RecordsError) else "gateway"
    _log.warning("api_unavailable", path=request.url.path, store=name, error=str(error))
    response = problem_response(request, 503, str(error), (), f"urn:hazgate:problem:{name}-unavailable")
    response.headers["Retry-After"] = "1"
    return response


def _with_hints(request: Request, error: GatewayError, response: JSONResponse) -> Response:
    """Say how to go on: where to sign in, when to try again."""
    if isinstance(error, TooManyError):
        response.headers["Retry-After"] = str(max(1, round(error.after_s)))
    if isinstance(error, UnauthenticatedError):
        if request.method == "GET" and "text/html" in request.headers.get("Accept", ""):
            return RedirectResponse("/login", HTTPStatus.SEE_OTHER)
        response.headers["WWW-Authenticate"] = 'Bearer realm="hazgate"'
    return response


def _on_http_error(request: Request, error: HTTPException) -> JSONResponse:
    path = request.url.path
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = headers.get("Allow") or headers.get("allow") or "GET"
        errors = [Reproach(parameter="method", found=request.method, allowed=allowed)]
    elif error.status_code == HTTPStatus.NOT_FOUND:
        errors = [Reproach(parameter="path", found=_clip(path), allowed="a path of /api/v1/openapi.json")]
    else:
        errors = []
    detail = "; ".join(f"{one.parameter} {one.found!r}: allowed is {one.allowed}" for one in errors)
    response = problem_response(request, error.status_code, detail or str(error.detail), errors)
    response.headers.update(headers)
    return response


def _on_unexpected(request: Request, error: Exception) -> JSONResponse:
    _log.error("api_failed", path=request.url.path, exc_info=error)
    return problem_response(request, 500, "the gateway failed to answer; its log says why")


def _found(location: Sequence[int | str], found: object) -> str:
    """Return what was sent, but for what nobody should ever see again."""
    return "…" if _SECRET & {str(part) for part in location} else _clip(found)


def _parameter(location: Sequence[int | str]) -> str:
    """Return the name of a parameter, with the position where it was given several times."""
    named = [str(part) for part in location[1:2]] + [str(part) for part in location[2:] if isinstance(part, int)]
    return ".".join(named) or str(location[0])


def _allowed(message: str) -> str:
    """Return what a validator says is allowed, without the words around it."""
    return message.removeprefix("Value error, ").removeprefix("Input should be ")


def _clip(found: object) -> str:
    if isinstance(found, dict):
        return "nothing"  # a missing parameter is reported with everything else that was sent
    text = str(found)
    return text if len(text) <= _FOUND_CHARS else text[:_FOUND_CHARS] + "…"


def _described(description: str) -> dict[str, Any]:
    content = {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"description": description, "content": content}
