"""What measures: the instrument, its latest value, and what it said when the alarm was raised."""

from __future__ import annotations

from pydantic import Field

from gateway.api.models import Model, Name, Reading, TagDetail
from gateway.api.views import name_of, reading, tag_detail
from gateway.display import unit_of
from gateway.story.case import Case
from gateway.story.telling import Said, partial, said
from gateway.system import description_of

__all__ = ["TagContent", "tell_tag"]


class TagContent(Model):
    """A tag, now and at onset."""

    tag: str
    description: Name
    now: TagDetail | None = Field(description="null: the plant description has it no longer, or it is of the system")
    value_at_onset: float | None = Field(description="That decided, in the unit of the tag")
    calibration_due: str = Field(description="检定有效期至, YYYY-MM-DD; empty: not said")


def tell_tag(case: Case) -> Said[TagContent]:
    """Tell of the tag."""
    name, plant, tag = case.alarm["tag"], case.sources.plant, case.tag
    record = case.ground.body("tag")
    due, value = record.get("calibration_due", ""), case.alarm["value"]
    if tag is not None:
        return said(
            TagContent(
                tag=name,
                description=name_of(tag.description),
                now=tag_detail(tag, plant, latest(case, name)),
                value_at_onset=unit_of(tag, plant).show(value),
                calibration_due=due,
            )
        )
    about = description_of(name, plant)
    if case.of_system:
        named = Name(zh=name, en=name) if about is None else name_of(about)
        content = TagContent(tag=name, description=named, now=None, value_at_onset=None, calibration_due="")
        return said(content)
    named = Name(zh=record.get("name_zh", name), en=record.get("name_en") or name)
    content = TagContent(tag=name, description=named, now=None, value_at_onset=value, calibration_due=due)
    return partial(
        content, "装置描述中已无此位号，无实时值", "the plant description has this tag no longer: no live value"
    )


def latest(case: Case, tag: str) -> Reading | None:
    """Return the last sample of a tag of the plant; None: there never was one."""
    values, row = case.sources.readings.board.values, case.sources.readings.row(tag)
    if values is None or row is None:
        return None
    return reading(values, row, case.sources.plant.tags[tag], case.sources.plant, case.at_ms)
