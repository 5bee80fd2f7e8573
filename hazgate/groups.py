"""Errors that come in groups, because tasks run in groups."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["leaves", "sentences"]


def leaves(group: BaseExceptionGroup) -> Iterator[BaseException]:
    """Yield the errors in a group of groups."""
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from leaves(error)
        else:
            yield error


def sentences(group: BaseExceptionGroup) -> str:
    """Return what the errors of a group say, each thing once, a line each."""
    return "\n".join(dict.fromkeys(str(error) for error in leaves(group)))
