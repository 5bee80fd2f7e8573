"""What an operator sets when starting a process; checked at the border, plain inside."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr

__all__ = [
    "AccessSettings",
    "BrokerAddress",
    "BrokerGuard",
    "EdgeSettings",
    "GatewaySettings",
    "HistoryAddress",
    "OidcGroup",
    "OidcSettings",
    "RecordsAddress",
]

_MQTT_PORTS = {"mqtt": 1883, "mqtts": 8883}


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BrokerAddress(_Settings):
    """Where an MQTT broker listens, and how we show who we are."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 1883
    username: str | None = None
    password: SecretStr | None = None
    keepalive_s: Annotated[int, Field(ge=5, le=600)] = 20
    tls: bool = False
    """TLS 1.2 or later; the broker's certificate has to be good and to name ``host``. There is no way around that."""
    ca: Path | None = None
    """Certificates (PEM) of whom we trust to vouch for the broker; None: whom this machine trusts."""
    cert: Path | None = None
    """Our own certificate (PEM), for a broker that asks for one."""
    key: Path | None = None
    """Its private key; None: it stands in the same file."""

    @property
    def shown(self) -> str:
        """As an operator may see it."""
        return f"{self.host}:{self.port}"

    @property
    def has_account(self) -> bool:
        """We say who we are, so the broker may let us do only what is ours."""
        return self.username is not None or self.cert is not None

    def secret(self) -> str | None:
        """Return the password."""
        return None if self.password is None else self.password.get_secret_value()

    @classmethod
    def parse(cls, text: str, password: str | None = None) -> BrokerAddress:
        """Read ``host``, ``host:port``, ``mqtt://[user@]host[:port]`` or ``mqtts://..[?ca=FILE][&cert=FILE][&key=FILE]``.

        Raises:
            ValueError: It is not that.
        """
        url = urlsplit(text if "://" in text else f"mqtt://{text}")
        files = dict(parse_qsl(url.query))
        tls = url.scheme == "mqtts"
        if url.scheme not in _MQTT_PORTS or not url.hostname or set(files) - ({"ca", "cert", "key"} if tls else set()):
            shown = f"{url.scheme}://{url.hostname}" if url.hostname else text
            message = (
                f"broker {shown!r}: expected mqtt://[user@]host[:port] or "
                "mqtts://[user@]host[:port][?ca=FILE][&cert=FILE][&key=FILE]"
            )
            raise ValueError(message)
        secret = password if password is not None else (unquote(url.password) if url.password else None)
        if secret is not None and not url.username:
            message = f"broker {url.hostname!r}: a password needs a user: {url.scheme}://USER@{url.hostname}"
            raise ValueError(message)
        return cls(
            host=url.hostname,
            port=url.port or _MQTT_PORTS[url.scheme],
            username=unquote(url.username) if url.username else None,
            password=None if secret is None else SecretStr(secret),
            tls=tls,
            **{name: Path(file) for name, file in files.items()},  # type: ignore[arg-type]
        )


class BrokerGuard(_Settings):
    """Whom a broker of ours lets in, and how it shows who it is."""

    accounts: Path | None = None
    """Directory written by `hazgate broker credentials`; None: everybody may do everything."""
    certificate: Path | None = None
    """Of the broker (PEM); None: no TLS."""
    key: Path | None = None
    """Its private key."""
    client_ca: Path | None = None
    """Clients have to show a certificate vouched for by one of these, whose common name is their account."""


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


_SAFE_URL = r"^(https://|http://(127\.0\.0\.1|localhost)[:/]).*"
"""Over TLS, or on this machine."""


class OidcGroup(_Settings):
    """What a group of the provider is here."""

    group: Annotated[str, Field(min_length=1)]
    role: Literal[
        "viewer", "operator", "shift_lead", "engineer", "enterprise", "regulator", "rescue", "admin", "auditor"
    ]
    enterprises: tuple[str, ...] = ()
    """Whose things are seen; both empty: everybody's."""
    districts: tuple[str, ...] = ()


class OidcSettings(_Settings):
    """An OpenID Connect provider at which people sign in."""

    issuer: Annotated[str, Field(pattern=_SAFE_URL)]
    """As the provider itself writes it."""
    client_id: Annotated[str, Field(min_length=1)]
    client_secret: SecretStr | None = None
    """None: a public client; PKCE is used in any case."""
    address: Annotated[str, Field(pattern=_SAFE_URL + r"[^/]$")]
    """Of this gateway as browsers write it, without a slash behind; ``/api/v1/session/oidc/callback`` is registered."""
    scope: str = "openid profile"
    groups_claim: str = "groups"
    groups: Annotated[tuple[OidcGroup, ...], Field(min_length=1)]
    """The first one that somebody is in counts."""


class AccessSettings(_Settings):
    """How people sign in."""

    idle_minutes: Annotated[float, Field(gt=0)] = 30.0
    """A session that is not used so long ends; a viewer's (a screen on a wall) does not."""
    session_hours: Annotated[float, Field(gt=0)] = 13.0
    """A session ends after so long in any case: a shift and its handover."""
    second_factor_roles: tuple[str, ...] = ()
    """Roles that may do nothing before they have a second factor."""
    oidc: OidcSettings | None = None
    """Where people sign in besides; a second factor is then the provider's to ask for."""


class GatewaySettings(_Settings):
    """One gateway process."""

    data_dir: Path
    broker: BrokerAddress = BrokerAddress()
    http_host: str = "127.0.0.1"
    http_port: Annotated[int, Field(ge=0, le=65535)] = 8080
    """0 takes a free port; the address is printed."""
    http_certificate: Path | None = None
    """Served over TLS with this certificate (PEM, with all between it and the root); None: plain HTTP."""
    http_key: Path | None = None
    """Its private key; None: it stands in the same file."""
    foreign_sites: bool | None = None
    """Also listen to (and count as dead letters) what is published for other sites on this broker; None: when we have
    no account there, for an account is let see its own site only."""
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
    desks: dict[str, str] = {}
    """Hazard unit -> operator desk; all others, and what belongs to none, are at the desk ``site``."""
    canary_url: str = ""
    """Receiver outside that is told of every reading of a canary tag; empty: nobody."""
    accounts: bool = True
    """False: whoever reaches the port may do everything; only on a loopback address."""
    access: AccessSettings = AccessSettings()
    registry: Path | None = None
    """Workbook, table or folder of tables that is taken into the registry at start; None: none."""
    reserve_bytes: Annotated[int, Field(ge=65_536)] = 64 * 1024**2
    """Disk space set aside, from which the alarm is written that there is no other left."""

    @property
    def hears_foreign_sites(self) -> bool:
        """Whether it listens to other sites, too."""
        return not self.broker.has_account if self.foreign_sites is None else self.foreign_sites


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
