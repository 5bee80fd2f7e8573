"""Commands from any thread: bounded, answered or refused, never done behind somebody's back."""

from __future__ import annotations

import threading

import pytest

from gateway import commands
from gateway.commands import Act, Acts, By, Inbox, Outcome, Verb
from gateway.errors import ConflictError, NotFoundError, OverloadError

COMMAND = Acts((Act(Verb.ACKNOWLEDGE, "a" * 16, 1),), By("Li"))
DONE: list[Outcome] = [{"state": "active"}]


def test_a_command_is_answered_on_the_thread_that_asked() -> None:
    woken = threading.Event()
    inbox = Inbox(woken.set)

    def obey() -> None:
        assert woken.wait(5)
        (order,) = inbox.take()
        assert order.command == COMMAND
        order.outcomes = DONE
        order.settle()

    worker = threading.Thread(target=obey)
    worker.start()
    assert inbox.ask(COMMAND, 5) == DONE
    worker.join()


def test_every_part_has_its_answer() -> None:
    inbox = Inbox()
    order = inbox.submit(COMMAND)
    inbox.take()
    order.outcomes = [NotFoundError("there is no alarm"), ConflictError("seen"), DONE[0]]
    order.settle()
    assert [type(one) for one in order.future.result(0)] == [NotFoundError, ConflictError, dict]
    assert order.answer() == [{"not_found": "there is no alarm"}, {"conflict": "seen"}, {"row": DONE[0]}]


def test_a_command_that_was_given_up_is_never_done() -> None:
    inbox = Inbox()
    with pytest.raises(OverloadError, match=r"within 0\.01 s"):
        inbox.ask(COMMAND, 0.01)
    assert inbox.take() == []


def test_too_many_are_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "_WAITING", 2)
    inbox = Inbox()
    first, second = inbox.submit(COMMAND), inbox.submit(COMMAND)
    with pytest.raises(OverloadError, match="2 commands"):
        inbox.ask(COMMAND, 5)
    assert inbox.take() == [first, second]


def test_what_was_taken_and_not_answered_fails_with_the_turn() -> None:
    inbox = Inbox()
    done, undone = inbox.submit(COMMAND), inbox.submit(COMMAND)
    inbox.take()
    done.outcomes = DONE
    done.settle()
    inbox.fail_taken(OverloadError("stopping"))
    assert done.future.result(0) == DONE
    with pytest.raises(OverloadError):
        undone.future.result(0)
