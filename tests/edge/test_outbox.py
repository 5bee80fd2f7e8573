"""The outbox against a plain model of it, over reopenings and damage."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

import edge.outbox
import edge.remembered
from config.contract.frame import decode_frame
from config.contract.quality import Quality, Reason
from edge.errors import OutboxDamagedError, OutboxError
from edge.outbox import FRAME_OVERHEAD_BYTES, Batch, Outbox
from edge.reading import Sample

PLENTY = 1 << 30


def sample(number: int, tag: str = "T-1.LEVEL") -> Sample:
    if number % 5 == 4:
        return Sample(tag, number, None, Quality.BAD, Reason.UNREADABLE)
    return Sample(tag, number, number / 8, Quality.GOOD, Reason.NONE)


def batch(id_: str, *sizes: int, keys: tuple[bytes, ...] = ()) -> Batch:
    return Batch(id_, 1000, [[sample(number) for number in range(size)] for size in sizes], keys)


def key(number: int) -> bytes:
    return number.to_bytes(8, "big")


@dataclass
class ModelEpoch:
    """One epoch: seq -> (samples, tells of an alarm, body)."""

    name: str
    held: dict[int, tuple[int, bool, bytes]] = field(default_factory=dict)
    made_frames: int = 0
    made_samples: int = 0
    kept: int = 0
    shed: int = 0


@dataclass
class Model:
    """What the outbox must be, in a few plain fields."""

    max_bytes: int
    epochs: list[ModelEpoch]

    @property
    def live(self) -> ModelEpoch:
        return self.epochs[-1]

    @property
    def held_bytes(self) -> int:
        return sum(len(body) + FRAME_OVERHEAD_BYTES for epoch in self.epochs for *_, body in epoch.held.values())

    def append(self, frames: list[tuple[int, bool, bytes]]) -> int:
        for frame in frames:
            self.live.made_frames += 1
            self.live.made_samples += frame[0]
            self.live.held[self.live.made_frames] = frame
        shed = 0
        while self.held_bytes > self.max_bytes and (victim := self.victim()):
            epoch, seq = victim
            samples = epoch.held.pop(seq)[0]
            epoch.shed += samples
            shed += samples
        return shed

    def victim(self) -> tuple[ModelEpoch, int] | None:
        for alarm in (False, True):
            for epoch in self.epochs:
                for seq in sorted(epoch.held):
                    if epoch.held[seq][1] == alarm and seq != epoch.made_frames:
                        return epoch, seq
        return None

    def begin_epoch(self, name: str) -> None:
        if self.live.held:
            self.epochs.append(ModelEpoch(name))

    def confirm(self, name: str, upto: int) -> None:
        for epoch in self.epochs:
            if epoch.name == name and epoch.kept < upto <= epoch.made_frames:
                epoch.kept = upto
                epoch.held = {seq: frame for seq, frame in epoch.held.items() if seq > upto}
        self.epochs = [epoch for epoch in self.epochs if epoch.held or epoch is self.live]


class OutboxMachine(RuleBasedStateMachine):
    """Append, begin an epoch, confirm, shed, read and reopen in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.path = self.folder / "outbox.db"
        self.batches = 0

    @initialize(max_bytes=st.sampled_from([300, 2_000, PLENTY]))
    def open(self, max_bytes: int) -> None:
        self.outbox = Outbox(self.path, max_bytes)
        self.model = Model(max_bytes, [ModelEpoch(self.outbox.state.epoch)])

    @rule(frames=st.lists(st.tuples(st.integers(1, 12), st.booleans()), min_size=1, max_size=4), again=st.booleans())
    def append(self, frames: list[tuple[int, bool]], again: bool) -> None:  # noqa: FBT001 - Hypothesis passes it by name
        self.batches += 1
        put = replace(batch(f"{self.batches}", *(size for size, _ in frames)), alarms=[alarm for _, alarm in frames])
        first = self.outbox.state.made_frames + 1
        shed = self.outbox.append(put)
        newest = [
            (
                size,
                alarm,
                edge.outbox._encoded(self.model.live.name, seq, 1000, [sample(number) for number in range(size)]),
            )
            for seq, (size, alarm) in enumerate(frames, start=first)
        ]
        assert shed == self.model.append(newest)
        if again:
            assert self.outbox.append(put) == 0, "the same batch again is no new batch"

    @rule()
    def begin_epoch(self) -> None:
        self.outbox.begin_epoch()
        self.model.begin_epoch(self.outbox.state.epoch)

    @rule(data=st.data())
    def confirm(self, data: st.DataObject) -> None:
        epoch = data.draw(st.sampled_from(self.model.epochs))
        upto = data.draw(st.integers(0, epoch.made_frames + 3))
        name = data.draw(st.sampled_from([epoch.name, epoch.name, epoch.name, "ab" * 16]))
        self.outbox.confirm(name, upto)
        self.model.confirm(name, upto)

    @rule()
    def reopen(self) -> None:
        self.outbox.close()
        self.outbox = Outbox(self.path, self.model.max_bytes)

    @rule(data=st.data(), after=st.integers(0, 40), limit=st.integers(1, 10))
    def read(self, data: st.DataObject, after: int, limit: int) -> None:
        epoch = data.draw(st.sampled_from(self.model.epochs))
        found = self.outbox.read(epoch.name, after, limit)
        wanted = [seq for seq in sorted(epoch.held) if seq > after][:limit]
        assert [frame.seq for frame in found] == wanted
        for stored in found:
            frame = decode_frame(stored.body)
            assert (frame.epoch, frame.seq, frame.sent_ms, frame.oldest) == (epoch.name, stored.seq, 1000, False)
            assert len(frame.tags) == stored.samples == epoch.held[stored.seq][0]
            assert frame.values == [sample(number).value for number in range(stored.samples)]
            assert frame.reasons == {f"{at}": "unreadable" for at in range(stored.samples) if at % 5 == 4}

    @invariant()
    def agrees(self) -> None:
        if not hasattr(self, "model"):
            return
        assert self.outbox.state.held_bytes == self.model.held_bytes
        for state, model in zip(self.outbox.state.epochs, self.model.epochs, strict=True):
            assert state.name == model.name
            assert (state.made_frames, state.made_samples) == (model.made_frames, model.made_samples)
            assert (state.kept_frames, state.shed_samples) == (model.kept, model.shed)
            assert state.held_frames == len(model.held)
            assert state.oldest == (min(model.held) if model.held else model.made_frames + 1)
            assert state.oldest_ms == (1000 if model.held else 0)

    def teardown(self) -> None:
        if hasattr(self, "outbox"):
            self.outbox.close()
        shutil.rmtree(self.folder)


TestOutboxMachine = OutboxMachine.TestCase
TestOutboxMachine.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)


def test_an_epoch_is_made_with_the_file_and_stays(tmp_path: Path) -> None:
    first = Outbox(tmp_path / "a.db", PLENTY)
    epoch = first.state.epoch
    first.append(batch("1", 3))
    first.close()
    again = Outbox(tmp_path / "a.db", PLENTY)
    other = Outbox(tmp_path / "b.db", PLENTY)
    assert again.state.epoch == epoch != other.state.epoch
    again.close()
    other.close()


def test_a_batch_that_fails_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "a.db", PLENTY)
    outbox.append(batch("1", 2))
    before = outbox.state
    outbox._db.execute("CREATE TRIGGER bad BEFORE INSERT ON frame WHEN NEW.id = 3 BEGIN SELECT RAISE(ABORT, 'x'); END")
    with pytest.raises(OutboxError):
        outbox.append(batch("2", 2, 2, keys=(key(1),)))
    assert outbox.state == before
    assert not outbox.seen(key(1))
    outbox._db.execute("DROP TRIGGER bad")
    outbox.append(batch("2", 2, 2, keys=(key(1),)))
    assert [frame.seq for frame in outbox.read(outbox.state.epoch, 0, 9)] == [1, 2, 3]
    assert outbox.seen(key(1))
    outbox.close()


def test_keys_are_remembered_over_reopening_and_forgotten_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edge.remembered, "REMEMBERED", 10)
    outbox = Outbox(tmp_path / "a.db", PLENTY)
    for number in range(30):
        outbox.append(batch(f"{number}", 1, keys=(key(3 * number), key(3 * number + 1), key(3 * number + 2))))
        if number % 7 == 6:
            outbox.close()
            outbox = Outbox(tmp_path / "a.db", PLENTY)
        seen = [each for each in range(90) if outbox.seen(key(each))]
        newest = 3 * number + 2
        assert set(seen) >= set(range(max(0, newest - 9), newest + 1)), "at least the last ten"
        assert len(seen) <= 12, "and hardly more"
        (rows,) = outbox._db.execute("SELECT count(*) FROM taken").fetchone()
        assert rows <= 4
    outbox.close()


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda path: path.write_bytes(b"not a database, really not" * 500), id="no-database"),
        pytest.param(lambda path: _overwrite(path, 0, 100), id="header"),
        pytest.param(lambda path: _execute(path, "DELETE FROM outbox"), id="no-record"),
        pytest.param(lambda path: _execute(path, "DROP TABLE frame"), id="no-table"),
        pytest.param(lambda path: _execute(path, "UPDATE epoch SET made_frames = 1"), id="frames-beyond-the-record"),
    ],
)
def test_a_damaged_file_is_told_from_one_that_cannot_be_used_now(tmp_path: Path, damage) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001 - a lambda from above
    path = tmp_path / "a.db"
    outbox = Outbox(path, PLENTY)
    outbox.append(batch("1", 2, 2))
    outbox.close()
    damage(path)
    with pytest.raises(OutboxDamagedError):
        Outbox(path, PLENTY)


LAYOUT_1 = """
CREATE TABLE outbox (id INTEGER PRIMARY KEY CHECK (id = 1), epoch TEXT NOT NULL, made_frames INTEGER NOT NULL,
    made_samples INTEGER NOT NULL, kept_frames INTEGER NOT NULL, held_bytes INTEGER NOT NULL,
    shed_samples INTEGER NOT NULL, last_batch TEXT NOT NULL) STRICT;
CREATE TABLE frame (seq INTEGER PRIMARY KEY, samples INTEGER NOT NULL, body BLOB NOT NULL) STRICT;
CREATE TABLE taken (id INTEGER PRIMARY KEY, keys BLOB NOT NULL) STRICT;
INSERT INTO outbox VALUES (1, 'ab12cd34', 5, 10, 2, 192, 2, 'b7');
INSERT INTO frame VALUES (4, 2, x'7b7d'), (5, 2, x'7b7d');
INSERT INTO taken (keys) VALUES (x'0000000000000001');
PRAGMA user_version = 1;
"""


def test_an_outbox_of_the_first_layout_goes_on_where_it_was(tmp_path: Path) -> None:
    db = sqlite3.connect(tmp_path / "a.db")
    db.executescript(LAYOUT_1)
    db.close()
    outbox = Outbox(tmp_path / "a.db", PLENTY)
    live = outbox.state.live
    assert (live.name, live.made_frames, live.made_samples, live.kept_frames) == ("ab12cd34", 5, 10, 2)
    assert (live.held_frames, live.oldest, live.shed_samples, outbox.state.held_bytes) == (2, 4, 2, 192)
    assert outbox.append(batch("b7", 1)) == 0, "the batch it had taken last"
    assert outbox.seen(key(1))
    outbox.append(batch("b8", 1))
    assert [(frame.seq, frame.samples) for frame in outbox.read("ab12cd34", 0, 9)] == [(4, 2), (5, 2), (6, 1)]
    outbox.close()


def test_a_file_of_a_newer_hazgate_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    Outbox(path, PLENTY).close()
    _execute(path, "PRAGMA user_version = 99")
    with pytest.raises(OutboxError, match="newer") as raised:
        Outbox(path, PLENTY)
    assert not isinstance(raised.value, OutboxDamagedError)


def test_a_folder_that_is_not_there_is_an_error_of_the_moment(tmp_path: Path) -> None:
    with pytest.raises(OutboxError) as raised:
        Outbox(tmp_path / "nowhere" / "a.db", PLENTY)
    assert not isinstance(raised.value, OutboxDamagedError)


def _overwrite(path: Path, at: int, count: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(b"\xaa" * count)


def _execute(path: Path, statement: str) -> None:
    db = sqlite3.connect(path)
    db.execute(statement)
    db.commit()
    db.close()
