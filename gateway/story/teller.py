"""Puts the story of an alarm together. A part that fails or is slow is marked so, and takes nothing from the rest."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import structlog
from pydantic import Field

from config.plant.model import Text
from gateway.access.roles import Scope
from gateway.api.models import AlarmDetail, Model
from gateway.api.views import alarm_detail, name_of
from gateway.errors import GatewayError
from gateway.records.queries import AlarmFilter, AlarmSort, Row
from gateway.story.case import Case, Ground, Sources, open_case, read_ground
from gateway.story.hands import Answer, Hands, Question
from gateway.story.plan import PARTS, Parts
from gateway.story.telling import PartKind, Said

__all__ = ["AlarmContext", "Teller"]

_ALL_WITHIN_S = 0.25
_GROUND_WITHIN_S = 0.1
_WARM_S = 5.0

_log = structlog.get_logger(__name__)


class AlarmContext(Model):
    """Everything that is known around an alarm."""

    at_ms: int = Field(description="Gateway clock")
    took_ms: float
    alarm: AlarmDetail
    parts: Parts


class Teller:
    """Any thread may ask.

    Args:
        sources: What parts may ask.
        hands: Threads of the parts.
        kinds: The parts.
    """

    def __init__(self, sources: Sources, hands: Hands, kinds: Mapping[str, PartKind] = PARTS) -> None:
        self._sources = sources
        self._hands = hands
        self._kinds = kinds

    def tell(self, alarm: Row, scope: Scope) -> AlarmContext:
        """Return the story of an alarm.

        Args:
            alarm: Its row; whoever asks may see it.
            scope: Whose things may be seen.
        """
        clock = self._sources.clock
        began_s = clock.monotonic_s()
        case = open_case(self._sources, alarm, scope, self._ground(alarm, scope))
        asked = {name: _question(kind, case) for name, kind in self._kinds.items()}
        answers = self._hands.ask(asked, _ALL_WITHIN_S - (clock.monotonic_s() - began_s))
        return AlarmContext(
            at_ms=case.at_ms,
            took_ms=_ms(clock.monotonic_s() - began_s),
            alarm=alarm_detail(alarm, self._sources.plant),
            parts=Parts.model_validate({name: self._part(name, answers[name]) for name in self._kinds}),
        )

    def warm(self) -> None:
        """Tell the story of the latest alarm to nobody: catalogues are read and statements made before it matters."""
        with suppress(GatewayError):
            for row in self._sources.queries.alarms(AlarmFilter(), AlarmSort.TIME, None, 1):
                case = open_case(self._sources, row, Scope(), self._ground(row, Scope()))
                asked = {name: Question(partial(kind.tell, case), _WARM_S) for name, kind in self._kinds.items()}
                self._hands.ask(asked, _WARM_S)

    def close(self) -> None:
        """Ask no more."""
        self._hands.close()

    def _ground(self, alarm: Row, scope: Scope) -> Ground:
        """Return what the registry says of the place; nothing where it does not answer."""
        asked = {"ground": Question(lambda: read_ground(self._sources, alarm, scope), _GROUND_WITHIN_S)}
        answer = self._hands.ask(asked, _GROUND_WITHIN_S)["ground"]
        if isinstance(answer.value, Ground):
            return answer.value
        _log.warning("story_without_registry", alarm=alarm["alarm_id"], error=str(answer.error or "late"))
        return Ground()

    def _part(self, name: str, answer: Answer) -> dict[str, Any]:
        told = answer.value if isinstance(answer.value, Said) else self._missing(name, answer)
        reason = None if told.reason is None else name_of(told.reason)
        return {"state": told.state, "reason": reason, "took_ms": _ms(answer.took_s), "content": told.content}

    def _missing(self, name: str, answer: Answer) -> Said[Any]:
        """Say why there is no answer. What went wrong inside is for the log, not for who asks."""
        if answer.busy:
            return Said(None, "partial", Text("上一次查询尚未结束", "an earlier question has not come to an end"))
        if answer.late:
            _log.warning("story_part_late", part=name)
            return Said(None, "partial", Text("未能及时取得", "it did not answer in time"))
        _log.warning("story_part_failed", part=name, error=repr(answer.error), exc_info=answer.error)
        if isinstance(answer.error, GatewayError):
            return Said(None, "partial", Text("存储不可用", "its store cannot be used now"))
        return Said(None, "partial", Text("内部错误，已记入日志", "an error inside; it is in the log"))


def _question(kind: PartKind, case: Case) -> Question:
    return Question(lambda: kind.tell(case), kind.within_ms / 1000)


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)
