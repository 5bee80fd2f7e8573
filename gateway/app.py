"""Constructs a gateway and runs it: the pipeline, history and housekeeping in threads, HTTP on the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from ipaddress import ip_address

import structlog
from fastapi import FastAPI
from sqlalchemy import Engine

from config.clock import Clock
from config.contract.topics import subscriptions
from config.duty.model import DEFAULT_DUTY, Duty
from config.errors import CertificateError
from config.plant.model import Plant
from config.reserve import Reserve
from config.settings import GatewaySettings
from config.tls import server_context
from gateway.access.accounts import Accounts
from gateway.access.oidc import Provider
from gateway.access.sessions import Sessions
from gateway.api.app import create_api
from gateway.api.context import Desk as ApiDesk
from gateway.api.feed import Source
from gateway.api.guard import AccountGate, Gate, OpenGate
from gateway.api.server import ApiServer
from gateway.canary import Canary
from gateway.commands import Asking, Inbox
from gateway.errors import GatewayError
from gateway.history.duckdb_store import HistoryStore
from gateway.history.follower import Follower
from gateway.history.influx.client import InfluxClient
from gateway.history.influx.reader import InfluxReader
from gateway.history.influx.store import InfluxWriter
from gateway.history.port import HistoryReader, HistoryWriter
from gateway.ingest.mqtt import MqttTransport
from gateway.kpi.compute import Kpis
from gateway.kpi.desks import Desks
from gateway.kpi.months import Freezer, Months
from gateway.late_lane import LateLane
from gateway.live import Board, Hub
from gateway.lock import own
from gateway.mirror import Mirror
from gateway.notify.desk import DutyDesk
from gateway.notify.notifier import Notifier
from gateway.notify.outbox import Outbox
from gateway.notify.port import Channel
from gateway.pipeline import Pipeline
from gateway.place.app import Ground, Place, make_place
from gateway.records.database import open_desk, open_reader, open_writer
from gateway.records.desk import Desk
from gateway.records.following import LogFollowing
from gateway.records.keeper import keep_audit, keep_short
from gateway.records.postgresql import Guard, desk_engine, reader_engine
from gateway.records.queries import Queries
from gateway.records.writer import Records
from gateway.shift.attachments import Attachments
from gateway.shift.handover import Handovers
from gateway.shift.links import Links
from gateway.threads import Crew
from gateway.watchdog import Watchdog

__all__ = ["HISTORY_FILE", "OnDuty", "https_context", "run_api", "run_gateway"]

HISTORY_FILE = "history.duckdb"
_JOIN_S = 5.0
_SWITCH_S = 0.0005
_BEHIND = 5
"""Of the history: about a third of a processor's turns when the pipeline wants it too. Much more, and it would be kept
waiting while it holds the interpreter that the pipeline waits for."""
_LAST = 10
"""Of the late lane: nobody waits for it."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class OnDuty:
    """Who is told of alarms, and over what."""

    duty: Duty = DEFAULT_DUTY
    channels: Mapping[str, Channel] = field(default_factory=dict)
    """For every name that ``duty`` uses; the gateway closes them."""
    base_url: str = ""
    """Of the gateway's own pages, for links; empty: not known."""


_NOBODY = OnDuty()


async def run_gateway(
    settings: GatewaySettings,
    plant: Plant,
    clock: Clock,
    stop: asyncio.Event,
    on_ready: Callable[[str], None] = lambda _address: None,
    on_password: Callable[[str], None] = lambda _password: None,
    on_duty: OnDuty = _NOBODY,
) -> None:
    """Run a gateway until ``stop`` is set.

    Args:
        settings: What the operator set.
        plant: What is watched.
        clock: Wall and monotonic.
        stop: Ends the gateway cleanly.
        on_ready: Called with the address of the HTTP interface once it listens.
        on_password: Called with the one-time password of the first account, when it is made.
        on_duty: Who is told of alarms, over what; by default nobody: alarms are on the screen alone.

    Raises:
        GatewayError: It cannot start (data directory, records, HTTP address), or one of its threads failed.
    """
    # The pipeline gives the interpreter up at every system call; by default each thread that is busy then may keep it
    # for 5 ms, and there are a dozen such calls in a turn.
    sys.setswitchinterval(_SWITCH_S)
    tls = https_context(settings)
    with own(settings.data_dir), contextlib.closing(_listen(settings)) as listener:
        writer = open_writer(settings.data_dir, settings.records)
        reader = open_reader(settings.data_dir, settings.records)
        guard = None if settings.records is None else Guard(writer, clock)
        board, hub = Board(), Hub()
        queries = Queries(reader)
        history = _open_history(settings, plant, queries, clock)
        following = Follower(LogFollowing(reader), history.writer, board)
        lane = LateLane(LogFollowing(reader), history.reader, queries, plant, clock, following.position)
        transport = MqttTransport(
            settings.broker,
            f"hazgate-{plant.site.id}-gateway",
            subscriptions("+" if settings.hears_foreign_sites else plant.site.id),
            clock,
        )
        inbox = Inbox(transport.wake)
        pipeline = Pipeline(
            plant=plant,
            settings=settings,
            records=Records(writer),
            transport=transport,
            clock=clock,
            lane=lane,
            board=board,
            hub=hub,
            inbox=inbox,
            reserve=Reserve(settings.data_dir / "records.reserve", settings.reserve_bytes),
            history=following,
            handling=on_duty.duty.handling,
        )
        writing = open_desk(settings.data_dir, settings.records)
        source = Source(plant, board, hub, queries, clock, version("hazgate"))
        parts = _Parts(settings, writing, reader, on_password, on_duty.duty)
        api, kpis, place = _create(source, history.reader, inbox, parts)
        telling = open_desk(settings.data_dir, settings.records)  # of its own: nobody else's transaction delays it
        notifier = _notifier(on_duty, source, telling, reader)
        loop = asyncio.get_running_loop()

        def give_up() -> None:
            loop.call_soon_threadsafe(stop.set)

        crew = Crew(give_up)
        try:
            crew.start("pipeline", pipeline.run)
            crew.start("history", following.run, niceness=_BEHIND)
            for name, work in {
                "late-lane": lane.run,
                "months": Freezer(Months(kpis), reader, writing, clock).run,
                "audit": lambda ended: keep_audit(writing, clock, on_duty.duty.handling.audit_keep_days, ended),
                **place.threads(),
            }.items():
                crew.start(name, work, niceness=_LAST)
            crew.start("keeper", guard.run if guard else lambda ended: keep_short(reader, ended))
            for name, work in {**notifier.threads(), **_canary(settings, plant, board)}.items():
                crew.start(name, work)
            on_ready(_address(listener, tls))
            watchdog = Watchdog(board, clock, os.environ.get("NOTIFY_SOCKET", ""))
            await _serve(ApiServer(api, tls), listener, stop, watchdog)
        finally:
            crew.stop.set()
            transport.wake()
            following.wake()
            notifier.wake()
            late = await asyncio.to_thread(crew.join, _JOIN_S)
            if late:
                log.error("threads_did_not_stop", threads=late)
            else:
                transport.close()
                await asyncio.to_thread(following.finish)
                history.close()
                for engine in (writing, telling, reader, writer):
                    engine.dispose()
    if crew.failed:
        raise GatewayError(
            f"the {crew.failed} thread failed; see the log above. Start the gateway again: nothing is lost"
        )


async def run_api(
    settings: GatewaySettings,
    plant: Plant,
    clock: Clock,
    stop: asyncio.Event,
    on_ready: Callable[[str], None] = lambda _address: None,
    on_password: Callable[[str], None] = lambda _password: None,
    on_duty: OnDuty = _NOBODY,
) -> None:
    """Run the HTTP interface alone until ``stop`` is set: it sees the pipeline only through the stores.

    Args:
        settings: What the operator set; ``records`` and ``history`` are servers the worker uses too.
        plant: As the worker has it.
        clock: Wall and monotonic.
        stop: Ends it cleanly.
        on_ready: Called with the address of the HTTP interface once it listens.
        on_password: Called with the one-time password of the first account, when it is made.
        on_duty: Its people and rosters are shown; the worker tells them.

    Raises:
        GatewayError: It cannot start, or its follower failed.
    """
    if settings.records is None or settings.history is None:
        raise GatewayError(
            "an API of its own needs --records postgresql://... and --history influx://..., as the worker"
        )
    tls = https_context(settings)
    with contextlib.closing(_listen(settings)) as listener:
        reader, writing = reader_engine(settings.records), desk_engine(settings.records)
        reading = InfluxClient(settings.history)
        queries, board, hub = Queries(reader), Board(), Hub()
        mirror = Mirror(plant, Records(reader), queries, board, hub, clock)
        desk = Desk(writing, clock)
        history = InfluxReader(reading, queries.tag_name)
        source = Source(plant, board, hub, queries, clock, version("hazgate"))
        api, *_ = _create(source, history, desk, _Parts(settings, writing, reader, on_password, on_duty.duty))
        loop = asyncio.get_running_loop()

        def give_up() -> None:
            loop.call_soon_threadsafe(stop.set)

        crew = Crew(give_up)
        server = ApiServer(api, tls)
        try:
            crew.start("mirror", mirror.run)
            on_ready(_address(listener, tls))
            await _serve(server, listener, stop)
        finally:
            crew.stop.set()
            await asyncio.to_thread(crew.join, _JOIN_S)
            reading.close()
            writing.dispose()
            reader.dispose()
    if crew.failed:
        raise GatewayError(f"the {crew.failed} thread failed; see the log above. Start it again: nothing is lost")


@dataclass(frozen=True, slots=True)
class _Parts:
    """What the API is made of beside what it shows."""

    settings: GatewaySettings
    writing: Engine
    """For short transactions beside the pipeline."""
    reader: Engine
    on_password: Callable[[str], None]
    duty: Duty


def _create(source: Source, history: HistoryReader, inbox: Asking, parts: _Parts) -> tuple[FastAPI, Kpis, Place]:
    kpis = Kpis(parts.reader, source.plant, Desks(parts.settings.desks))
    gate = _gate(parts.settings, parts.writing, parts.reader, source.clock, parts.on_password)
    desk = _desk(parts.writing, parts.reader, source.queries, source.clock, parts.duty)
    ground = Ground(parts.writing, parts.reader, source.queries, history, source.plant, source.board, source.clock)
    place = make_place(ground, parts.settings.registry)
    return create_api(source, history, inbox, gate, desk, kpis, place), kpis, place


def _gate(
    settings: GatewaySettings, desk: Engine, reader: Engine, clock: Clock, on_password: Callable[[str], None]
) -> Gate:
    if not settings.accounts:
        if not _is_loopback(settings.http_host):
            raise GatewayError(
                f"--no-accounts with --http {settings.http_host}: whoever reaches the port could do everything; "
                "listen on 127.0.0.1, or leave --no-accounts out"
            )
        return OpenGate()
    accounts = Accounts(desk, reader, clock)
    password = accounts.begin()
    if password is not None:
        on_password(password)
    oidc = settings.access.oidc
    provider = None if oidc is None else Provider(oidc, clock)
    return AccountGate(Sessions(accounts, desk, reader, clock, settings.access), provider)


def _canary(settings: GatewaySettings, plant: Plant, board: Board) -> dict[str, Callable[[threading.Event], None]]:
    return {"canary": Canary(plant, board, settings.canary_url).run} if settings.canary_url else {}


def _notifier(on_duty: OnDuty, source: Source, telling: Engine, reader: Engine) -> Notifier:
    notifier = Notifier(
        source.plant,
        on_duty.duty,
        on_duty.channels,
        Outbox(telling, reader),
        source.queries,
        source.clock,
        base_url=on_duty.base_url,
    )
    notifier.follow(source.hub)
    source.board.findings, source.board.untold = notifier.findings, notifier.untold
    return notifier


def _desk(writing: Engine, reader: Engine, queries: Queries, clock: Clock, duty: Duty) -> ApiDesk:
    return ApiDesk(
        handovers=Handovers(writing, queries, clock),
        links=Links(writing, reader, clock),
        attachments=Attachments(writing, reader, clock),
        duty=DutyDesk(duty, writing, reader, clock),
    )


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class _History:
    """Where samples go, where they are read, and how to let go of both."""

    writer: HistoryWriter
    reader: HistoryReader
    close: Callable[[], None]


def _open_history(settings: GatewaySettings, plant: Plant, queries: Queries, clock: Clock) -> _History:
    if settings.history is None:
        days = settings.history_keep_days
        keep_ms = None if days is None else round(days * 86_400_000)
        store = HistoryStore(settings.data_dir / HISTORY_FILE, keep_ms, settings.history_max_bytes)
        return _History(store, store, store.close)
    # Connections of its own for each: a new one makes the writer look back.
    writing, reading = InfluxClient(settings.history), InfluxClient(settings.history)
    writer = InfluxWriter(
        client=writing,
        plant=plant,
        tag_name=queries.tag_name,
        events=queries,
        clock=clock,
        kept=queries.followers(),
        horizon_s=settings.history_horizon_s,
        lines_per_s=settings.history_lines_per_s,
    )

    def close() -> None:
        writing.close()
        reading.close()

    return _History(writer, InfluxReader(reading, queries.tag_name), close)


async def _serve(
    server: ApiServer, listener: socket.socket, stop: asyncio.Event, watchdog: Watchdog | None = None
) -> None:
    async with asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(watchdog.run(), name="watchdog") if watchdog else None
        serving = tasks.create_task(server.serve([listener]), name="http")
        waiting = tasks.create_task(stop.wait(), name="stop")
        await asyncio.wait((serving, waiting), return_when=asyncio.FIRST_COMPLETED)
        stop.set()
        server.should_exit = True
        if watching:
            watching.cancel()


def https_context(settings: GatewaySettings) -> ssl.SSLContext | None:
    """Return what HTTPS shows of itself; None for plain HTTP.

    Raises:
        GatewayError: Certificate or key cannot be used.
    """
    if settings.http_certificate is None:
        return None
    try:
        return server_context(settings.http_certificate, settings.http_key)
    except CertificateError as error:
        raise GatewayError(f"HTTPS: {error}") from error


def _address(listener: socket.socket, tls: ssl.SSLContext | None) -> str:
    host, port = listener.getsockname()[:2]
    return f"{'https' if tls else 'http'}://{host}:{port}"


def _listen(settings: GatewaySettings) -> socket.socket:
    try:
        return socket.create_server((settings.http_host, settings.http_port), backlog=128)
    except OSError as error:
        raise GatewayError(
            f"cannot listen on {settings.http_host}:{settings.http_port}: {error.strerror}; "
            "choose another address with --http"
        ) from error
