"""Puts an edge agent together and runs it: the only place of this room that constructs."""

from __future__ import annotations

import asyncio
import fcntl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import structlog

from config.clock import Clock
from config.plant.model import EdgeKind, Plant, Tag
from config.plant.substances import plant_substances
from config.settings import EdgeSettings
from edge.annunciator import Annunciator
from edge.driver import Driver, DriverSetup
from edge.drivers import DRIVERS
from edge.errors import DataDirectoryError, OutboxError, UnknownDriverError, UnknownEdgeError
from edge.health import EdgeHealth
from edge.intake import Intake
from edge.local_alarms import LocalAlarms
from edge.normalize import Normalizer
from edge.outbox_thread import OutboxThread
from edge.report import Report
from edge.retry import Backoff, until
from edge.uplink import Uplink

__all__ = ["run_edge"]

TICK_S = 1.0

log = structlog.get_logger(__name__)


async def run_edge(
    settings: EdgeSettings, plant: Plant, clock: Clock, stop: asyncio.Event, health: EdgeHealth | None = None
) -> None:
    """Run one edge agent until ``stop`` is set; then what was read is put into the outbox and the broker told.

    Args:
        settings: Which edge, where its outbox lies, where the brokers are.
        plant: Names the tags of the edge and their sources.
        clock: The clock of this machine.
        stop: Ends the agent within two seconds.
        health: Filled while the agent runs, for whoever wants to look.

    Raises:
        UnknownEdgeError: The plant has no such agent.
        UnknownDriverError: A tag names a driver that does not exist.
        UnitError: A source has a unit that cannot be converted.
        DataDirectoryError: The data directory cannot be used, or another agent uses it.
    """
    health = EdgeHealth() if health is None else health
    tags = _tags_of(settings.edge, plant)
    normalizer = Normalizer(tags, plant_substances(plant))
    with _alone_in(settings.data_dir):
        outbox = OutboxThread(settings.data_dir / "outbox.db", settings.outbox_max_bytes, clock)
        uplink = Uplink(
            site=plant.site.id,
            settings=settings,
            outbox=outbox,
            clock=clock,
            health=health,
            software=f"hazgate {version('hazgate')}",
        )
        alarms = LocalAlarms(plant, tags, clock, lambda: not uplink.cut)
        alarms.listen(uplink.tell)
        annunciator = Annunciator(plant.site.id, settings, alarms, clock)
        intake = Intake(
            normalizer=normalizer,
            outbox=outbox,
            settings=settings,
            clock=clock,
            health=health,
            notice=alarms.take,
            stored=uplink.stored,
        )
        drivers = [
            DRIVERS[name](DriverSetup(plant.site.id, those, settings, intake, health, clock))
            for name, those in _by_driver(tags).items()
        ]
        try:
            async with asyncio.TaskGroup() as tasks:
                beside = [
                    tasks.create_task(_tick(alarms), name="ticks"),
                    tasks.create_task(annunciator.run(stop), name="annunciator"),
                    tasks.create_task(Report(settings, health, alarms, outbox, clock).run(), name="report"),
                ]
                await _run(drivers, intake, uplink, outbox, health, stop)
                for task in beside:
                    task.cancel()
        finally:
            await outbox.close()
    log.info("edge stopped", edge=settings.edge, made=health.made, frames=health.depth)


async def _run(
    drivers: Sequence[Driver],
    intake: Intake,
    uplink: Uplink,
    outbox: OutboxThread,
    health: EdgeHealth,
    stop: asyncio.Event,
) -> None:
    """Run all parts; stop them in the order in which the data goes."""
    drained = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(uplink.run(drained), name="uplink")
        storing = tasks.create_task(intake.run(), name="intake")
        await until(stop, _open(outbox, health))
        uplink.stored()
        async with asyncio.TaskGroup() as reading:
            for driver in drivers:
                reading.create_task(driver.run(stop), name=type(driver).__name__)
            await stop.wait()
        storing.cancel()
        drained.set()


async def _tick(alarms: LocalAlarms) -> None:
    """Let time pass for the local alarms: silence is noticed without a sample."""
    while True:
        await asyncio.sleep(TICK_S)
        alarms.tick()


async def _open(outbox: OutboxThread, health: EdgeHealth) -> None:
    """Open the outbox before anything is read: until then the brokers keep what there is."""
    backoff = Backoff()
    while True:
        try:
            await outbox.open()
        except OutboxError as error:
            health.fail("outbox", str(error))
            await asyncio.sleep(backoff.next_s())
            continue
        health.outbox = outbox.state
        health.mend("outbox")
        health.changed.set()
        return


def _tags_of(edge: str, plant: Plant) -> list[Tag]:
    """Return the tags this agent reads."""
    found = plant.edges.get(edge)
    if found is None or found.kind is not EdgeKind.AGENT:
        agents = ", ".join(each.id for each in plant.edges.values() if each.kind is EdgeKind.AGENT) or "none"
        raise UnknownEdgeError(f"edge {edge!r}: the plant has no such edge agent; it has: {agents}")
    return [tag for tag in plant.tags.values() if tag.edge == edge and tag.source is not None]


def _by_driver(tags: Sequence[Tag]) -> Mapping[str, list[Tag]]:
    found: dict[str, list[Tag]] = {}
    for tag in tags:
        if tag.source is None:
            continue
        if tag.source.driver not in DRIVERS:
            raise UnknownDriverError(
                f"tag {tag.name}: driver {tag.source.driver!r} is none of {', '.join(sorted(DRIVERS))}"
            )
        found.setdefault(tag.source.driver, []).append(tag)
    return found


@contextmanager
def _alone_in(data_dir: Path) -> Iterator[None]:
    """Make sure that no other agent uses the same outbox: two writers would give the same seq to two frames."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        lock = (data_dir / "edge.lock").open("ab")
    except OSError as error:
        raise DataDirectoryError(f"data directory {data_dir}: {error}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise DataDirectoryError(f"data directory {data_dir}: another edge agent uses it") from None
        yield
