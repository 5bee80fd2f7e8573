"""Duties for tests."""

from __future__ import annotations

from config.duty.model import Duty, Ladder, Person, Role, SelfTest, Step, Storm

__all__ = ["make_duty"]

MINUTE_MS = 60_000


def make_duty(*ladders: Ladder, self_test: SelfTest | None = None) -> Duty:
    """Return a duty of two people in two roles; without ladders one with two steps over the channels a and b."""
    steps = (Step("officer", ("a",), 3 * MINUTE_MS), Step("manager", ("a", "b"), 5 * MINUTE_MS))
    default = Ladder("all", frozenset({1, 2, 3, 4}), steps, again_every_ms=10 * MINUTE_MS, storm=Storm(over=1_000))
    return Duty(
        people={"zhang": Person("zhang", "张三", "+861", "z@example.com"), "li": Person("li", "李四")},
        roles={"officer": Role("officer", people=("zhang",)), "manager": Role("manager", people=("li",))},
        channels={"a": {}, "b": {}},
        ladders={ladder.id: ladder for ladder in ladders or (default,)},
        self_test=self_test,
    )
