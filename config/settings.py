"""What an operator sets when starting a process; checked at the border, plain inside."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr

__all__ = ["BrokerAddress", "EdgeSettings", "GatewaySettings", "HistoryAddress", "RecordsAddress"]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BrokerAddress(_Settings):
    """Where an MQTT broker listens."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 1883
    username: str | None = None
    password: str | None = None
    keepalive_s: Annotated[int, Field(ge=5, le=600)] = 20

    @classmethod
    def parse(cls, text: str) -> BrokerAddress:
        """Read ``host``, ``host:port`` or ``mqtt://[user:password@]host[:port]``."""
        url = urlsplit(text if "://" in text else f"mqtt://{text}")
        if url.scheme != "mqtt" or not url.hostname:
            message = f"broker {text!r}: expected mqtt://[user:password@]host[:port]"
            raise ValueError(message)
        return cls(
            host=url.hostname,
            port=url.port or 1883,
            username=unquote(url.username) if url.username else None,
            password=unquote(url.password) if url.password else None,
        )


class RecordsAddress(_Settings):
    """A PostgreSQL database for the records."""

    host: str
    port: Annotated[int, Field(ge=1, le=65535)] = 5432
    database: Annotated[str, Field(min_length=1)]
    user: str = ""
    password: SecretStr | None = None
    """None: what the driver finds (``PGPASSFILE``, ``~/.pgpass``), or none is needed."""

    @property
    def shown(self) -> str:
        """As an operator may see it."""
        return f"postgresql://{self.host}:{self.port}/{self.database}"

    @classmethod
    def parse(cls, text: str, password: str | None = None) -> RecordsAddress:
        """Read ``postgresql://[user[:password]@]host[:port]/database``.

        Raises:
            ValueError: It is not that.
        """
        url = urlsplit(text)
        database = unquote(url.path.strip("/"))
        if url.scheme not in {"postgresql", "postgres"} or not url.hostname or not database or url.query:
            message = f"records {url.hostname or text!r}: expected postgresql://[user@]host[:port]/database"
            raise ValueError(message)
        secret = password if password is not None else (unquote(url.password) if url.password else None)
        return cls(
            host=url.hostname,
            port=url.port or 5432,
            database=database,
            user=unquote(url.username or ""),
            password=None if secret is None else SecretStr(secret),
        )


class HistoryAddress(_Settings):
    """Where a history server listens: InfluxDB 1.8 to 3, or one that takes its line protocol and InfluxQL."""

    url: str
    """``http(s)://host:port``."""
    bucket: Annotated[str, Field(min_length=1)]
    """Or database."""
    org: str = ""
    api: Literal["v2", "v1"] = "v2"
    """v2: ``/api/v2/write``; v1: ``/write``."""
    token: SecretStr | None = None
    """v1: ``user:password``."""

    @classmethod
    def parse(cls, text: str, token: str | None = None) -> HistoryAddress:
        """Read ``influx://host[:port]/bucket[?org=..][&api=v1]`` (``influxs://`` for TLS).

        Raises:
            ValueError: It is not that.
        """
        url = urlsplit(text)
        asked = dict(parse_qsl(url.query))
        bucket = unquote(url.path.strip("/"))
        if url.scheme not in {"influx", "influxs"} or not url.hostname or not bucket or set(asked) - {"org", "api"}:
            message = f"history {text!r}: expected influx://host[:port]/bucket[?org=..][&api=v1] (influxs:// for TLS)"
            raise ValueError(message)
        scheme = "https" if url.scheme == "influxs" else "http"
        secret = None if token is None else SecretStr(token)
        return cls(url=f"{scheme}://{url.hostname}:{url.port or 8086}", bucket=bucket, token=secret, **asked)  # type: ignore[arg-type]

    def secret(self) -> str:
        """Return the token; empty when there is none."""
        return "" if self.token is None else self.token.get_secret_value()

    def headers(self) -> dict[str, str]:
        """Return what a request needs to be let in."""
        if self.token is None:
            return {}
        if self.api == "v1":
            return {"Authorization": f"Basic {b64encode(self.secret().encode()).decode()}"}
        return {"Authorization": f"Token {self.secret()}"}


class AccessSettings(_Settings):
    """How people sign in."""

    idle_minutes: Annotated[float, Field(gt=0)] = 30.0
    """A session that is not used so long ends; a viewer's (a screen on a wall) does not."""
    session_hours: Annotated[float, Field(gt=0)] = 13.0
    """A session ends after so long in any case: a shift and its handover."""
    second_factor_roles: tuple[str, ...] = ()
    """Roles that may do nothing before they have a second factor."""


class GatewaySettings(_Settings):
    """One gateway process."""

    data_dir: Path
    broker: BrokerAddress = BrokerAddress()
    http_host: str = "127.0.0.1"
    http_port: Annotated[int, Field(ge=0, le=65535)] = 8080
    """0 takes a free port; the address is printed."""
    foreign_sites: bool = True
    """Also listen to (and count as dead letters) what is published for other sites on this broker."""
    delayed_after_ms: Annotated[int, Field(ge=0)] = 10_000
    """An alarm whose deciding sample took longer than this to arrive is marked `delayed`."""
    snapshot_every_s: Annotated[float, Field(gt=0)] = 10.0
    records: RecordsAddress | None = None
    """None: an SQLite file in the data directory."""
    history: HistoryAddress | None = None
    """None: a DuckDB file in the data directory."""
    history_keep_days: Annotated[float, Field(gt=0)] | None = None
    """Of the DuckDB file; None: for ever. A history server has rules of its own."""
    history_max_bytes: Annotated[int, Field(ge=16 * 1024**2)] | None = None
    """Of the DuckDB file; beyond it the oldest days go."""
    history_lines_per_s: Annotated[float, Field(gt=0)] = 50_000.0
    """A history server is sent no more than this; what is beyond waits in the log."""
    history_horizon_s: Annotated[float, Field(ge=0)] = 60.0
    """What a history server acknowledged within this time is sent again when it may have been started anew."""
    canary_url: str = ""
    """Receiver outside that is told of every reading of a canary tag; empty: nobody."""
    accounts: bool = True
    """False: whoever reaches the port may do everything; only on a loopback address."""
    access: AccessSettings = AccessSettings()
    reserve_bytes: Annotated[int, Field(ge=65_536)] = 64 * 1024**2
    """Disk space set aside, from which the alarm is written that there is no other left."""


class EdgeSettings(_Settings):
    """One edge agent."""

    edge: str
    data_dir: Path
    plant_broker: BrokerAddress = BrokerAddress()
    """Where the sensors publish."""
    uplink_broker: BrokerAddress = BrokerAddress()
    """Where the gateway listens; may be the same."""
    frame_max_samples: Annotated[int, Field(ge=1, le=10_000)] = 500
    frame_max_delay_ms: Annotated[int, Field(ge=0, le=60_000)] = 100
    """A frame is closed when it is full or when its first sample is this old."""
    outbox_max_bytes: Annotated[int, Field(ge=65_536)] = 2 * 1024**3
    resend_after_s: Annotated[float, Field(gt=0)] = 5.0
    """No progress of `kept` for this long: resend from the oldest."""
    window_frames: Annotated[int, Field(ge=1)] = 200
    """Frames sent but not yet confirmed by `kept`, at most."""
    live_window_s: Annotated[float, Field(gt=0)] = 60.0
    """What waited longer than this is backlog: live data goes first, the backlog behind it in an epoch of its own."""
    backlog_samples_per_s: Annotated[float, Field(gt=0)] = 20_000.0
    """A backlog is sent no faster than this."""
