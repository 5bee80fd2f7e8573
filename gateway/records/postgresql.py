"""The records on PostgreSQL: one writer, which a lock of its session makes sure of; no wait without an end."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from typing import Any

import structlog
from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.pool import QueuePool

from config.clock import Clock
from config.settings import RecordsAddress
from gateway.errors import RecordsError

__all__ = ["Guard", "desk_engine", "reader_engine", "writer_engine"]

_LOCK = 0x48617A47617465
"""'HazGate': the advisory lock of the one who writes the records of a database."""
_STATEMENT_MS = 8_000
_LOCK_MS = 4_000
_READERS = 8
_LONGEST_S = 10.0
"""A transaction of the writer that takes longer has lost its server, whatever the network says."""
_LOOK_EVERY_S = 0.5

log = structlog.get_logger(__name__)


def writer_engine(address: RecordsAddress) -> Engine:
    """Return the engine of the one writer: a single connection that holds the lock as long as it lives.

    A lost connection is never replaced behind the pipeline's back: the commit on it fails, the pipeline builds its
    state again from the records, and taking the lock again on the way makes sure that nobody else wrote meanwhile.
    """
    engine = create_engine(
        _url(address), poolclass=QueuePool, pool_size=1, max_overflow=0, connect_args=_arguments("writer")
    )

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's own type
        (owned,) = connection.execute("SELECT pg_try_advisory_lock(%s)", (_LOCK,)).fetchone()
        connection.commit()
        if not owned:
            connection.close()
            raise RecordsError(
                f"{address.shown}: another gateway writes these records; stop it, or give this one its own database"
            )

    return engine


def reader_engine(address: RecordsAddress) -> Engine:
    """Return an engine for any thread whose connections cannot write; each transaction sees one moment."""
    arguments = _arguments("reader")
    arguments["options"] += " -c default_transaction_read_only=on"
    return create_engine(
        _url(address),
        pool_size=_READERS,
        pool_pre_ping=True,
        isolation_level="REPEATABLE READ",
        connect_args=arguments,
    )


def desk_engine(address: RecordsAddress) -> Engine:
    """Return an engine for handing commands over: it may write, and takes no lock."""
    return create_engine(_url(address), pool_size=4, pool_pre_ping=True, connect_args=_arguments("desk"))


class Guard:
    """Ends the writer's connection when a transaction takes too long: a server that hangs answers nobody, ever.

    Args:
        engine: From `writer_engine`.
        clock: Monotonic.
    """

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._clock = clock
        self._open: tuple[float, Any] | None = None

        @event.listens_for(engine, "begin")
        def _begin(connection: Any) -> None:  # noqa: ANN401 - SQLAlchemy's own type
            self._open = clock.monotonic_s(), connection.connection.driver_connection

        @event.listens_for(engine, "checkin")
        def _end(_connection: object, _record: object) -> None:
            self._open = None

    def run(self, stop: threading.Event) -> None:
        """Look until ``stop`` is set."""
        while not stop.wait(_LOOK_EVERY_S):
            current = self._open
            if current is not None and self._clock.monotonic_s() - current[0] > _LONGEST_S:
                log.error("records_do_not_answer", after_s=_LONGEST_S)
                self._open = None
                with contextlib.suppress(Exception):  # it may have ended by itself meanwhile
                    _cut(current[1].fileno())


def _cut(descriptor: int) -> None:
    with socket.socket(fileno=os.dup(descriptor)) as connection:
        connection.shutdown(socket.SHUT_RDWR)


def _url(address: RecordsAddress) -> URL:
    password = address.password.get_secret_value() if address.password else None
    return URL.create(
        "postgresql+psycopg", address.user or None, password, address.host, address.port, address.database
    )


def _arguments(who: str) -> dict[str, Any]:
    return {
        "application_name": f"hazgate {who}",
        "connect_timeout": 3,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": 8_000,
        "options": f"-c statement_timeout={_STATEMENT_MS} -c lock_timeout={_LOCK_MS} -c synchronous_commit=on"
        " -c client_encoding=utf8",
    }
