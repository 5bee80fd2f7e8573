"""The live page: everything that matters on one screen, also without JavaScript."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path

import structlog
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from gateway.access.roles import Permission
from gateway.api.context import Context, InContext
from gateway.api.feed import CLEARED_LIMIT
from gateway.api.guard import needs
from gateway.api.live_models import EdgeItem
from gateway.api.live_views import edge_items
from gateway.api.models import AlarmItem, TagItem
from gateway.api.tags import with_latest
from gateway.api.views import alarm_item
from gateway.api.words import pick_language, words
from gateway.display import number_text, unit_of
from gateway.errors import RecordsError
from gateway.messages import Lang, in_words

__all__ = ["mount_static", "router", "templates"]

SHOWN_ALARMS = 200
"""Rows of the alarm table; the counters beside it always tell all."""

_HERE = Path(__file__).parent
_MINUTE_S = 60
_HOUR_S = 3600

_log = structlog.get_logger(__name__)

router = APIRouter(include_in_schema=False, dependencies=[needs(Permission.READ, whole=True)])


@dataclass(frozen=True, slots=True)
class TagGroup:
    """Tags shown together."""

    id: str
    name: str
    tags: tuple[TagItem, ...]


@dataclass(frozen=True, slots=True)
class Alarms:
    """What the records say; empty and not ``readable`` when they cannot be read."""

    readable: bool
    active: tuple[AlarmItem, ...] = ()
    by_tier: tuple[tuple[int, int], ...] = ((1, 0), (2, 0), (3, 0), (4, 0))
    cleared: tuple[AlarmItem, ...] = ()
    edges: tuple[EdgeItem, ...] = ()


@router.get("/", response_class=HTMLResponse)
@router.get("/basic", response_class=HTMLResponse)
def get_page(request: Request, context: InContext) -> HTMLResponse:
    """Show everything as it is now; the script of the page keeps it so."""
    lang = pick_language(request.query_params.get("lang"), request.headers.get("Accept-Language", ""))
    alarms = _alarms(context)
    tags = with_latest(context, context.plant.tags.values())
    html = templates.get_template("page.html").render(
        lang=lang,
        t=words(lang),
        plant=context.plant,
        site=in_words(context.plant.site.name, lang),
        enterprise=in_words(context.plant.enterprise.name, lang),
        alarms=alarms,
        latest={tag.tag: tag for tag in tags},
        groups=_groups(context, tags, lang),
        spans={
            name: unit_of(tag, context.plant).show_span(tag.range_high - tag.range_low)
            for name, tag in context.plant.tags.items()
        },
        tiers={alarm.tag: alarm.tier for alarm in reversed(alarms.active)},
        health=context.feed.health(),
        now_ms=context.clock.wall_ms(),
        version=context.software_version,
        shown_alarms=SHOWN_ALARMS,
    )
    status = HTTPStatus.OK if alarms.readable else HTTPStatus.SERVICE_UNAVAILABLE
    return HTMLResponse(html, status, headers={"Content-Language": "zh-CN" if lang == "zh" else "en"})


def mount_static(app: FastAPI) -> None:
    """Serve style sheet and scripts of the page."""
    app.mount("/static", StaticFiles(directory=_HERE / "static"), name="static")


def _alarms(context: Context) -> Alarms:
    """Return what the records say; the page shows values even while they cannot be read."""
    try:
        current = context.queries.current(SHOWN_ALARMS, CLEARED_LIMIT)
        edges = context.queries.edges()
    except RecordsError as error:
        _log.warning("page_records_unavailable", error=str(error))
        return Alarms(readable=False)
    return Alarms(
        readable=True,
        active=tuple(alarm_item(row, context.plant) for row in current.active),
        by_tier=tuple(sorted(current.active_by_tier.items())),
        cleared=tuple(alarm_item(row, context.plant) for row in current.cleared),
        edges=edge_items(context.plant, edges, context.board.values),
    )


def _groups(context: Context, tags: tuple[TagItem, ...], lang: Lang) -> list[TagGroup]:
    """Group tags by hazard unit, then those on vehicles, then the rest."""
    named = words(lang)
    units = context.plant.hazard_units.values()
    groups = [
        TagGroup(unit.id, in_words(unit.name, lang), tuple(tag for tag in tags if tag.hazard_unit == unit.id))
        for unit in units
    ]
    loose = tuple(tag for tag in tags if tag.hazard_unit not in context.plant.hazard_units)
    groups.append(TagGroup("vehicles", named["vehicles"], tuple(tag for tag in loose if tag.vehicle)))
    groups.append(TagGroup("other", named["other_tags"], tuple(tag for tag in loose if not tag.vehicle)))
    return [group for group in groups if group.tags]


def _iso(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")


def _clock_text(at_ms: int) -> str:
    """Write a moment in the time zone of this machine; the script writes it in that of the browser."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone().strftime("%m-%d %H:%M:%S")


def _age_text(age_ms: int) -> str:
    seconds = max(0, age_ms // 1000)
    if seconds < _MINUTE_S:
        return f"{seconds} s"
    if seconds < _HOUR_S:
        return f"{seconds // 60}:{seconds % 60:02d}"
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(number=number_text, iso=_iso, clock=_clock_text, age=_age_text)
    return environment


templates = _environment()
