"""The risks of the unit (双清单): their colours, as graded and of the moment, and what is done about them."""

from __future__ import annotations

from pydantic import Field

from config.risks import Colour
from gateway.api.models import Model
from gateway.risks.model import RiskState
from gateway.story.case import Case
from gateway.story.telling import Said, empty, said

__all__ = ["RisksContent", "tell_risks"]

_MOST = 10


class RiskView(Model):
    """A risk. Its colours are another scale than the tiers of alarms."""

    risk_id: str
    name: str
    static_colour: Colour = Field(description="As it was graded")
    dynamic_colour: Colour = Field(description="Of the moment")
    lifted: bool
    causes: tuple[str, ...] = Field(description="What lifts it: kind and reference")
    measures: tuple[str, ...]


class RisksContent(Model):
    """The risks, the worst of the moment first."""

    items: tuple[RiskView, ...]


def tell_risks(case: Case) -> Said[RisksContent]:
    """Tell of the risks."""
    book = case.sources.others.risks
    if book is None or not case.unit:
        return empty("不属于任何危险源单元", "it belongs to no hazard unit")
    found = book.of_unit(case.unit, case.scope, _MOST)
    if not found:
        return empty("未登记风险", "no risk is registered")
    return said(RisksContent(items=tuple(_view(one) for one in found)))


def _view(state: RiskState) -> RiskView:
    risk = state.risk
    return RiskView(
        risk_id=risk.id,
        name=risk.name,
        static_colour=risk.static_colour,
        dynamic_colour=risk.dynamic_colour,
        lifted=risk.lifted,
        causes=tuple(f"{cause.get('kind', '')} {cause.get('ref', '')}".strip() for cause in risk.reasons),
        measures=tuple(measure.text for measure in state.measures if measure.ended_ms is None),
    )
