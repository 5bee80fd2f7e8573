"""What is in the vessel now, and what was in it when the alarm began."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from gateway.api.models import Model
from gateway.grading.state import Contents
from gateway.story.case import Case
from gateway.story.telling import Said, empty, partial, said

__all__ = ["ContentsContent", "tell_contents"]

_FIGURES = ("cas", "level_fraction", "volume_m3", "mass_t", "temperature_c", "at_ms")


class Filling(Model):
    """What is in a vessel."""

    cas: str
    level_fraction: float | None = Field(description="Of the inner height, 0 to 1")
    volume_m3: float | None
    mass_t: float | None
    temperature_c: float | None
    at_ms: int | None = Field(description="When the level was measured; null: never")
    basis: Literal["level", "uncertain", "last_known", "design_max", "unknown"]


class ContentsContent(Model):
    """What is, and was, in the vessel."""

    vessel: str
    now: Filling | None
    at_onset: Filling | None = Field(description="null: nothing is known of that time")


def tell_contents(case: Case) -> Said[ContentsContent]:
    """Tell what is in it."""
    if not case.vessel:
        return empty("不在任何设备上", "it is on no vessel")
    book = case.sources.others.grades
    if book is None:
        return empty("本网关不计算存量", "this gateway reckons no contents")
    now = _filling(book.contents(case.vessel, case.scope))
    then = _filling(book.contents(case.vessel, case.scope, case.alarm["onset_ms"]))
    if now is None and then is None:
        return empty("该设备的存量未知", "nothing is known of what is in this vessel")
    content = ContentsContent(vessel=case.vessel, now=now, at_onset=then)
    if now is None or now.basis != "level":
        return partial(content, "当前液位不可用", "the level cannot be read now")
    if then is None or then.basis != "level":
        return partial(content, "报警开始时的液位未知", "the level at onset is not known")
    return said(content)


def _filling(found: Contents | None) -> Filling | None:
    if found is None:
        return None
    return Filling(basis=found.basis, **{name: getattr(found, name) for name in _FIGURES})  # type: ignore[arg-type]
