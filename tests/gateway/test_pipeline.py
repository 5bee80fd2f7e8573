"""From a message to a committed alarm, whatever fails on the way."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from alerting.batch import Disposition
from config.contract.frame import Frame
from config.contract.messages import AlarmState, EdgeStatus, Kept, decode, encode
from config.contract.topics import Kind, edge_topic, point_topic
from gateway import pipeline
from gateway.errors import RecordsError
from gateway.outlet import FOLLOWER
from gateway.records.database import DATABASE_FILE
from gateway.records.log import Kind as Row
from gateway.records.writer import Commit
from tests.support.frames import frame, frame_json
from tests.support.gateway_rig import Edge, Killed, Rig, Step, replayed_events
from tests.support.plants import mini_plant

PLANT = mini_plant()
KEPT = edge_topic("mini", "edge-a", Kind.KEPT)
TELEMETRY = edge_topic("mini", "edge-a", Kind.TELEMETRY)
START_MS = 1_763_770_000_000


@pytest.fixture(autouse=True)
def no_real_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "_RECOVER_WAIT_S", 0.001)
    monkeypatch.setattr(pipeline, "_BUSY_WAIT_S", 0.001)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    opened = Rig(tmp_path, PLANT)
    yield opened
    opened.close()


def temperature(seq: int, *values: float, at_s: int | None = None) -> Frame:
    """A frame of ``T-1.TEMP`` (H at 40, no delays), one sample a second from ``at_s`` (by default ``seq``)."""
    first_ms = START_MS + 1_000 * (seq if at_s is None else at_s)
    return frame(seq, *(("T-1.TEMP", first_ms + 1_000 * at, value) for at, value in enumerate(values)))


def kept(rig: Rig) -> Kept:
    return decode(rig.transport.retained[KEPT], Kept)


def alarm_states(rig: Rig) -> list[AlarmState]:
    return [
        decode(payload, AlarmState)
        for topic, payload in rig.transport.retained.items()
        if topic.startswith("hazard/v1/mini/alarms/")
    ]


def test_a_sample_over_the_limit_becomes_an_alarm_everywhere(rig: Rig) -> None:
    rig.play(rig.send(temperature(1, 20.0, 45.0)), 0.1)
    assert rig.alarms() == [("T-1.TEMP", "H", "active")]
    assert [notice.kind for notice in rig.notices] == ["raised"]
    assert rig.notices[0].alarm["alarm_id"] == rig.rows("alarm")[0]["alarm_id"]
    assert [(one.tag, one.state, one.value) for one in alarm_states(rig)] == [("T-1.TEMP", "active", 45.0)]
    assert (kept(rig).upto, kept(rig).refused) == (1, ())
    assert [(tag, value, fate) for tag, _, value, fate in rig.samples()] == [
        ("T-1.TEMP", 20.0, Disposition.EVALUATED),
        ("T-1.TEMP", 45.0, Disposition.EVALUATED),
    ]
    assert rig.transport.is_drained
    assert rig.history_woken == 1


def test_a_cleared_alarm_leaves_the_broker(rig: Rig) -> None:
    rig.play(rig.send(temperature(1, 45.0)), 0.5, rig.send(temperature(2, 20.0)), 0.5)
    assert rig.alarms() == [("T-1.TEMP", "H", "cleared")]
    assert [notice.kind for notice in rig.notices] == ["raised", "cleared"]
    assert alarm_states(rig) == []


def test_a_delay_runs_out_at_a_tick_without_another_sample(rig: Rig) -> None:
    rig.play(rig.send(frame(1, ("T-1.LEVEL", START_MS + 500, 8.5))), 4.0)
    assert rig.alarms() == [("T-1.LEVEL", "H", "active")]
    (alarm,) = rig.rows("alarm")
    assert (alarm["onset_ms"], alarm["raised_ms"]) == (START_MS + 500, START_MS + 2_500)


def test_time_is_part_of_the_log(rig: Rig) -> None:
    rig.play(5.0)
    assert [row.kind for row in rig.log()] == [Row.START] + [Row.TICK] * 5


def test_silence_is_an_alarm(rig: Rig) -> None:
    rig.play(rig.send(frame(1, ("T-1.LEVEL", START_MS, 5.0))), 120.0)
    assert ("T-1.LEVEL", "STALE", "active") in rig.alarms()


def test_nothing_is_acknowledged_or_told_before_it_is_durable(rig: Rig) -> None:
    seen: list[tuple[int, int, int]] = []
    original = rig.records.commit

    def watched(commit: Commit) -> None:
        if commit.alarms:
            seen.append((rig.transport.unacknowledged, len(rig.notices), len(rig.transport.heard)))
        original(commit)

    rig.records.commit = watched  # type: ignore[method-assign]  # that is the point
    rig.play(rig.send(temperature(1, 45.0)), 0.5)
    assert seen == [(1, 0, 0)]
    assert rig.transport.is_drained


@pytest.mark.parametrize("durable", [False, True], ids=["before", "after"])
def test_a_failed_commit_drops_the_connection_and_loses_and_doubles_nothing(rig: Rig, *, durable: bool) -> None:
    """A commit may also fail after it has become durable: then what comes again is a duplicate."""
    rig.play(
        rig.send(temperature(1, 20.0)),
        0.5,
        rig.fail_commit(durable=durable),
        rig.send(temperature(2, 45.0)),
        0.5,
        rig.send(temperature(3, 46.0)),
        0.5,
    )
    assert rig.transport.generation == 2
    assert [value for _, _, value, _ in rig.samples()] == [20.0, 45.0, 46.0]
    assert kept(rig).upto == 3
    assert [kind for _, kind, _ in rig.events()] == ["raised"]
    assert len(alarm_states(rig)) == 1
    assert rig.ledger()["samples_stored"] == 3
    assert rig.ledger().get("frames_duplicate", 0) == (1 if durable else 0)
    assert rig.transport.is_drained
    assert [row.kind for row in rig.log()].count(Row.START) == 2


def test_an_alarm_whose_commit_failed_is_told_once_it_is_durable(rig: Rig) -> None:
    notices_at_failure: list[int] = []
    rig.play(
        rig.fail_commit(),
        rig.send(temperature(1, 45.0)),
        lambda rig: notices_at_failure.append(len(rig.notices)),
        0.5,
    )
    assert len(rig.notices) == 1
    assert rig.alarms() == [("T-1.TEMP", "H", "active")]


def test_an_alarm_that_was_durable_but_not_told_reaches_the_broker_after_all(rig: Rig) -> None:
    rig.play(rig.fail_commit(Killed(), durable=True), rig.send(temperature(1, 45.0)))
    assert rig.transport.heard == []
    assert rig.alarms() == [("T-1.TEMP", "H", "active")]
    rig.play(0.5)
    assert [one.state for one in alarm_states(rig)] == ["active"]
    assert len(rig.events()) == 1


def test_the_end_of_an_alarm_that_was_durable_but_not_told_reaches_the_broker_after_all(rig: Rig) -> None:
    rig.play(rig.send(temperature(1, 45.0)), 5.0)
    assert len(alarm_states(rig)) == 1
    rig.play(rig.fail_commit(Killed(), durable=True), rig.send(temperature(2, 20.0)))
    assert len(alarm_states(rig)) == 1
    rig.play(0.5)
    assert alarm_states(rig) == []


def test_records_that_stay_unusable_are_tried_until_they_work(rig: Rig) -> None:
    failures = 5
    load = rig.records.load

    def unusable() -> object:
        nonlocal failures
        failures -= 1
        if failures > 0:
            raise RecordsError("disk I/O error")
        return load()

    rig.records.load = unusable  # type: ignore[method-assign,assignment]  # an accident
    with capture_logs() as logs:
        rig.play(rig.send(temperature(1, 45.0)), 1.5)
    assert sum(entry["event"] == "records_unusable" for entry in logs) == 4
    assert rig.alarms() == [("T-1.TEMP", "H", "active")]
    assert rig.board.health.records_ok


def test_unusable_records_are_reported(rig: Rig) -> None:
    def unusable() -> object:
        rig.stop.set()
        raise RecordsError("disk I/O error")

    rig.records.load = unusable  # type: ignore[method-assign,assignment]  # an accident
    rig.play()
    assert not rig.board.health.records_ok
    assert rig.board.health.records_error == "disk I/O error"


def _locked(release: Callable[[sqlite3.Connection], object]) -> Step:
    def step(rig: Rig) -> None:
        with rig.database.connect() as connection:
            connection.exec_driver_sql("PRAGMA busy_timeout=5")
        other = sqlite3.connect(rig.data_dir / DATABASE_FILE, isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
        rig.transport.send(TELEMETRY, [frame_json()])
        release(other)

    return step


def test_a_database_locked_for_a_moment_is_waited_for(rig: Rig) -> None:
    timers: list[threading.Timer] = []

    def later(other: sqlite3.Connection) -> None:
        timers.append(threading.Timer(0.05, other.close))
        timers[0].start()

    with capture_logs() as logs:
        rig.play(_locked(later), 0.5)
    timers[0].join()
    assert any(entry["event"] == "records_busy" for entry in logs)
    assert not any(entry["event"] == "records_failed" for entry in logs)
    assert rig.transport.generation == 1
    assert len(rig.samples()) == 1


def test_a_database_locked_for_long_costs_the_connection_but_no_sample(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "_BUSY_TRIES", 2)
    timers: list[threading.Timer] = []

    def later(other: sqlite3.Connection) -> None:
        timers.append(threading.Timer(0.3, other.close))
        timers[0].start()

    with capture_logs() as logs:
        rig.play(_locked(later), 0.5)
    timers[0].join()
    assert any(entry["event"] == "records_failed" for entry in logs)
    assert rig.transport.generation == 2
    assert len(rig.samples()) == 1
    assert rig.transport.is_drained


def test_a_locked_database_does_not_hold_up_the_end(rig: Rig) -> None:
    others: list[sqlite3.Connection] = []

    def forever(other: sqlite3.Connection) -> None:
        others.append(other)
        rig.stop.set()

    with capture_logs() as logs:
        rig.play(_locked(forever))
    others[0].close()
    assert sum(entry["event"] == "records_busy" for entry in logs) == 1


def test_bad_input_between_good_frames_stops_nothing(rig: Rig) -> None:
    rig.play(
        rig.send(temperature(1, 20.0)),
        rig.put(TELEMETRY, b"rubbish", frame_json(seq=2, values=[True]), b"[" * 100_000),
        rig.put("hazard/v1/else/edge-a/telemetry", frame_json()),
        rig.put("nonsense", b"x"),
        rig.send(temperature(3, 21.0)),
        0.5,
    )
    assert [value for _, _, value, _ in rig.samples()] == [20.0, 21.0]
    assert kept(rig).upto == 3
    assert [(one.seq, one.reason) for one in kept(rig).refused] == [(2, "bad_shape")]
    reasons = sorted(row["reason"] for row in rig.rows("dead_letter"))
    assert reasons == ["bad_shape", "bad_shape", "bad_topic", "foreign_site", "not_json"]
    assert rig.ledger("?") == {"frames_received": 2, "frames_refused": 2}


def test_plain_points_are_evaluated_too(rig: Rig) -> None:
    rig.play(rig.put(point_topic("mini", "edge-b", "PLAIN.PRESS"), b"1300", b"oops"), 0.5)
    assert rig.alarms() == [("PLAIN.PRESS", "BAD_PV", "active"), ("PLAIN.PRESS", "H", "active")]
    assert rig.ledger("edge-b")["points_received"] == 2
    assert rig.ledger("edge-b")["samples_bad"] == 1


def test_late_and_duplicate_samples_are_counted_and_change_nothing(rig: Rig) -> None:
    again = frame(2, ("T-1.TEMP", START_MS + 5_000, 20.0), ("T-1.TEMP", START_MS + 1_000, 99.0))
    rig.play(rig.send(frame(1, ("T-1.TEMP", START_MS + 5_000, 20.0)), again), 0.5)
    assert [fate for *_, fate in rig.samples()] == [Disposition.EVALUATED, Disposition.DUPLICATE, Disposition.LATE]
    assert rig.alarms() == []
    ledger = rig.ledger()
    assert (ledger["samples_received"], ledger["samples_stored"], ledger["samples_duplicate"]) == (3, 2, 1)
    assert (ledger["samples_evaluated"], ledger["samples_late"]) == (1, 1)


def test_a_clock_ahead_is_counted_and_far_ahead_is_bad(rig: Rig) -> None:
    rig.play(rig.send(frame(1, ("T-1.TEMP", START_MS + 3_000, 20.0), ("T-1.LEVEL", START_MS + 400_000, 5.0))), 0.5)
    assert rig.ledger()["samples_skewed"] == 2
    assert rig.ledger()["samples_bad"] == 1


def test_a_status_is_kept(rig: Rig) -> None:
    status = EdgeStatus(online=True, at_ms=5, epoch="e" * 8)
    rig.play(rig.put(edge_topic("mini", "edge-a", Kind.STATUS), encode(status)), 0.1)
    (row,) = rig.rows("edge_status")
    assert decode(row["payload"].encode(), EdgeStatus) == status
    assert rig.ledger() == {}


def test_a_duplicate_frame_is_answered_so_that_its_edge_can_go_on(rig: Rig) -> None:
    rig.play(rig.send(temperature(1, 20.0)), 0.5)
    rig.transport.retained.clear()
    rig.play(rig.send(temperature(1, 20.0)), 0.5)
    assert kept(rig).upto == 1
    assert len(rig.samples()) == 1


def test_a_frame_ahead_is_answered_with_what_is_kept(rig: Rig) -> None:
    rig.play(rig.send(temperature(7, 20.0)), 0.5)
    assert kept(rig).upto == 0
    assert rig.samples() == []


def test_the_board_shows_the_last_values_and_the_health(rig: Rig) -> None:
    rig.play(rig.send(temperature(1, 20.0, 21.0)), 2.5)
    values, health = rig.board.values, rig.board.health
    assert values is not None
    row = values.names.index("T-1.TEMP")
    assert (values.value[row], values.time_ms[row]) == (21.0, START_MS + 2_000)
    assert health.replayed
    assert health.broker_connected
    assert health.records_ok
    assert health.samples == 2
    assert health.log_position == rig.log()[-1].position
    assert rig.clock.monotonic_s() - health.beat_monotonic_s <= 1.0


def test_without_a_broker_time_goes_on_and_silence_is_noticed(rig: Rig) -> None:
    rig.transport.reachable = False
    rig.play(120.0)
    assert not rig.board.health.broker_connected
    assert ("T-1.TEMP", "STALE", "active") in rig.alarms()
    rig.transport.reachable = True
    rig.play(0.5)
    assert alarm_states(rig)


def test_a_clean_end_leaves_nothing_to_replay(rig: Rig) -> None:
    rig.play(rig.send(temperature(1, 45.0)), 2.0)
    (snapshot,) = rig.rows("snapshot")
    assert snapshot["position"] == rig.log()[-1].position
    rig.restart()
    with capture_logs() as logs:
        rig.play(0.5)
    assert next(entry for entry in logs if entry["event"] == "resumed")["replayed_rows"] == 0
    assert rig.alarms() == [("T-1.TEMP", "H", "active")]
    assert len(rig.events()) == 1


def test_the_log_is_trimmed_behind_snapshot_and_history(rig: Rig) -> None:
    rig.history_position = lambda: 15
    rig.play(60.0)
    assert rig.log()[0].position == 16
    rig.history_position = lambda: 10**9
    rig.play(60.0)
    (snapshot,) = rig.rows("snapshot")
    positions = [row.position for row in rig.log()]
    assert positions[0] > snapshot["position"] - 25
    assert positions == list(range(positions[0], positions[-1] + 1))


def test_a_new_process_trims_what_the_last_one_left(rig: Rig) -> None:
    rig.play(200.0)
    assert rig.log()[0].position == 1
    rig.history_position = lambda: 10**9
    rig.play(100.0)
    rig.restart()
    rig.play(5.0)
    first = rig.log()[0].position
    rig.play(30.0)
    assert rig.log()[0].position > first + 20
    assert len(rig.log()) < 60


def test_a_wall_clock_set_back_stops_nothing(rig: Rig) -> None:
    rig.play(
        rig.send(temperature(1, 20.0)),
        2.0,
        lambda rig: rig.clock.step_wall_ms(-60_000),
        rig.send(temperature(2, 45.0)),
        5.0,
    )
    assert set(rig.alarms()) == {("T-1.TEMP", "H", "active"), ("SYS.CLOCK_JUMPED", "SYSTEM", "active")}
    assert len([row for row in rig.log() if row.kind is Row.TICK]) >= 6


# --- any accident, any time --------------------------------------------------------------------------------------

FRAMES = [
    frame(
        seq,
        ("T-1.TEMP", START_MS + 500 * seq, 45.0 if seq // 3 % 2 else 20.0),
        ("T-1.LEVEL", START_MS + 500 * seq, 8.5 if seq // 6 % 2 else 5.0),
        ("GD-1", START_MS + 500 * seq - (5_000 if seq % 7 == 0 else 0), 0.4 if seq // 4 % 2 else 0.0),
    )
    for seq in range(1, 41)
]
EDGE = Edge(FRAMES)


def _unreachable(rig: Rig) -> None:
    rig.transport.drop()
    rig.transport.reachable = False


ACCIDENTS: dict[str, Callable[[], Step]] = {
    "drop": lambda: lambda rig: rig.transport.drop(),
    "unreachable": lambda: _unreachable,
    "kill while waiting": Rig.kill,
    "kill before a commit": lambda: Rig.fail_commit(Killed()),
    "kill after a commit": lambda: Rig.fail_commit(Killed(), durable=True),
    "fail before a commit": Rig.fail_commit,
    "fail after a commit": lambda: Rig.fail_commit(durable=True),
}


def _send_some(count: int) -> Step:
    def step(rig: Rig) -> None:
        rig.transport.reachable = True
        EDGE.send(rig.transport, count)

    return step


@settings(max_examples=6, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(tuple(ACCIDENTS)), st.integers(1, 9), st.sampled_from((0.1, 0.7, 2.0, 4.0))),
        max_size=8,
    ),
    st.sampled_from((1.0, 3.0, 1_000.0)),
)
def test_whatever_happens_every_sample_is_stored_once_and_every_alarm_follows_from_the_log(
    accidents: list[tuple[str, int, float]], snapshot_every_s: float
) -> None:
    with TemporaryDirectory() as folder:
        rig = Rig(Path(folder), PLANT, snapshot_every_s)
        try:
            for accident, count, pause_s in accidents:
                rig.play(ACCIDENTS[accident](), _send_some(count), pause_s)
            for _ in range(60):
                if EDGE.kept(rig.transport) == len(FRAMES):
                    break
                rig.play(_send_some(10), 0.2)
            assert EDGE.kept(rig.transport) == len(FRAMES)
            rig.play(1.2)
            _check(rig)
        finally:
            rig.close()


def _check(rig: Rig) -> None:
    sent = [
        (tag, at, value) for one in FRAMES for tag, at, value in zip(one.tags, one.times_ms, one.values, strict=True)
    ]
    assert [(tag, at, value) for tag, at, value, _ in rig.samples()] == sent
    assert rig.events() == replayed_events(rig)
    numbers = [row["event_id"] for row in rig.rows("alarm_event")]
    assert numbers == list(range(1, len(numbers) + 1))
    open_alarms = {row["alarm_id"] for row in rig.rows("alarm") if row["state"] == "active"}
    assert {one.alarm_id for one in alarm_states(rig)} == open_alarms
    followers = {row["name"]: row["position"] for row in rig.rows("follower")}
    assert followers.get(FOLLOWER, 0) == (numbers[-1] if numbers else 0)
    ledger = rig.ledger()
    assert ledger["samples_received"] == ledger["samples_stored"] + ledger.get("samples_duplicate", 0) == len(sent)
    assert ledger["samples_stored"] == ledger["samples_evaluated"] + ledger.get("samples_late", 0)
    assert ledger["frames_kept"] == len(FRAMES)
    assert ledger["frames_received"] == (
        ledger["frames_kept"] + ledger.get("frames_duplicate", 0) + ledger.get("frames_ahead", 0)
    )
    assert [row["position"] for row in rig.rows("log")] == list(range(1, len(rig.log()) + 1))
