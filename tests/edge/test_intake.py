"""When frames are closed, what is dropped as redelivered, and what happens when the disk does not take it."""

from __future__ import annotations

import asyncio
import math
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from config.clock import SystemClock
from config.contract.frame import decode_frame
from config.plant.substances import plant_substances
from config.settings import EdgeSettings
from edge import intake as intake_module
from edge.errors import OutboxDamagedError, OutboxError
from edge.health import EdgeHealth
from edge.intake import STALLED_MESSAGES, Intake
from edge.normalize import Normalizer
from edge.outbox import Batch, Outbox
from edge.outbox_thread import OutboxThread
from edge.reading import Reading
from tests.support.plants import mini_plant
from tests.support.waiting import eventually_async

PLANT = mini_plant()
LONG = {"frame_max_delay_ms": 60_000}


class Bench:
    """An intake with everything around it."""

    def __init__(self, folder: Path, **changes: Any) -> None:  # noqa: ANN401 - any field of EdgeSettings
        settings = EdgeSettings(edge="edge-a", data_dir=folder, **changes)
        self.health = EdgeHealth()
        self.outbox = OutboxThread(folder / "outbox.db", settings.outbox_max_bytes, SystemClock())
        self.stored = 0
        self.kept: list[object] = []
        self.intake = Intake(
            normalizer=Normalizer(PLANT.tags.values(), plant_substances(PLANT)),
            outbox=self.outbox,
            settings=settings,
            clock=SystemClock(),
            health=self.health,
            notice=lambda samples: np.zeros(len(samples), np.bool_),
            stored=self._count,
        )

    def take(self, *numbers: float, mark: object = None, time_ms: int | None = None, again: bool = False) -> None:
        """Hand over readings of T-1.LEVEL as one message."""
        readings = [Reading("T-1.LEVEL", number, time_ms, again=again) for number in numbers]
        self.intake.take(readings, lambda: self.kept.append(mark))

    async def frames(self) -> list[list[float | None]]:
        """Return the values in each frame of the outbox."""
        return [decode_frame(stored.body).values for stored in await self.outbox.read(self.outbox.state.epoch, 0, 1000)]

    def _count(self) -> None:
        self.stored += 1


@asynccontextmanager
async def bench(folder: Path, **changes: Any) -> AsyncIterator[Bench]:  # noqa: ANN401 - any field of EdgeSettings
    made = Bench(folder, **changes)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(made.intake.run())
        try:
            yield made
        finally:
            running.cancel()
    await made.outbox.close()


async def test_a_frame_is_closed_when_it_is_full(tmp_path: Path) -> None:
    async with bench(tmp_path, frame_max_samples=3, **LONG) as on:
        on.take(1, 2, mark="a")
        on.take(3, 4, mark="b")
        await eventually_async(lambda: on.kept == ["a", "b"])
        assert await on.frames() == [[1, 2, 3], [4]]
        assert on.health.made == 4


async def test_a_frame_is_closed_when_its_first_sample_is_old(tmp_path: Path) -> None:
    async with bench(tmp_path, frame_max_delay_ms=50) as on:
        began_s = time.monotonic()
        on.take(1)
        await eventually_async(lambda: on.stored == 1)
        assert 0.05 <= time.monotonic() - began_s < 1.0


async def test_a_frame_is_closed_when_the_broker_seems_to_wait_for_our_acknowledgements(tmp_path: Path) -> None:
    async with bench(tmp_path, **LONG) as on:
        for number in range(STALLED_MESSAGES):
            on.take(number, mark=number)
        await eventually_async(lambda: on.kept == list(range(STALLED_MESSAGES)), 2.0)


async def test_settling_stores_at_once_and_waits_for_it(tmp_path: Path) -> None:
    async with bench(tmp_path, **LONG) as on:
        on.take(1, mark="a")
        on.take(mark="nothing in it")
        await on.intake.settle()
        assert on.kept == ["a", "nothing in it"]
        assert await on.frames() == [[1]]
        await on.intake.settle()


async def test_a_message_without_readings_is_still_acknowledged_in_turn(tmp_path: Path) -> None:
    async with bench(tmp_path, frame_max_delay_ms=5) as on:
        on.take(mark="empty")
        await eventually_async(lambda: on.kept == ["empty"])
        assert on.health.made == 0


@pytest.mark.parametrize("stored_before", [True, False], ids=["in the outbox", "in hand"])
async def test_a_redelivered_sample_is_dropped_and_counted(tmp_path: Path, stored_before: bool) -> None:  # noqa: FBT001 - a parameter of the test
    async with bench(tmp_path, **LONG) as on:
        on.take(1.0, time_ms=1000)
        on.take(2.0, time_ms=2000)
        if stored_before:
            await on.intake.settle()
        on.take(1.0, time_ms=1000, again=True, mark="again")
        on.take(1.5, time_ms=1000, again=True)
        await on.intake.settle()
        assert [value for frame in await on.frames() for value in frame] == [1.0, 2.0, 1.5]
        assert on.health.unreadable == {"redelivered": 1}
        assert "again" in on.kept, "the broker is told all the same"


async def test_a_redelivered_sample_is_known_after_a_restart(tmp_path: Path) -> None:
    async with bench(tmp_path, **LONG) as on:
        for number in range(40):
            on.take(number, time_ms=number)
        await on.intake.settle()
    async with bench(tmp_path, **LONG) as later:
        await later.outbox.open()
        for number in range(41):
            later.take(number, time_ms=number, again=True)
        await later.intake.settle()
        assert later.health.unreadable == {"redelivered": 40}
        assert later.health.readings == 1


async def test_equal_readings_that_are_no_redelivery_are_kept(tmp_path: Path) -> None:
    async with bench(tmp_path, **LONG) as on:
        on.take(1.0, time_ms=1000)
        on.take(1.0, time_ms=1000)
        on.take(2.0, again=True)
        on.take(2.0, again=True)  # without source time nobody can know
        await on.intake.settle()
        assert on.health.made == 4


async def test_what_is_not_finite_goes_on_the_wire_as_null(tmp_path: Path) -> None:
    async with bench(tmp_path, **LONG) as on:
        on.take(math.nan, 1.0, math.inf)
        await on.intake.settle()
        (stored,) = await on.outbox.read(on.outbox.state.epoch, 0, 9)
        frame = decode_frame(stored.body)
        assert frame.values == [None, 1.0, None]
        assert frame.quality == [2, 0, 2]
        assert frame.reasons == {"0": "not_finite", "2": "not_finite"}


def failing(on: Bench, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Make the outbox fail until the returned function is called."""
    append = on.outbox.append

    async def fail(_batch: Batch) -> int:
        raise OutboxError("outbox: database or disk is full")

    monkeypatch.setattr(on.outbox, "append", fail)
    return lambda: monkeypatch.setattr(on.outbox, "append", append)


async def test_a_disk_that_fails_is_waited_for_and_nothing_is_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bench(tmp_path, frame_max_delay_ms=1) as on:
        mend = failing(on, monkeypatch)
        on.take(1, mark="a")
        await eventually_async(lambda: "outbox" in on.health.faults)
        on.take(2, mark="b")
        assert not on.kept
        assert on.health.changed.is_set()
        mend()
        await eventually_async(lambda: on.kept == ["a", "b"])
        assert not on.health.faults
        assert on.health.made == 2


async def test_an_outbox_that_turns_out_damaged_is_replaced_and_what_is_in_hand_goes_into_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bench(tmp_path, **LONG) as on:
        on.take(1, time_ms=1)
        await on.intake.settle()
        epoch = on.health.outbox.epoch
        append = Outbox.append

        def damaged(outbox: Outbox, batch: Batch) -> int:
            if outbox.state.epoch == epoch:
                raise OutboxDamagedError("outbox: database disk image is malformed")
            return append(outbox, batch)

        monkeypatch.setattr(Outbox, "append", damaged)
        on.take(2, time_ms=2, mark="b")
        await on.intake.settle()
        assert on.kept[1:] == ["b"]
        assert on.health.outbox.epoch != epoch
        assert await on.frames() == [[2]]
        assert any("damaged" in name for name in await asyncio.to_thread(os.listdir, tmp_path))
        on.take(1, time_ms=1, again=True)
        await on.intake.settle()
        assert await on.frames() == [[2], [1]], "what went down with the old file is taken when it comes again"


async def test_what_piles_up_meanwhile_goes_in_by_small_transactions_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake_module, "BATCH_SAMPLES", 4)
    async with bench(tmp_path, frame_max_delay_ms=1, frame_max_samples=3) as on:
        mend = failing(on, monkeypatch)
        on.take(0)
        await eventually_async(lambda: "outbox" in on.health.faults)
        for number in range(1, 20):
            on.take(number, mark=number)
        mend()
        await on.intake.settle()
        assert [value for frame in await on.frames() for value in frame] == list(range(20))
        assert on.stored >= 5
        assert on.kept[1:] == list(range(1, 20))


async def test_drivers_are_asked_to_wait_when_too_much_is_in_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake_module, "HELD_MAX", 6)
    async with bench(tmp_path, frame_max_delay_ms=1) as on:
        mend = failing(on, monkeypatch)
        on.take(1, 2)
        before = on.intake.has_room
        on.take(3, 4)
        assert (before, on.intake.has_room) == (True, False)
        mend()
        async with asyncio.timeout(5):
            await on.intake.room()
