"""The outbox against a plain model of it, over reopenings and damage."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import edge.outbox
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
class Model:
    """What the outbox must be, in a few plain fields."""

    max_bytes: int
    epoch: str
    held: dict[int, tuple[int, bytes]] = field(default_factory=dict)
    made_frames: int = 0
    made_samples: int = 0
    kept: int = 0
    shed: int = 0

    @property
    def held_bytes(self) -> int:
        return sum(len(body) + FRAME_OVERHEAD_BYTES for _, body in self.held.values())

    def append(self, bodies: list[tuple[int, bytes]]) -> int:
        for samples, body in bodies:
            self.made_frames += 1
            self.made_samples += samples
            self.held[self.made_frames] = (samples, body)
        shed = 0
        while self.held_bytes > self.max_bytes and len(self.held) > 1:
            shed += self.held.pop(min(self.held))[0]
        self.shed += shed
        return shed

    def confirm(self, epoch: str, upto: int) -> None:
        if epoch == self.epoch and self.kept < upto <= self.made_frames:
            self.kept = upto
            self.held = {seq: frame for seq, frame in self.held.items() if seq > upto}


class OutboxMachine(RuleBasedStateMachine):
    """Append, confirm, shed, read and reopen in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.path = self.folder / "outbox.db"
        self.batches = 0

    @initialize(max_bytes=st.sampled_from([300, 2_000, PLENTY]))
    def open(self, max_bytes: int) -> None:
        self.outbox = Outbox(self.path, max_bytes)
        self.model = Model(max_bytes, self.outbox.state.epoch)

    @rule(sizes=st.lists(st.integers(1, 12), min_size=1, max_size=4), again=st.booleans())
    def append(self, sizes: list[int], again: bool) -> None:  # noqa: FBT001 - Hypothesis passes it by name
        self.batches += 1
        put = batch(f"{self.batches}", *sizes)
        first = self.outbox.state.made_frames + 1
        shed = self.outbox.append(put)
        newest = [
            (size, edge.outbox._encoded(self.model.epoch, seq, 1000, [sample(number) for number in range(size)]))
            for seq, size in enumerate(sizes, start=first)
        ]
        assert shed == self.model.append(newest)
        if again:
            assert self.outbox.append(put) == 0, "the same batch again is no new batch"

    @precondition(lambda self: self.model.made_frames)
    @rule(data=st.data())
    def confirm(self, data: st.DataObject) -> None:
        upto = data.draw(st.integers(0, self.model.made_frames + 3))
        epoch = data.draw(st.sampled_from([self.model.epoch, self.model.epoch, "ab" * 16]))
        self.outbox.confirm(epoch, upto)
        self.model.confirm(epoch, upto)

    @rule()
    def reopen(self) -> None:
        self.outbox.close()
        self.outbox = Outbox(self.path, self.model.max_bytes)

    @rule(after=st.integers(0, 40), limit=st.integers(1, 10))
    def read(self, after: int, limit: int) -> None:
        found = self.outbox.read(after, limit)
        wanted = [seq for seq in sorted(self.model.held) if seq > after][:limit]
        assert [frame.seq for frame in found] == wanted
        for stored in found:
            frame = decode_frame(stored.body)
            assert (frame.epoch, frame.seq, frame.sent_ms, frame.oldest) == (self.model.epoch, stored.seq, 1000, False)
            assert len(frame.tags) == stored.samples == self.model.held[stored.seq][0]
            assert frame.values == [sample(number).value for number in range(stored.samples)]
            assert frame.reasons == {f"{at}": "unreadable" for at in range(stored.samples) if at % 5 == 4}

    @invariant()
    def agrees(self) -> None:
        if not hasattr(self, "model"):
            return
        state, model = self.outbox.state, self.model
        assert state.epoch == model.epoch
        assert (state.made_frames, state.made_samples) == (model.made_frames, model.made_samples)
        assert (state.kept_frames, state.shed_samples) == (model.kept, model.shed)
        assert (state.held_frames, state.held_bytes) == (len(model.held), model.held_bytes)
        assert state.oldest == (min(model.held) if model.held else model.made_frames + 1)

    def teardown(self) -> None:
        if hasattr(self, "outbox"):
            self.outbox.close()
        shutil.rmtree(self.folder)


TestOutboxMachine = OutboxMachine.TestCase
TestOutboxMachine.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)


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
    outbox._db.execute("CREATE TRIGGER bad BEFORE INSERT ON frame WHEN NEW.seq = 3 BEGIN SELECT RAISE(ABORT, 'x'); END")
    with pytest.raises(OutboxError):
        outbox.append(batch("2", 2, 2, keys=(key(1),)))
    assert outbox.state == before
    assert not outbox.seen(key(1))
    outbox._db.execute("DROP TRIGGER bad")
    outbox.append(batch("2", 2, 2, keys=(key(1),)))
    assert [frame.seq for frame in outbox.read(0, 9)] == [1, 2, 3]
    assert outbox.seen(key(1))
    outbox.close()


def test_keys_are_remembered_over_reopening_and_forgotten_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edge.outbox, "REMEMBERED", 10)
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
        pytest.param(lambda path: _execute(path, "UPDATE outbox SET made_frames = 1"), id="frames-beyond-the-record"),
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
