"""`hazgate openapi`: prints the OpenAPI document of the HTTP interface, as it is kept in docs/openapi.json."""

from __future__ import annotations

import json
from importlib.metadata import version

import typer

from gateway.api.app import openapi_document

__all__ = ["run"]


def run() -> None:
    """输出接口描述 · Print the OpenAPI document of the HTTP interface."""
    typer.echo(json.dumps(openapi_document(version("hazgate")), ensure_ascii=False, indent=2))
