"""What is new is taken once and in order; of everything else there is an account."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import sha256

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.contract.alarms import LocalAlarm
from config.contract.frame import encode_frame
from config.contract.messages import EdgeStatus, Refusal, encode
from config.contract.quality import Quality, Reason, pack
from config.contract.topics import Kind, edge_topic, point_topic
from gateway.ingest.acceptance import DeadLetter, Intake, Mark, Verdict, judge, take_in
from gateway.ingest.decode import NO_EDGE, Decoder
from gateway.ingest.transport import Message
from gateway.ledger import Count
from gateway.tags import Rows
from tests.support.frames import EPOCH, frame, frame_json, message, payloads, telemetry
from tests.support.plants import mini_plant

PLANT = mini_plant()
TAGS = list(PLANT.tags)
TEMP = TAGS.index("T-1.TEMP")
KEY = ("edge-a", EPOCH)
NOW_MS = 50_000
OTHER_EPOCH = "f" * 16


def taken(*messages: Message, marks: Mapping[tuple[str, str], Mark] | None = None) -> Intake:
    decoder = Decoder("mini", Rows(tuple(PLANT.tags), PLANT))
    return take_in(decoder.read(messages), marks or {}, NOW_MS)


def mark(upto: int, **more: int) -> dict[tuple[str, str], Mark]:
    return {KEY: Mark("edge-a", EPOCH, upto, **more)}


def counted(intake: Intake, edge: str = "edge-a") -> dict[Count, int]:
    return {count: number for count, number in intake.counts[edge].items() if number}


@pytest.mark.parametrize(
    ("upto", "seq", "oldest", "verdict"),
    [
        (0, 1, False, Verdict.NEXT),
        (0, 1, True, Verdict.NEXT),
        (0, 2, False, Verdict.AHEAD),
        (0, 2, True, Verdict.AFTER_GAP),
        (5, 6, False, Verdict.NEXT),
        (5, 6, True, Verdict.NEXT),
        (5, 5, False, Verdict.DUPLICATE),
        (5, 5, True, Verdict.DUPLICATE),
        (5, 1, False, Verdict.DUPLICATE),
        (5, 1, True, Verdict.DUPLICATE),
        (5, 7, False, Verdict.AHEAD),
        (5, 7, True, Verdict.AFTER_GAP),
        (5, (1 << 53) - 1, False, Verdict.AHEAD),
    ],
)
def test_the_verdict_on_a_frame(upto: int, seq: int, oldest: bool, verdict: Verdict) -> None:  # noqa: FBT001 - a table
    assert judge(upto, seq, oldest=oldest) is verdict


def test_frames_in_order_are_all_taken_in_one_poll() -> None:
    intake = taken(telemetry(frame(1)), telemetry(frame(2)), telemetry(frame(3)))
    assert intake.batch.tag.tolist() == [TEMP] * 3
    assert intake.batch.time_ms.tolist() == [1_000, 2_000, 3_000]
    assert intake.marks[KEY] == Mark("edge-a", EPOCH, upto=3, frames=3, samples=3, first_ms=NOW_MS, last_ms=NOW_MS)
    assert intake.announce == {KEY: []}
    assert counted(intake) == {Count.FRAMES_RECEIVED: 3, Count.FRAMES_KEPT: 3, Count.SAMPLES_RECEIVED: 3}


def test_nothing_given_is_changed() -> None:
    marks = mark(1)
    before = dict(marks)
    taken(telemetry(frame(2)), marks=marks)
    assert marks == before


def test_a_duplicate_is_absorbed_and_confirmed_again() -> None:
    intake = taken(telemetry(frame(2)), telemetry(frame(5)), marks=mark(5))
    assert len(intake.batch) == 0
    assert intake.marks == {}
    assert intake.announce == {KEY: []}
    assert counted(intake) == {Count.FRAMES_RECEIVED: 2, Count.FRAMES_DUPLICATE: 2}


def test_the_same_frame_twice_in_one_poll_is_taken_once() -> None:
    intake = taken(telemetry(frame(1)), telemetry(frame(1)))
    assert len(intake.batch) == 1
    assert counted(intake)[Count.FRAMES_DUPLICATE] == 1


def test_a_frame_ahead_is_not_taken_and_the_edge_is_told_how_far_it_got() -> None:
    intake = taken(telemetry(frame(7)), marks=mark(5))
    assert len(intake.batch) == 0
    assert intake.marks == {}
    assert intake.announce == {KEY: []}
    assert counted(intake) == {Count.FRAMES_RECEIVED: 1, Count.FRAMES_AHEAD: 1}


def test_after_a_gap_the_edge_vouches_for_what_is_missing() -> None:
    intake = taken(
        telemetry(frame(9, oldest=True, shed_samples=30)),
        telemetry(frame(10)),
        marks=mark(5, frames=5, shed_samples=10),
    )
    got = intake.marks[KEY]
    assert (got.upto, got.frames, got.missing_frames, got.shed_samples) == (10, 7, 3, 30)
    assert counted(intake)[Count.FRAMES_MISSING] == 3
    assert counted(intake)[Count.SAMPLES_SHED] == 20


def test_the_oldest_frame_without_a_gap_counts_nothing_as_missing() -> None:
    intake = taken(telemetry(frame(6, oldest=True, shed_samples=30)), marks=mark(5, shed_samples=10))
    assert intake.marks[KEY].missing_frames == 0
    assert Count.FRAMES_MISSING not in counted(intake)
    assert Count.SAMPLES_SHED not in counted(intake)


def test_shed_samples_never_go_back() -> None:
    intake = taken(telemetry(frame(9, oldest=True, shed_samples=3)), marks=mark(5, shed_samples=10))
    assert intake.marks[KEY].shed_samples == 10
    assert Count.SAMPLES_SHED not in counted(intake)


def test_epochs_are_independent() -> None:
    backlog = telemetry(frame(1, epoch=OTHER_EPOCH), kind=Kind.BACKLOG)
    intake = taken(telemetry(frame(6)), backlog, telemetry(frame(3, epoch=OTHER_EPOCH)), marks=mark(5))
    assert intake.marks[KEY].upto == 6
    assert intake.marks["edge-a", OTHER_EPOCH].upto == 1
    assert counted(intake)[Count.FRAMES_AHEAD] == 1


def test_the_same_epoch_of_two_edges_is_two_streams() -> None:
    intake = taken(telemetry(frame(1)), telemetry(frame(1, ("PLAIN.PRESS", 1, 0.5)), edge="edge-b"))
    assert {key: got.upto for key, got in intake.marks.items()} == {KEY: 1, ("edge-b", EPOCH): 1}


def test_a_broken_frame_takes_its_turn_and_its_edge_is_told() -> None:
    broken = message(frame_json(seq=2, values=["x"]))
    intake = taken(telemetry(frame(1)), broken, telemetry(frame(3)))
    assert intake.batch.time_ms.tolist() == [1_000, 3_000]
    assert intake.marks[KEY].upto == 3
    assert intake.announce == {KEY: [Refusal(2, "bad_shape")]}
    assert counted(intake) == {
        Count.FRAMES_RECEIVED: 3,
        Count.FRAMES_KEPT: 2,
        Count.FRAMES_REFUSED: 1,
        Count.SAMPLES_RECEIVED: 2,
    }
    (letter,) = intake.dead_letters
    assert (letter.reason, letter.site, letter.edge) == ("bad_shape", "mini", "edge-a")
    assert letter.topic == edge_topic("mini", "edge-a", Kind.TELEMETRY)
    assert (letter.sha256, letter.size) == (sha256(broken.payload).hexdigest(), len(broken.payload))
    assert letter.head == broken.payload


def test_a_broken_frame_ahead_of_its_turn_is_shown_but_not_confirmed() -> None:
    intake = taken(message(frame_json(seq=7, values=["x"])), marks=mark(5))
    assert intake.marks == {}
    assert intake.announce == {KEY: []}
    assert counted(intake) == {Count.FRAMES_RECEIVED: 1, Count.FRAMES_AHEAD: 1}
    assert [letter.reason for letter in intake.dead_letters] == ["bad_shape"]


def test_a_broken_frame_that_comes_again_is_a_duplicate() -> None:
    broken = message(frame_json(seq=6, values=["x"]))
    intake = taken(broken, broken, marks=mark(5))
    assert counted(intake) == {Count.FRAMES_RECEIVED: 2, Count.FRAMES_REFUSED: 1, Count.FRAMES_DUPLICATE: 1}
    assert intake.announce == {KEY: [Refusal(6, "bad_shape")]}


def test_rubbish_without_an_envelope_is_set_aside_and_moves_nothing() -> None:
    intake = taken(message(b"rubbish"), marks=mark(5))
    assert intake.marks == {}
    assert intake.announce == {}
    assert counted(intake) == {Count.FRAMES_RECEIVED: 1, Count.FRAMES_REFUSED: 1}
    assert [letter.reason for letter in intake.dead_letters] == ["not_json"]


def test_what_names_no_edge_of_ours_is_counted_under_one_name() -> None:
    intake = taken(
        message(frame_json(), "hazard/v1/elsewhere/edge-a/telemetry"),
        message(frame_json(), "hazard/v1/mini/edge-z/telemetry"),
        message(frame_json(), "hazard/v1/mini/EDGE/telemetry"),
    )
    assert set(intake.counts) == {NO_EDGE}
    assert counted(intake, NO_EDGE) == {Count.FRAMES_RECEIVED: 3, Count.FRAMES_REFUSED: 3}
    assert [(one.reason, one.site) for one in intake.dead_letters] == [
        ("foreign_site", "elsewhere"),
        ("unknown_edge", "mini"),
        ("bad_topic", ""),
    ]
    assert intake.marks == {}


def test_of_a_large_payload_only_the_head_is_kept() -> None:
    (letter,) = taken(message(b"x" * 5_000_000)).dead_letters
    assert letter.reason == "too_large"
    assert letter.size == 5_000_000
    assert letter.head == b"x" * 1024


def test_unknown_and_foreign_tags_are_rejected_one_by_one_and_the_rest_goes_on() -> None:
    samples = (("NOBODY", 1, 1.0), ("T-1.TEMP", 2, 2.0), ("PLAIN.PRESS", 3, 3.0), ("NOBODY", 4, 4.0))
    intake = taken(telemetry(frame(1, *samples)))
    assert intake.batch.value.tolist() == [2.0]
    assert intake.batch.time_ms.tolist() == [2]
    assert intake.marks[KEY].samples == 4
    assert counted(intake)[Count.SAMPLES_RECEIVED] == 4
    assert counted(intake)[Count.SAMPLES_REJECTED] == 3
    topic = edge_topic("mini", "edge-a", Kind.TELEMETRY)

    def letter(tag: str, reason: str, samples: int) -> DeadLetter:
        digest = sha256(tag.encode()).hexdigest()
        detail = f"tag {tag!r} in frame 1 of epoch {EPOCH}"
        return DeadLetter(reason, "mini", "edge-a", topic, detail, digest, len(tag), tag.encode(), samples)

    assert intake.dead_letters == [letter("NOBODY", "unknown_tag", 2), letter("PLAIN.PRESS", "foreign_tag", 1)]


def test_a_duplicate_frame_rejects_nothing_again() -> None:
    intake = taken(telemetry(frame(1, ("NOBODY", 1, 1.0))), marks=mark(5))
    assert intake.dead_letters == []
    assert Count.SAMPLES_REJECTED not in counted(intake)


def test_null_becomes_nan_and_keeps_its_quality() -> None:
    intake = taken(telemetry(frame(1, ("T-1.TEMP", 1, None), quality=[2], reasons={"0": "device"})))
    assert np.isnan(intake.batch.value).tolist() == [True]
    assert intake.batch.quality.tolist() == [pack(Quality.BAD, Reason.DEVICE)]


def test_a_point_without_a_time_has_the_time_of_receipt() -> None:
    topic = point_topic("mini", "edge-b", "PLAIN.PRESS")
    intake = taken(message(b"0.5", topic), message(b'{"value": 0.6, "time": 77}', topic))
    assert intake.batch.time_ms.tolist() == [NOW_MS, 77]
    assert counted(intake, "edge-b") == {Count.POINTS_RECEIVED: 2, Count.SAMPLES_RECEIVED: 2}
    assert intake.announce == {}


def test_the_last_status_of_an_edge_counts() -> None:
    topic = edge_topic("mini", "edge-a", Kind.STATUS)
    first, second = EdgeStatus(online=True, at_ms=1), EdgeStatus(online=False)
    intake = taken(message(encode(first), topic), message(encode(second), topic))
    assert intake.statuses == {"edge-a": second}


def test_frames_and_points_keep_the_order_of_arrival() -> None:
    topic = point_topic("mini", "edge-b", "PLAIN.PRESS")
    intake = taken(telemetry(frame(1)), message(b"0.5", topic), telemetry(frame(2)))
    assert intake.batch.tag.tolist() == [TEMP, TAGS.index("PLAIN.PRESS"), TEMP]


# --- properties --------------------------------------------------------------------------------------------------

STREAMS = (("edge-a", "a" * 8), ("edge-a", "b" * 8), ("edge-b", "a" * 8))
TAG_OF = {"edge-a": "T-1.TEMP", "edge-b": "PLAIN.PRESS"}
LENGTH = 6


def stream_message(stream: tuple[str, str], seq: int, *, broken: frozenset[int], oldest: bool = False) -> Message:
    """Frame ``seq`` of a stream carries two samples, 2 seq - 1 and 2 seq; a broken one keeps its envelope."""
    edge, epoch = stream
    samples = [(TAG_OF[edge], 100 * seq + half, 2.0 * seq - half) for half in (1, 0)]
    payload = encode_frame(frame(seq, *samples, epoch=epoch, oldest=oldest))
    if seq in broken:
        payload = payload[:-2]
    return message(payload, edge_topic("mini", edge, Kind.TELEMETRY))


@settings(max_examples=100, deadline=None)
@given(
    deliveries=st.lists(
        st.tuples(
            st.lists(st.tuples(st.sampled_from(STREAMS), st.integers(1, LENGTH), st.booleans()), max_size=12),
            st.booleans(),
        ),
        max_size=8,
    ),
    broken=st.frozensets(st.integers(1, LENGTH), max_size=2),
)
def test_whatever_the_network_does_every_sample_is_taken_once_and_in_order(
    deliveries: list[tuple[list[tuple[tuple[str, str], int, bool]], bool]], broken: frozenset[int]
) -> None:
    """Polls bring frames in any order, any number of times, and some commits fail; then the edges resend in order."""
    marks: dict[tuple[str, str], Mark] = {}
    stored: dict[str, list[float]] = {"edge-a": [], "edge-b": []}
    told = dict.fromkeys(STREAMS, 0)
    refusals: Counter[tuple[tuple[str, str], int]] = Counter()
    sums: Counter[Count] = Counter()
    decoder = Decoder("mini", Rows(tuple(PLANT.tags), PLANT))

    def poll(messages: Sequence[Message], *, commits: bool) -> None:
        intake = take_in(decoder.read(messages), marks, NOW_MS)
        if not commits:
            return
        marks.update(intake.marks)
        for key, refused in intake.announce.items():
            told[key] = marks[key].upto if key in marks else 0
            refusals.update((key, one.seq) for one in refused)
        for row, value in zip(intake.batch.tag.tolist(), intake.batch.value.tolist(), strict=True):
            stored[PLANT.tags[TAGS[row]].edge].append(value)
        for counts in intake.counts.values():
            sums.update(counts)

    for wanted, commits in deliveries:
        # An honest edge says "oldest" of nothing but the frame after the last one it was told is kept.
        poll(
            [
                stream_message(key, seq, broken=broken, oldest=oldest and seq == told[key] + 1)
                for key, seq, oldest in wanted
            ],
            commits=commits,
        )
    for key in STREAMS:
        poll([stream_message(key, seq, broken=broken) for seq in range(told[key] + 1, LENGTH + 1)], commits=True)

    whole = [value for seq in range(1, LENGTH + 1) if seq not in broken for value in (2.0 * seq - 1, 2.0 * seq)]
    assert told == dict.fromkeys(STREAMS, LENGTH)
    assert stored["edge-b"] == whole
    assert sorted(stored["edge-a"]) == sorted(whole * 2)  # two epochs, interleaved
    assert _is_interleaving(stored["edge-a"], whole)
    assert refusals == Counter((key, seq) for key in STREAMS for seq in broken)
    assert sums[Count.SAMPLES_RECEIVED] == 3 * len(whole)
    assert sums[Count.FRAMES_KEPT] + sums[Count.FRAMES_REFUSED] == 3 * LENGTH
    assert sums[Count.FRAMES_MISSING] == 0


def _is_interleaving(mixed: list[float], whole: list[float]) -> bool:
    """Say whether ``mixed`` is two copies of ``whole``, each in order."""
    first = second = 0
    for value in mixed:
        if first < len(whole) and value == whole[first]:
            first += 1
        elif second < len(whole) and value == whole[second]:
            second += 1
        else:
            return False
    return True


_topics = st.sampled_from(
    (
        edge_topic("mini", "edge-a", Kind.TELEMETRY),
        edge_topic("mini", "edge-a", Kind.BACKLOG),
        edge_topic("mini", "edge-b", Kind.TELEMETRY),
        edge_topic("mini", "edge-a", Kind.STATUS),
        edge_topic("mini", "edge-a", Kind.KEPT),
        edge_topic("else", "edge-a", Kind.TELEMETRY),
        edge_topic("mini", "nobody", Kind.TELEMETRY),
        point_topic("mini", "edge-b", "PLAIN.PRESS"),
        "hazard/v1",
    )
)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(st.tuples(_topics, payloads), max_size=6), max_size=3))
def test_the_frames_and_samples_of_any_input_add_up(polls: list[list[tuple[str, bytes]]]) -> None:
    marks: dict[tuple[str, str], Mark] = {}
    decoder = Decoder("mini", Rows(tuple(PLANT.tags), PLANT))
    totals: dict[str, Counter[Count]] = {}
    accepted: Counter[str] = Counter()
    for poll in polls:
        intake = take_in(decoder.read([message(payload, topic) for topic, payload in poll]), marks, NOW_MS)
        marks.update(intake.marks)
        for edge, counts in intake.counts.items():
            totals.setdefault(edge, Counter()).update(counts)
        for batch in (intake.batch, intake.backlog):
            accepted.update(PLANT.tags[TAGS[row]].edge for row in batch.tag.tolist())
            columns = (batch.tag, batch.time_ms, batch.value, batch.quality)
            assert len({len(column) for column in columns}) == 1
        assert set(intake.marks) <= set(intake.announce)
    for edge, total in totals.items():
        assert total[Count.FRAMES_RECEIVED] == (
            total[Count.FRAMES_KEPT]
            + total[Count.FRAMES_DUPLICATE]
            + total[Count.FRAMES_AHEAD]
            + total[Count.FRAMES_REFUSED]
        )
        assert total[Count.SAMPLES_RECEIVED] == accepted[edge] + total[Count.SAMPLES_REJECTED]
        of_edge = [one for key, one in marks.items() if key[0] == edge]
        assert sum(one.missing_frames for one in of_edge) == total[Count.FRAMES_MISSING]
        assert sum(one.shed_samples for one in of_edge) == total[Count.SAMPLES_SHED]
        assert all(one.upto == one.frames + one.missing_frames for one in of_edge)


LOCAL = LocalAlarm(
    alarm_id="0" * 16, tag="T-1.TEMP", condition="H", tier=3, state="active", onset_ms=1, raised_ms=2, cleared_ms=None,
    value=41.0, limit=40.0, unit="degC", cut=True, text_zh="", text_en="",
)  # fmt: skip


def local(alarm: LocalAlarm) -> Message:
    return message(encode(alarm), edge_topic("mini", "edge-a", Kind.ALARMS))


def test_local_alarms_are_taken_in_the_latest_state_of_each() -> None:
    over = msgspec.structs.replace(LOCAL, state="cleared", cleared_ms=9)
    other = msgspec.structs.replace(LOCAL, alarm_id="1" * 16)
    intake = taken(local(LOCAL), local(other), local(over))
    assert intake.local_alarms == {"0" * 16: ("edge-a", over), "1" * 16: ("edge-a", other)}
    assert not intake.dead_letters


@pytest.mark.parametrize(
    ("alarm", "reason"),
    [
        (msgspec.structs.replace(LOCAL, tag="NO.SUCH"), "unknown_tag"),
        (msgspec.structs.replace(LOCAL, tag="PLAIN.PRESS"), "foreign_tag"),
        (msgspec.structs.replace(LOCAL, alarm_id="../../x"), "bad_shape"),
        (msgspec.structs.replace(LOCAL, tier=9), "bad_shape"),
    ],
)
def test_a_local_alarm_that_cannot_be_is_set_aside(alarm: LocalAlarm, reason: str) -> None:
    intake = taken(local(alarm))
    assert not intake.local_alarms
    assert [letter.reason for letter in intake.dead_letters] == [reason]


def test_backlog_and_live_samples_go_apart_and_share_nothing_but_the_account() -> None:
    old = encode_frame(msgspec.structs.replace(frame(1, ("T-1.TEMP", 1_000, 20.0)), epoch=OTHER_EPOCH))
    new = frame(1, ("T-1.TEMP", 9_000, 21.0), ("T-1.TEMP", 9_500, 22.0))
    intake = taken(message(old, edge_topic("mini", "edge-a", Kind.BACKLOG)), telemetry(new))
    assert intake.backlog.value.tolist() == [20.0]
    assert intake.batch.value.tolist() == [21.0, 22.0]
    assert {epoch: mark.upto for (_, epoch), mark in intake.marks.items()} == {OTHER_EPOCH: 1, EPOCH: 1}
    assert counted(intake)[Count.SAMPLES_RECEIVED] == 3
