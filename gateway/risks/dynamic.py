"""The grade of the moment: the static one, lifted by what happens now, falling back in steps after it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from config.risks import Colour, Lifting

__all__ = ["Cause", "Dynamic", "dynamic", "lift_of"]


@dataclass(frozen=True, slots=True)
class Cause:
    """Something that lifts a grade."""

    kind: str
    """As in the figures (`config.risks.Lifting`), such as ``alarm.1``; another kind lifts nothing."""
    ref: str
    """What it is: an alarm, a danger, a task, a permit."""
    since_ms: int
    until_ms: int | None = None
    """None: it lasts."""


@dataclass(frozen=True, slots=True)
class Dynamic:
    """A grade of the moment."""

    colour: Colour
    reasons: tuple[tuple[Cause, int], ...]
    """What lifts it, and by how many colours just now; the strongest first."""
    changes_at_ms: int | None
    """When it will fall by itself at the latest to be looked at again; None: not by itself."""


def lift_of(cause: Cause, now_ms: int, lifting: Lifting) -> tuple[int, int | None]:
    """Return by how many colours a cause lifts now, and when that falls by itself.

    While it lasts, and for one step's time after, by all of them; then one fewer for each further step's time.
    """
    full = lifting.lifts.get(cause.kind, 0)
    if now_ms < cause.since_ms or not full:
        return 0, None
    if cause.until_ms is None or now_ms < cause.until_ms:
        return full, None
    steps = (now_ms - cause.until_ms) // lifting.step_down_ms
    left = max(full - steps, 0)
    return left, cause.until_ms + (steps + 1) * lifting.step_down_ms if left else None


def dynamic(static: Colour, causes: Iterable[Cause], now_ms: int, lifting: Lifting) -> Dynamic:
    """Return the grade of the moment.

    Args:
        static: As assessed.
        causes: What happens, or has been over for a while; the strongest decides, they do not add up.
        now_ms: Gateway clock.
        lifting: What lifts by how much.
    """
    weighed = [(cause, *lift_of(cause, now_ms, lifting)) for cause in causes]
    lifting_now = sorted(
        ((cause, lift, falls) for cause, lift, falls in weighed if lift),
        key=lambda one: (-one[1], one[0].since_ms, one[0].kind, one[0].ref),
    )
    falls = [at for _, _, at in lifting_now if at is not None]
    most = lifting_now[0][1] if lifting_now else 0
    return Dynamic(
        colour=static.lifted(most),
        reasons=tuple((cause, lift) for cause, lift, _ in lifting_now),
        changes_at_ms=min(falls, default=None),
    )
