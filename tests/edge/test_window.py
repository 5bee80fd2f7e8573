"""Go-back-N at the sending side."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edge.window import STANDSTILL_S, Window


def filled(size: int = 4, sent: int = 4) -> Window:
    window = Window(size, 5.0)
    window.begin(0.0, 0)
    for seq in range(1, sent + 1):
        window.sent(seq, 0.0)
    return window


def test_nothing_is_sent_beyond_the_window() -> None:
    assert filled(4, 0).room == 4
    assert filled(4, 3).room == 1
    assert filled(4, 4).room == 0


def test_kept_opens_the_window() -> None:
    window = filled()
    assert not window.confirmed(3, 1.0)
    assert (window.room, window.cursor, window.upto) == (3, 4, 3)


def test_nothing_is_overdue_when_nothing_is_under_way() -> None:
    window = filled()
    assert window.overdue_s(1.0) == 4.0
    window.confirmed(4, 1.0)
    assert window.overdue_s(100.0) is None
    window.sent(5, 100.0)
    assert window.overdue_s(101.0) == 4.0, "the wait begins with the frame, not with the last kept"


def test_an_absent_gateway_is_tried_with_one_frame_at_a_time() -> None:
    window = filled()
    window.probe(5.0)
    assert (window.first, window.cursor, window.room) == (True, 0, 1)
    window.sent(1, 5.0)
    assert (window.first, window.room) == (False, 0)
    window.confirmed(1, 6.0)
    assert window.room == 4


def test_a_kept_that_stands_still_goes_back_but_not_all_the_time() -> None:
    window = filled()
    assert not window.confirmed(0, STANDSTILL_S / 2)
    assert window.confirmed(0, STANDSTILL_S)
    assert (window.first, window.cursor, window.room) == (True, 0, 4)
    window.sent(1, STANDSTILL_S)
    assert not window.confirmed(0, STANDSTILL_S * 1.5)
    assert window.cursor == 1


def test_a_kept_that_stands_still_with_nothing_under_way_means_nothing() -> None:
    window = filled()
    window.confirmed(4, 1.0)
    assert not window.confirmed(4, 100.0)
    assert not window.first


def test_a_kept_that_goes_back_deletes_nothing_and_moves_nothing() -> None:
    window = filled()
    window.confirmed(3, 1.0)
    assert not window.confirmed(1, 50.0)
    assert window.upto == 3


def test_a_kept_ahead_of_what_this_pass_has_sent_is_believed() -> None:
    window = filled()
    window.probe(5.0)
    window.confirmed(3, 5.1)
    assert (window.cursor, window.room) == (3, 4)


@given(
    st.integers(1, 8),
    st.lists(st.tuples(st.sampled_from(["send", "kept", "late"]), st.integers(0, 30), st.floats(0, 3)), max_size=60),
)
def test_whatever_happens_no_more_than_the_window_is_under_way(size: int, steps: list[tuple[str, int, float]]) -> None:
    window, made, now_s = Window(size, 2.0), 0, 0.0
    window.begin(now_s, 0)
    for what, number, later_s in steps:
        now_s += later_s
        if what == "send":
            for _ in range(window.room):
                window.sent(window.cursor + 1, now_s)
            made = max(made, window.cursor)
        elif what == "kept":
            window.confirmed(min(number, made), now_s)
        elif (overdue_s := window.overdue_s(now_s)) is not None and overdue_s <= 0:
            window.probe(now_s)
        assert 0 <= window.cursor - window.upto <= size
        assert 0 <= window.room <= size
        assert window.upto <= made
        assert window.first <= (window.cursor == window.upto)
