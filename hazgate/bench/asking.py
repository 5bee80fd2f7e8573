"""Asks a gateway under test over HTTP."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

from hazgate.bench.pipeline import BenchError

__all__ = ["post_json", "text_of"]


def text_of(address: str, path: str) -> str | None:
    """Return an answer; None when there is none, or it is an error."""
    try:
        with urllib.request.urlopen(f"{address}{path}", timeout=10) as answer:  # noqa: S310 - our own gateway
            text: str = answer.read().decode()
            return text
    except OSError:
        return None


def post_json(address: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Ask for something to be done; returns the answer.

    Raises:
        BenchError: It was not done.
    """
    request = urllib.request.Request(  # noqa: S310 - our own gateway
        f"{address}{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - our own gateway
            found: dict[str, Any] = json.loads(answer.read())
            return found
    except OSError as error:
        raise BenchError(f"{path}: {error}") from error
