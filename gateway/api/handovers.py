"""Endpoints about shift handover (交接班): draft, item by item, two signatures, frozen."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from gateway.access.roles import Permission
from gateway.api.context import Context, InContext
from gateway.api.guard import InCaller, by_of, needs
from gateway.api.models import Model, Name
from gateway.api.problems import problem_responses
from gateway.messages import message
from gateway.records.queries import Row
from gateway.shift.handover import Item, Page, seal

__all__ = ["router"]

router = APIRouter(prefix="/api/v1/handovers", tags=["handover"], dependencies=[needs(Permission.READ, whole=True)])
_SIGN = [needs(Permission.SHIFT_SIGN)]
_ANSWERS = problem_responses(401, 403, 404, 409, 422, 503)

HandoverId = Annotated[str, Path(max_length=32)]
Words = Annotated[str, StringConstraints(strip_whitespace=True, max_length=4000)]
By = Annotated[str | None, Field(max_length=128, description="Only where there are no accounts: who says so")]


class _Asked(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    by: By = None


class Accepting(_Asked):
    """Items that are understood."""

    keys: Annotated[tuple[str, ...], Field(min_length=1, max_length=5000)]
    note: Words = ""


class Signing(_Asked):
    """A signature, with a word for the page."""

    note: Words = ""


class Beginning(_Asked):
    """Who hands over."""


class ItemView(Model):
    """One thing the next shift has to know."""

    key: str
    kind: Literal["open", "unhandled", "shelved", "suppressed", "out_of_service", "stale"]
    subject: str = Field(description="Alarm id, or tag (and condition)")
    text: Name
    tier: int = Field(description="0: none")
    owner: str = Field(description="Who sees to it, or who put it aside")
    overdue: str
    accepted_by: str
    accepted_ms: int
    note: str


class HandoverView(Model):
    """A handover."""

    handover_id: str
    state: Literal["draft", "given", "frozen"]
    made_ms: int
    made_by: str = Field(description="Who hands over")
    given_ms: int | None
    taken_by: str | None = Field(description="Who takes over")
    taken_ms: int | None
    note: str
    items: tuple[ItemView, ...]
    hash: str | None = Field(description="Over page and signatures; null: not frozen yet")
    sound: bool | None = Field(description="The page still fits its hash; null: not frozen yet")


class HandoverList(Model):
    """Handovers, the newest first."""

    items: tuple[HandoverView, ...]


@router.get("", operation_id="list_handovers", summary="Handovers", responses=problem_responses(401, 403, 422, 503))
def list_handovers(context: InContext, limit: Annotated[int, Query(ge=1, le=100)] = 10) -> HandoverList:
    """List the latest handovers."""
    return HandoverList(items=tuple(_view(row) for row in context.desk.handovers.latest(limit)))


@router.get("/{handover_id}", operation_id="get_handover", summary="One handover", responses=_ANSWERS)
def get_handover(context: InContext, handover_id: HandoverId) -> HandoverView:
    """Return a handover with its page."""
    return _view(context.desk.handovers.get(handover_id))


@router.post("", operation_id="begin_handover", summary="Draft a page", responses=_ANSWERS, dependencies=_SIGN)
def begin_handover(context: InContext, caller: InCaller, asked: Beginning) -> HandoverView:
    """Draft the page of everything open, unhandled, shelved, suppressed, out of service and stale."""
    return _view(context.desk.handovers.begin(_items(context), by_of(caller, asked.by)))


@router.post(
    "/{handover_id}/refresh",
    operation_id="refresh_handover",
    summary="Draft it anew",
    responses=_ANSWERS,
    dependencies=_SIGN,
)
def refresh_handover(context: InContext, caller: InCaller, handover_id: HandoverId, asked: Beginning) -> HandoverView:
    """Draft the page anew. What was accepted and has not changed stays accepted; a signature does not stay."""
    return _view(context.desk.handovers.refresh(handover_id, _items(context), by_of(caller, asked.by)))


@router.post(
    "/{handover_id}/accept",
    operation_id="accept_handover_items",
    summary="Item by item",
    responses=_ANSWERS,
    dependencies=_SIGN,
)
def accept_handover_items(
    context: InContext, caller: InCaller, handover_id: HandoverId, asked: Accepting
) -> HandoverView:
    """Say that items are understood, as the one who takes over."""
    return _view(context.desk.handovers.accept(handover_id, asked.keys, asked.note, by_of(caller, asked.by)))


@router.post(
    "/{handover_id}/sign", operation_id="sign_handover", summary="Sign", responses=_ANSWERS, dependencies=_SIGN
)
def sign_handover(context: InContext, caller: InCaller, handover_id: HandoverId, asked: Signing) -> HandoverView:
    """Sign: first who hands over, then who takes over, when every item is accepted; frozen with a hash from then on.

    409 while a red alarm has nobody who sees to it, and when something is new since the draft.
    """
    return _view(context.desk.handovers.sign(handover_id, _items(context), asked.note, by_of(caller, asked.by)))


def _items(context: Context) -> list[Item]:
    def words(row: Row) -> tuple[str, str]:
        return message(row, context.plant, "zh"), message(row, context.plant, "en")

    values = context.board.values
    stale = [] if values is None else [name for name, old in zip(values.names, values.stale, strict=True) if old]
    return context.desk.handovers.items(words, [name for name in stale if name in context.plant.tags])


def _view(row: Row) -> HandoverView:
    page = msgspec.json.decode(row["page"], type=Page)
    frozen = row["taken_ms"] is not None
    return HandoverView(
        handover_id=row["id"],
        state="frozen" if frozen else "draft" if row["given_ms"] is None else "given",
        made_ms=row["made_ms"],
        made_by=row["made_by"],
        given_ms=row["given_ms"],
        taken_by=row["taken_by"],
        taken_ms=row["taken_ms"],
        note=page.note,
        items=tuple(_item(item) for item in page.items),
        hash=row["hash"],
        sound=seal(row) == row["hash"] if frozen else None,
    )


def _item(item: Item) -> ItemView:
    same = ("key", "kind", "subject", "tier", "owner", "overdue", "accepted_by", "accepted_ms", "note")
    return ItemView(text=Name(zh=item.text_zh, en=item.text_en), **{name: getattr(item, name) for name in same})
