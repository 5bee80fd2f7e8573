"""The grade of the moment of one risk: what lifts it is remembered until it no longer does. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from typing import Any

from config.risks import Lifting
from gateway.risks.dynamic import Cause, dynamic
from gateway.risks.model import Risk

__all__ = ["again", "change_of", "looked_at", "remembered"]


def remembered(before: Iterable[Mapping[str, Any]], found: Iterable[Cause], now_ms: int) -> list[Cause]:
    """Return what is found now, and what was found before and is over.

    What is no longer found ended when that is noticed, unless it was known to end. An alarm whose tier rises, or a
    danger that is listed, is still one cause.

    Args:
        before: Reasons of the risk, as they are kept.
        found: What is so now, or is known to be over lately.
        now_ms: Gateway clock.
    """
    causes = {_same(cause): cause for cause in found}
    for reason in before:
        cause = Cause(*(reason[name] for name in ("kind", "ref", "since_ms", "until_ms")))
        until_ms = now_ms if cause.until_ms is None else cause.until_ms
        causes.setdefault(_same(cause), replace(cause, until_ms=until_ms))
    return list(causes.values())


def looked_at(one: Risk, found: Iterable[Cause], now_ms: int, lifting: Lifting) -> Risk:
    """Return a risk as it is now.

    Args:
        one: As it was at the last look.
        found: What is so now at its place.
        now_ms: Gateway clock.
        lifting: What lifts by how much.
    """
    return _graded(one, remembered(one.reasons, found, now_ms), now_ms, lifting)


def again(one: Risk, now_ms: int, lifting: Lifting) -> Risk:
    """Return a risk that was written anew, with all that lifted it lifting it still."""
    kept = [Cause(*(reason[name] for name in ("kind", "ref", "since_ms", "until_ms"))) for reason in one.reasons]
    return replace(_graded(one, kept, now_ms, lifting), lifted=True)


def change_of(before: Risk, after: Risk, now_ms: int) -> dict[str, Any] | None:
    """Return the row that says that the colour of the moment is another; None: it is the same."""
    if before.dynamic_colour is after.dynamic_colour:
        return None
    colours = {"was": before.dynamic_colour.value, "now": after.dynamic_colour.value}
    return {"risk_id": after.id, "at_ms": now_ms, **colours, "reasons": list(after.reasons)}


def _graded(one: Risk, causes: list[Cause], now_ms: int, lifting: Lifting) -> Risk:
    moment = dynamic(one.static_colour, causes, now_ms, lifting)
    return replace(
        one,
        dynamic_colour=moment.colour,
        lifted=bool(moment.reasons),
        reasons=tuple({**asdict(cause), "lift": lift} for cause, lift in moment.reasons),
        dynamic_ms=one.dynamic_ms if moment.colour is one.dynamic_colour else now_ms,
    )


def _same(cause: Cause) -> tuple[str, str]:
    return cause.kind.partition(".")[0], cause.ref
