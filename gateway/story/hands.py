"""Asks several things at once, and waits for none of them longer than it is worth."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any

from config.clock import Clock

__all__ = ["Answer", "Hands", "Question"]

_AT_ONCE = 4
"""Questions that are being worked on at a time, in all: each holds a connection of the records."""
_LEFT_BEHIND = 32
"""Threads beside, for questions that nobody waits for any more."""
_LOOK_S = 0.02
"""So often it is looked whether a question that has begun meanwhile takes too long."""


@dataclass(frozen=True, slots=True)
class Question:
    """Something to be found out.

    Args:
        ask: Does it; may raise.
        within_s: Nobody waits longer once it has begun.
    """

    ask: Callable[[], Any]
    within_s: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a question."""

    took_s: float
    value: Any = None
    error: Exception | None = None
    late: bool = False
    """It took too long, and may still be going on."""
    busy: bool = False
    """It was not asked: an earlier one of its name is still going on, though nobody waits for it any more."""


@dataclass(slots=True)
class _Work:
    """A question on its way."""

    name: str
    question: Question
    began_s: float | None = None
    ended_s: float | None = None
    counted: bool = False
    """It is one of those that are being worked on at a time."""
    given_up: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)


class Hands:
    """Threads that questions share. A question that hangs costs a thread, never the place of another question.

    Args:
        clock: Monotonic.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._pool = ThreadPoolExecutor(_AT_ONCE + _LEFT_BEHIND, "ThreadPoolExecutor-story")
        self._turns = threading.Semaphore(_AT_ONCE)
        self._stuck: set[str] = set()

    def ask(self, questions: Mapping[str, Question], within_s: float) -> dict[str, Answer]:
        """Return what came of every question, at the latest after a time."""
        began_s = self._clock.monotonic_s()
        busy = {name for name in questions if name in self._stuck}
        works = [_Work(name, question) for name, question in questions.items() if name not in busy]
        going = {self._pool.submit(self._do, work): work for work in works}
        answers = {name: Answer(0.0, busy=True) for name in busy}
        while going:
            now_s = self._clock.monotonic_s()
            for future in [one for one, work in going.items() if one.done()]:
                work = going.pop(future)
                answers[work.name] = _answer(future, work)
            over = [one for one, work in going.items() if _due_s(work, began_s + within_s) <= now_s]
            for future in over:
                work = going.pop(future)
                self._give_up(future, work)
                answers[work.name] = Answer(now_s - (work.began_s or began_s), late=True)
            if going:
                next_s = min(_due_s(work, began_s + within_s) for work in going.values())
                wait(going, min(max(0.0, next_s - self._clock.monotonic_s()), _LOOK_S), FIRST_COMPLETED)
        return {name: answers[name] for name in questions}

    def close(self) -> None:
        """Take no more questions."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _do(self, work: _Work) -> Any:  # noqa: ANN401 - whatever the question is about
        self._turns.acquire()
        with work.lock:
            work.began_s, work.counted = self._clock.monotonic_s(), True
            given_up = work.given_up
        try:
            return None if given_up else work.question.ask()
        finally:
            with work.lock:
                work.ended_s = self._clock.monotonic_s()
                if work.given_up:
                    self._stuck.discard(work.name)
            self._let_go(work)

    def _give_up(self, future: Future[Any], work: _Work) -> None:
        """Stop waiting; the question gives its turn back, and is not asked again before it has come to an end."""
        with work.lock:
            work.given_up = True
            if work.began_s is not None and work.ended_s is None:
                self._stuck.add(work.name)
        if not future.cancel():
            self._let_go(work)

    def _let_go(self, work: _Work) -> None:
        with work.lock:
            if work.counted:
                work.counted = False
                self._turns.release()


def _due_s(work: _Work, last_s: float) -> float:
    return last_s if work.began_s is None else min(last_s, work.began_s + work.question.within_s)


def _answer(future: Future[Any], work: _Work) -> Answer:
    took_s = (work.ended_s or 0.0) - (work.began_s or 0.0)
    error = future.exception()
    if isinstance(error, Exception):
        return Answer(took_s, error=error)
    return Answer(took_s, future.result())
