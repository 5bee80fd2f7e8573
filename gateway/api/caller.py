"""Who asks: the account behind a request, and from where."""

from __future__ import annotations

from typing import Annotated

from fastapi import Header, Request

from gateway.commands import By

__all__ = ["IdempotencyKey", "caller_of"]

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=128,
        description="The same key again changes nothing and answers as before; without it the same words count as one",
    ),
]


def caller_of(request: Request, named: str) -> By:
    """Return who asks.

    Args:
        request: The request.
        named: What the request says of itself.
    """
    return By(named, request.client.host if request.client else "")
