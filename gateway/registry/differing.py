"""What changed from one version of a record to the next, field by field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Change", "changes_between"]


@dataclass(frozen=True, slots=True)
class Change:
    """A field with another content."""

    field: str
    before: Any
    """None: there was none."""
    after: Any


def changes_between(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """Return the fields that are not the same, in the order of the record."""
    names = list(dict.fromkeys((*after, *before)))
    return [Change(one, before.get(one), after.get(one)) for one in names if before.get(one) != after.get(one)]
