"""The order of a demo: start everything, watch it, let the scenario play, stop, and judge."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from config.clock import Clock
from config.plant.load import DEMO_PLANT
from config.plant.model import EdgeKind, Plant
from hazgate.demo.answers import AlarmItem, EdgeItem, EdgeList, Health, Ledger
from hazgate.demo.client import Api, ApiError
from hazgate.demo.picture import Picture
from hazgate.demo.player import Order, Progress, read_sent
from hazgate.demo.processes import Child, ChildEndedError, Fleet
from hazgate.demo.report import Judgement, compare, delays_of, judge_alarms
from hazgate.demo.story import tell_story
from hazgate.groups import sentences
from simulators.library import Loaded

__all__ = ["Demo", "DemoError", "Setting", "StoppedError"]

SIMULATOR = "simulator"
_READY_WITHIN_S = 90.0
_SETTLED_WITHIN_S = 20.0
_LOOK_EVERY_S = 0.1
_LEDGER_EVERY_S = 0.5
_REST_S = 0.2
"""Before the stream is opened again."""
_FALLS_WITHIN_S = 1.0
_HANDS = 1.2
_BROKER = 1.0
"""Seconds for ending when asked: first those who work, then the broker; together well below 3 s."""


class DemoError(Exception):
    """The demo could not go on; says why."""


class StoppedError(Exception):
    """The user asked for the end."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What a demo is made of."""

    loaded: Loaded
    seed: int
    seconds: float | None
    """None: until it is stopped."""
    data_dir: Path
    broker: str
    """``host:port``, free."""
    http: str
    """``host:port``, free."""


class Demo:
    """One demo.

    Args:
        setting: What it is made of.
        clock: Wall and monotonic.
        picture: Kept up to date while it runs.
    """

    def __init__(self, setting: Setting, clock: Clock, picture: Picture) -> None:
        self._setting = setting
        self._clock = clock
        self._picture = picture
        picture.story = tell_story(setting.loaded.scenario, setting.loaded.plant)
        self._api = Api(f"http://{setting.http}")
        self._fleet = Fleet(setting.data_dir / "logs")
        self._agents = [edge.id for edge in setting.loaded.plant.edges.values() if edge.kind is EdgeKind.AGENT]
        self._sent_file = setting.data_dir / "sent.jsonl"
        self._ready = False

    @property
    def address(self) -> str:
        """Of the API and the live page."""
        return self._api.address

    def processes(self) -> dict[str, bool]:
        """Say which processes do their work: name -> whether."""
        online = {edge.edge: bool(edge.online) for edge in self._picture.edges}
        up = {name: child.running for name, child in self._fleet.children.items()}
        up |= {name: up[name] and online.get(name, False) for name in self._agents if name in up}
        if self._picture.health is None and "gateway" in up:
            up["gateway"] = False
        return up

    async def run(self, stop: asyncio.Event, show: Callable[[], Coroutine[Any, Any, None]]) -> Judgement:
        """Play from beginning to end; every process has ended when this returns or raises.

        Args:
            stop: The user wants the end.
            show: Shows the picture for as long as it runs.

        Raises:
            StoppedError: ``stop`` was set.
            DemoError: Something did not start, or ended by itself.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                around = [tasks.create_task(_until(stop)), tasks.create_task(show())]
                await self._start()
                around += [tasks.create_task(self._fleet.watch(name)) for name in self._servants()]
                progress, alarms = await self._play(tasks, around)
                for task in around:
                    task.cancel()
        except BaseExceptionGroup as group:
            raise await self._cause(group) from None
        finally:
            await self._end()
        return self._judge(progress, alarms)

    # --- beginning ---------------------------------------------------------------------------------------------

    async def _start(self) -> None:
        setting, fleet = self._setting, self._fleet
        data, plant, broker = setting.data_dir, str(setting.loaded.plant_file), f"mqtt://{setting.broker}"
        port = setting.broker.rpartition(":")[2]
        await fleet.start("broker", "hazgate", "broker", "--data", str(data / "broker"), "--port", port)
        gateway = ("--data", str(data / "gateway"), "--plant", plant, "--broker", broker, "--http", setting.http)
        known = ("--registry", "demo") if setting.loaded.plant_file == DEMO_PLANT else ()
        await fleet.start("gateway", "hazgate", "gateway", "--no-accounts", *gateway, *known)
        for name in self._agents:
            home = str(data / "edges" / name)
            both = ("--plant-broker", broker, "--broker", broker)
            await fleet.start(name, "hazgate", "edge", "--edge", name, "--data", home, "--plant", plant, *both)
        order = Order(
            scenario=str(setting.loaded.file),
            broker=setting.broker,
            seed=setting.seed,
            seconds=setting.seconds,
            **({} if setting.seconds is None else {"sent_file": str(self._sent_file)}),
        )
        self._sent_file.unlink(missing_ok=True)
        await fleet.start(SIMULATOR, "hazgate.demo.player", msgspec.json.encode(order).decode(), talks=True)

    def _servants(self) -> list[str]:
        return [name for name in self._fleet.children if name != SIMULATOR]

    async def _until_ready(self) -> None:
        """Wait until the gateway takes readings in and every edge reads its sensors.

        Raises:
            DemoError: That took too long.
        """
        missing = "the gateway"
        try:
            async with asyncio.timeout(_READY_WITHIN_S):
                while missing:
                    await asyncio.sleep(_LOOK_EVERY_S)
                    if await self._api.ready():
                        edges = (await self._api.get("/api/v1/edges", EdgeList)).items
                        self._picture.edges = edges
                        self._picture.health = await self._api.get("/api/v1/health", Health)
                        missing = ", ".join(
                            edge.edge for edge in edges if edge.edge in self._agents and not _reads(edge)
                        )
        except TimeoutError:
            log_dir = self._setting.data_dir / "logs"
            raise DemoError(f"not ready within {_READY_WITHIN_S:.0f} s: {missing}; see {log_dir}") from None

    # --- the scenario ------------------------------------------------------------------------------------------

    async def _play(
        self, tasks: asyncio.TaskGroup, around: list[asyncio.Task[None]]
    ) -> tuple[Progress, list[AlarmItem]]:
        """Play the scenario to its end; returns how far it came and the alarms it raised."""
        await self._until_ready()
        self._picture.count(await self._api.get("/api/v1/ledger", Ledger))
        around += [tasks.create_task(self._follow()), tasks.create_task(self._count())]
        simulator = self._fleet.children[SIMULATOR]
        _begin(simulator)
        await self._listen(simulator)
        progress = self._picture.progress
        if progress is None or await simulator.process.wait():
            raise simulator.obituary()
        await self._until_settled(progress)
        ended_ms = progress.started_ms + round((self._setting.seconds or 0.0) * 1000)
        return progress, await self._api.alarms(progress.started_ms, ended_ms + 1)

    async def _listen(self, simulator: Child) -> None:
        """Take what the simulator says until it has ended."""
        output = simulator.process.stdout
        while output and (line := await output.readline()):
            self._picture.play(msgspec.json.decode(line, type=Progress))

    async def _follow(self) -> None:
        """Follow the live stream, opening it again when it breaks."""
        while True:
            try:
                async for event in self._api.events():
                    self._picture.hear(event)
            except ApiError:
                await asyncio.sleep(_REST_S)

    async def _count(self) -> None:
        while True:
            await asyncio.sleep(_LEDGER_EVERY_S)
            self._picture.count(await self._api.get("/api/v1/ledger", Ledger))

    # --- the end -----------------------------------------------------------------------------------------------

    async def _until_settled(self, progress: Progress) -> None:
        """Wait until everything sent is kept, evaluated and in history; what is not in time counts as lost."""
        deadline_s = self._clock.monotonic_s() + _SETTLED_WITHIN_S
        while self._clock.monotonic_s() < deadline_s:
            health = await self._api.get("/api/v1/health", Health)
            self._picture.count(await self._api.get("/api/v1/ledger", Ledger))
            if self._picture.kept + self._picture.doubled >= progress.samples and not health.history_lag:
                return
            await asyncio.sleep(_LOOK_EVERY_S)

    def _judge(self, progress: Progress, alarms: list[AlarmItem]) -> Judgement:
        """Look into what was kept; nobody uses the data directory any more."""
        from hazgate.demo.stored import read_history  # noqa: PLC0415 - the whole gateway: not before it is needed

        setting, picture = self._setting, self._picture
        sent = read_sent(self._sent_file)
        first_ms = min((sample.time_ms for sample in sent), default=progress.started_ms)
        kept = read_history(setting.data_dir / "gateway", setting.loaded.plant.tags, first_ms)
        return Judgement(
            sent=progress.samples,
            unsent=progress.unsent,
            stored=picture.kept,
            absorbed=picture.doubled,
            comparison=compare(sent, kept, _without_clock(setting.loaded.plant)),
            verdict=judge_alarms(setting.loaded.scenario, alarms, progress.started_ms, setting.seconds or 0.0),
            delays=delays_of(alarms),
        )

    async def _cause(self, group: BaseExceptionGroup) -> BaseException:
        """Return the one error that says why the demo ended; a group of what nobody foresaw is returned as it is.

        Whoever asks a gateway that was just killed learns that nobody answers before its end is known: then the
        end is the cause.
        """
        if group.subgroup(StoppedError):
            return StoppedError()
        foreseen, rest = group.split((ChildEndedError, DemoError, ApiError))
        if rest or foreseen is None:
            return group
        if not foreseen.subgroup(ChildEndedError) and (fallen := await self._fleet.fallen(_FALLS_WITHIN_S)):
            return DemoError(str(fallen.obituary()))
        return DemoError(sentences(foreseen))

    async def _end(self) -> None:
        """End every process: those who work first, the broker last."""
        working = [name for name in self._fleet.children if name != "broker"]
        if working:
            await self._fleet.stop(*working, within_s=_HANDS)
        await self._fleet.stop(within_s=_BROKER)


async def _until(stop: asyncio.Event) -> None:
    """Wait for the user.

    Raises:
        StoppedError: He wants the end.
    """
    await stop.wait()
    raise StoppedError


def _without_clock(plant: Plant) -> set[str]:
    """Return the tags whose sources send no time: their samples get the time of their receipt."""
    return {tag.name for tag in plant.tags.values() if tag.source and not tag.source.time_path}


def _begin(simulator: Child) -> None:
    """Let the simulator play."""
    if simulator.process.stdin:
        simulator.process.stdin.write(b"begin\n")


def _reads(edge: EdgeItem) -> bool:
    """Say whether an edge is there and has subscribed to its sensors."""
    return bool(edge.online) and edge.report is not None and not edge.report.faults
