"""What a part of the story is, and how it says that it has nothing or not all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from pydantic import Field

from config.plant.model import Text
from gateway.api.models import Model, Name
from gateway.story.case import Case

__all__ = ["Part", "PartKind", "Said", "State", "Tell", "empty", "partial", "said"]

State = Literal["ok", "empty", "partial"]
Content = TypeVar("Content")


class Part(Model, Generic[Content]):
    """One part of the story."""

    state: State = Field(description="`empty`: there is nothing; `partial`: it could not be told, or not all of it")
    reason: Name | None = Field(description="Why it is not `ok`")
    took_ms: float = Field(description="Until it was told, or given up")
    content: Content | None


@dataclass(frozen=True, slots=True)
class Said(Generic[Content]):
    """What a part has to say."""

    content: Content | None
    state: State = "ok"
    reason: Text | None = None


Tell: TypeAlias = Callable[[Case], Said[Any]]


@dataclass(frozen=True, slots=True)
class PartKind:
    """A part.

    Args:
        tell: Makes what it holds. May raise and may be slow; it is then `partial`.
        title: What it is called.
        within_ms: Nobody waits for it any longer.
    """

    tell: Tell
    title: Text
    within_ms: int = 150


def said(content: Content) -> Said[Content]:
    """Say all there is."""
    return Said(content)


def empty(zh: str, en: str) -> Said[Any]:
    """Say that there is nothing, and why."""
    return Said(None, "empty", Text(zh, en))


def partial(content: Content | None, zh: str, en: str) -> Said[Content]:
    """Say what there is, and what is missing."""
    return Said(content, "partial", Text(zh, en))
