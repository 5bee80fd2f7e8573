"""The live page: everything that matters on one screen, also without JavaScript."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, FastAPI
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

__all__ = ["mount_static", "router"]

_HERE = Path(__file__).parent

router = APIRouter(include_in_schema=False)


@router.get("/", response_class=HTMLResponse)
def get_page() -> HTMLResponse:
    """Show the live page."""
    return HTMLResponse("<!doctype html><title>HazGate</title>")


def mount_static(app: FastAPI) -> None:
    """Serve what the page needs."""
    app.mount("/static", StaticFiles(directory=_HERE / "static"), name="static")
