"""Parts of requests that several endpoints share: moments, cursors, and the refusal of what no endpoint knows."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

import msgspec
from fastapi import Request
from fastapi.routing import APIRoute
from pydantic import BeforeValidator, WithJsonSchema

from config.contract.frame import LATEST_TIME_MS
from gateway.api.problems import BadParameterError

__all__ = ["Moment", "parse_moment", "query_digest", "read_cursor", "refuse_unknown", "write_cursor"]

_MOMENT_ALLOWED = "epoch milliseconds, or ISO 8601 with an offset such as 2026-01-31T08:00:00Z or …+08:00"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_moment(found: object) -> int:
    """Return UTC epoch milliseconds.

    Raises:
        ValueError: Neither epoch milliseconds nor ISO 8601 with an offset, or outside what a clock can show.
    """
    text = str(found).strip()
    if text.isascii() and text.isdecimal():
        at_ms = int(text) if len(text) < 20 else LATEST_TIME_MS + 1  # noqa: PLR2004  # longer than any 64-bit number
    else:
        at_ms = _iso_ms(text)
    if not 0 <= at_ms <= LATEST_TIME_MS:
        raise ValueError(_MOMENT_ALLOWED)
    return at_ms


def _iso_ms(text: str) -> int:
    # A plus sign that was not percent-encoded arrives as a space: 08:00:00+08:00 -> 08:00:00 08:00
    head, space, offset = text.rpartition(" ")
    restored = f"{head}+{offset}" if space and "T" in head else text
    try:
        moment = datetime.fromisoformat(restored)
    except ValueError:
        raise ValueError(_MOMENT_ALLOWED) from None
    if moment.tzinfo is None:
        raise ValueError(_MOMENT_ALLOWED)
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000


Moment = Annotated[
    int,
    BeforeValidator(parse_moment),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 0, "description": "UTC epoch milliseconds"},
                {"type": "string", "format": "date-time"},
            ]
        }
    ),
]
"""A moment in a query: epoch milliseconds or ISO 8601 with an offset."""

C = TypeVar("C")


def query_digest(*parts: object) -> str:
    """Return a short name for the question a cursor belongs to."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]


def write_cursor(key: Sequence[int | str], digest: str) -> str:
    """Return the opaque text behind which the next page begins."""
    return base64.urlsafe_b64encode(msgspec.json.encode((digest, *key))).decode().rstrip("=")


def read_cursor(text: str, digest: str, kind: type[C]) -> C:
    """Return the key held in a cursor.

    Args:
        text: As given out by `write_cursor`.
        digest: Of the question now asked: a cursor leads on only in the question that gave it.
        kind: The tuple type of digest and key, e.g. ``tuple[str, int, str]``.

    Raises:
        BadParameterError: It was not given out, or for another question.
    """
    padded = text + "=" * (-len(text) % 4)
    try:
        raw = base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True)
        read = msgspec.json.decode(raw, type=kind)
    except (binascii.Error, UnicodeError, msgspec.DecodeError):
        raise BadParameterError("cursor", text, "next_cursor of the page before") from None
    if not isinstance(read, tuple) or read[0] != digest:
        raise BadParameterError("cursor", text, "next_cursor of a page asked for with the same filters and order")
    return read


async def refuse_unknown(request: Request) -> None:
    """Refuse query parameters that the OpenAPI document does not name, and single ones given twice.

    Raises:
        BadParameterError: Naming the first of them.
    """
    route = request.scope.get("route")
    if not request.query_params or not isinstance(route, APIRoute) or not route.include_in_schema:
        return
    known = _query_parameters(request.app.openapi()["paths"][route.path_format])
    for name in request.query_params:
        if name not in known:
            raise BadParameterError(name, request.query_params[name], ", ".join(known) or "no query parameter")
        if not known[name] and len(request.query_params.getlist(name)) > 1:
            raise BadParameterError(name, ", ".join(request.query_params.getlist(name)), "one value")


def _query_parameters(operations: Mapping[str, Any]) -> dict[str, bool]:
    """Return query parameter -> whether it may be given several times, for one path of the OpenAPI document."""
    return {
        one["name"]: _is_list(one["schema"])
        for operation in operations.values()
        for one in operation.get("parameters", ())
        if one["in"] == "query"
    }


def _is_list(schema: Mapping[str, Any]) -> bool:
    return schema.get("type") == "array"
