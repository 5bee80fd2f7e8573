"""One shape for the state machines of this room: a literal table, and the step through it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from config.plant.model import Text
from gateway.errors import ConflictError
from gateway.lifecycle import No

__all__ = ["Go", "No", "Table", "go", "no", "step"]

S = TypeVar("S", bound=StrEnum)
E = TypeVar("E", bound=StrEnum)
F = TypeVar("F", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Go(Generic[S, F]):
    """A transition."""

    to: S
    effects: frozenset[F]


Table = Mapping[S, Mapping[E, Go[S, F] | No]]
"""State -> event -> where it goes and what it does beside, or why not. Every cell is written."""


def go(to: S, *effects: F) -> Go[S, F]:
    """Return a transition."""
    return Go(to, frozenset(effects))


def no(zh: str, en: str) -> No:
    """Return a refusal."""
    return No(Text(zh, en))


def step(table: Table[S, E, F], state: S, event: E, subject: str) -> Go[S, F]:
    """Return what an event does.

    Args:
        table: The machine.
        state: As it is.
        event: What happens.
        subject: What the error names.

    Raises:
        ConflictError: The state does not allow it; says why.
    """
    cell = table[state][event]
    if isinstance(cell, No):
        raise ConflictError(f"{subject}: {cell.why.en}（{cell.why.zh}）")
    return cell
