"""Papers about the unit, the vessel and the substance: emergency plan, disposal card, SDS."""

from __future__ import annotations

from pydantic import Field

from gateway.api.models import Model, Name
from gateway.story.case import Case
from gateway.story.moments import day_text
from gateway.story.telling import Said, empty, said

__all__ = ["PapersContent", "tell_papers"]

_MOST = 10


class PaperView(Model):
    """A paper."""

    id: str
    name: Name
    sort: str
    about: str
    number: str
    valid_until: str
    expired: bool
    link: str
    text: str = Field(description="Its beginning")


class PapersContent(Model):
    """Papers, those about the vessel first."""

    items: tuple[PaperView, ...]


def tell_papers(case: Case) -> Said[PapersContent]:
    """Tell of the papers."""
    today = day_text(case.at_ms)
    found = [
        one.body
        for about in dict.fromkeys((case.vessel, case.unit, case.cas, case.enterprise))
        if about
        for one in case.sources.registry.find("document", case.scope, parent=about, limit=_MOST)
    ]
    if not found:
        return empty("未登记预案、处置卡或安全技术说明书", "no plan, disposal card or SDS is registered")
    return said(
        PapersContent(
            items=tuple(
                PaperView(
                    id=body["id"],
                    name=Name(zh=body["name_zh"], en=body.get("name_en") or body["name_zh"]),
                    sort=body["sort"],
                    about=body.get("about", ""),
                    number=body.get("number", ""),
                    valid_until=body.get("valid_until", ""),
                    expired=bool(body.get("valid_until")) and body["valid_until"] < today,
                    link=body.get("link", ""),
                    text=body.get("text", "")[:500],
                )
                for body in found[:_MOST]
            )
        )
    )
