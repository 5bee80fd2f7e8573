"""Questions that hang or fail take nothing from the others."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from config.clock import SystemClock
from gateway.story import hands as hands_module
from gateway.story.hands import Hands, Question
from tests.support.waiting import eventually


@pytest.fixture
def hands() -> Iterator[Hands]:
    one = Hands(SystemClock())
    yield one
    one.close()


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What a hanging question waits for; opened in the end, so that no thread is left."""
    event = threading.Event()
    yield event
    event.set()


def _quick(value: object) -> Question:
    return Question(lambda: value, 5.0)


def test_answers_come_in_the_order_of_the_questions(hands: Hands) -> None:
    answers = hands.ask({str(one): _quick(one) for one in range(50)}, 5.0)
    assert [answer.value for answer in answers.values()] == list(range(50))
    assert not any(answer.late or answer.busy or answer.error for answer in answers.values())


def test_what_raises_is_an_answer(hands: Hands) -> None:
    def fail() -> None:
        raise ValueError("no")

    answers = hands.ask({"bad": Question(fail, 5.0), "good": _quick(1)}, 5.0)
    assert isinstance(answers["bad"].error, ValueError)
    assert answers["good"].value == 1


def test_what_hangs_is_given_up_and_not_asked_again_before_it_ends(hands: Hands, gate: threading.Event) -> None:
    clock = SystemClock()
    asked = {"stuck": Question(lambda: gate.wait(30.0), 0.1), "good": _quick(1)}
    began_s = clock.monotonic_s()
    answers = hands.ask(asked, 5.0)
    assert clock.monotonic_s() - began_s < 2.0, "its own bound counts, not that of all"
    assert answers["stuck"].late
    assert answers["stuck"].took_s >= 0.1
    assert answers["good"].value == 1
    again = hands.ask(asked, 5.0)
    assert again["stuck"].busy
    assert again["good"].value == 1
    gate.set()
    eventually(lambda: hands.ask(asked, 5.0)["stuck"].value is True, 5.0)


def test_many_that_hang_leave_room_for_the_others(hands: Hands, gate: threading.Event) -> None:
    stuck = {f"stuck-{one}": Question(lambda: gate.wait(30.0), 0.05) for one in range(hands_module._AT_ONCE * 3)}
    answers = hands.ask({**stuck, "good": _quick(1)}, 5.0)
    assert all(answers[name].late for name in stuck)
    assert answers["good"].value == 1, "their turns were given back"
    assert hands.ask({"good": _quick(2)}, 1.0)["good"].value == 2


def test_the_whole_ends_in_time(hands: Hands, gate: threading.Event) -> None:
    clock = SystemClock()
    began_s = clock.monotonic_s()
    answers = hands.ask({f"stuck-{one}": Question(lambda: gate.wait(30.0), 9.0) for one in range(10)}, 0.2)
    assert clock.monotonic_s() - began_s < 2.0
    assert all(answer.late for answer in answers.values())


def test_what_was_never_begun_is_free_to_be_asked_again(hands: Hands, gate: threading.Event) -> None:
    stuck = {f"stuck-{one}": Question(lambda: gate.wait(30.0), 9.0) for one in range(hands_module._AT_ONCE)}
    answers = hands.ask({**stuck, "waits": _quick(1)}, 0.1)
    assert answers["waits"].late
    assert hands.ask({"waits": _quick(1)}, 5.0)["waits"].value == 1
