"""The page to sign in, change one's password, sign out; the rest of the pages send whoever is unknown here."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from gateway.api.context import InContext
from gateway.api.page import templates
from gateway.api.words import pick_language, words
from gateway.messages import in_words

__all__ = ["router"]

router = APIRouter(include_in_schema=False)


@router.get("/login", response_class=HTMLResponse)
def get_login(request: Request, context: InContext) -> HTMLResponse:
    """Show the page; its script asks who one is."""
    lang = pick_language(request.query_params.get("lang"), request.headers.get("Accept-Language", ""))
    html = templates.get_template("login.html").render(
        lang=lang, t=words(lang), site=in_words(context.plant.site.name, lang)
    )
    return HTMLResponse(html, headers={"Content-Language": "zh-CN" if lang == "zh" else "en"})
