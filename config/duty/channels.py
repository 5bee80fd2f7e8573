"""Settings of the channels that carry notifications, as they stand in a duty file; `kind` says which one it is.

Secrets are written inline or, better, as ``{secret_file: /path}``: a file that only the gateway may read.
"""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    TypeAdapter,
    model_validator,
)

__all__ = [
    "AlertmanagerSettings",
    "AppriseSettings",
    "ChannelSettings",
    "DingTalkSettings",
    "EmailSettings",
    "FeishuSettings",
    "HttpSettings",
    "ModbusBeaconSettings",
    "MqttBeaconSettings",
    "Secret",
    "WeComSettings",
    "WebhookSettings",
    "read_channels",
]

_LONGEST_SECRET = 4096
_REGISTERS = 0xFFFF


def _read_secret(given: object) -> object:
    """Take a secret as it is, or out of the file that is named."""
    if not isinstance(given, dict):
        return given
    if set(given) != {"secret_file"} or not isinstance(given["secret_file"], str):
        message = "expected a text, or {secret_file: path}"
        raise ValueError(message)
    try:
        return Path(given["secret_file"]).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        message = f"secret_file {given['secret_file']} cannot be read: {type(error).__name__}"
        raise ValueError(message) from None


def _not_empty(secret: SecretStr) -> SecretStr:
    if not 0 < len(secret.get_secret_value()) <= _LONGEST_SECRET:
        message = f"a secret has 1 to {_LONGEST_SECRET} characters"
        raise ValueError(message)
    return secret


def _http_url(secret: SecretStr) -> SecretStr:
    """Let pass what is a URL that HTTP goes to; the text of it is never in the error, there may be a token in it."""
    text = secret.get_secret_value()
    try:
        url = urlsplit(text)
        good = url.scheme in {"http", "https"} and url.hostname and (url.port or 1)
    except ValueError:
        good = False
    else:
        good = good and not url.username and not url.fragment and text.isascii() and not set(text) & set(" \t\r\n")
    if not good:
        message = "expected http(s)://host[:port]/path, ASCII, without user and fragment"
        raise ValueError(message)
    return secret


Secret: TypeAlias = Annotated[SecretStr, BeforeValidator(_read_secret), AfterValidator(_not_empty)]
"""A text, or ``{secret_file: path}``."""
SecretUrl: TypeAlias = Annotated[Secret, AfterValidator(_http_url)]
"""An address that is kept like a secret: those of robots have their token in it."""
Port: TypeAlias = Annotated[int, Field(ge=1, le=65535)]
Register: TypeAlias = Annotated[int, Field(ge=0, le=_REGISTERS)]
TierNumber: TypeAlias = Annotated[int, Field(ge=1, le=4)]
PerMinute: TypeAlias = Annotated[int, Field(ge=1, le=6000)]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, use_attribute_docstrings=True)


class HttpSettings(_Settings):
    """What all channels over HTTP share."""

    url: SecretUrl
    allow_private: bool = False
    """Whether the address may be on this machine or in a private network."""
    allow_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    """Networks that are allowed though private, e.g. 10.20.0.0/16."""
    ca_file: Path | None = None
    """Certificates to trust instead of those of the system."""


class WebhookSettings(HttpSettings):
    """A signed POST of a CloudEvents envelope."""

    kind: Literal["webhook"]
    secret: Secret
    source: Annotated[str, Field(min_length=1, max_length=128)] = "urn:hazgate"
    contacts: bool = False
    """Whether phone numbers and mail addresses of the recipients go with it."""
    per_minute: PerMinute = 600


class AlertmanagerSettings(HttpSettings):
    """What Alertmanager sends to its webhook receivers, e.g. to PrometheusAlert for SMS and voice."""

    kind: Literal["alertmanager"]
    token: Secret | None = None
    """Sent as a bearer token."""
    receiver: Annotated[str, Field(min_length=1, max_length=128)] = "hazgate"
    external_url: Annotated[str, Field(max_length=512)] = ""
    per_minute: PerMinute = 600


class DingTalkSettings(HttpSettings):
    """A robot of a DingTalk group (钉钉自定义机器人)."""

    kind: Literal["dingtalk"]
    secret: Secret | None = None
    """Of the signature (加签); None: the robot is guarded by keywords or addresses."""
    per_minute: PerMinute = 20


class WeComSettings(HttpSettings):
    """A robot of a WeCom group (企业微信群机器人)."""

    kind: Literal["wecom"]
    per_minute: PerMinute = 20


class FeishuSettings(HttpSettings):
    """A custom bot of a Feishu group (飞书自定义机器人)."""

    kind: Literal["feishu"]
    secret: Secret | None = None
    """Of the signature check (签名校验)."""
    open_ids: dict[str, Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]] = {}
    """Person -> Feishu's id of them; the bot cannot mention by phone number."""
    per_minute: PerMinute = 100


class EmailSettings(_Settings):
    """Mail through one SMTP server."""

    kind: Literal["email"]
    host: Annotated[str, Field(min_length=1, max_length=255)]
    port: Port = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    ca_file: Path | None = None
    username: str | None = None
    password: Secret | None = None
    sender: Annotated[str, Field(pattern=r"^[^@\s<>,]+@[^@\s<>,]+$", max_length=254)]
    also_to: tuple[Annotated[str, Field(pattern=r"^[^@\s<>,]+@[^@\s<>,]+$", max_length=254)], ...] = ()
    """Addresses that get every message of this channel."""
    per_minute: PerMinute = 60

    @model_validator(mode="after")
    def _no_login_in_the_open(self) -> EmailSettings:
        if (self.username is None) != (self.password is None):
            message = "username and password: both or none"
            raise ValueError(message)
        if self.username is not None and self.security == "none":
            message = "a password is not sent without TLS: security must be starttls or tls"
            raise ValueError(message)
        return self


class MqttBeaconSettings(_Settings):
    """A light or siren that follows a retained MQTT topic."""

    kind: Literal["beacon_mqtt"]
    host: Annotated[str, Field(min_length=1, max_length=255)] = "127.0.0.1"
    port: Port = 1883
    tls: bool = False
    ca_file: Path | None = None
    username: str | None = None
    password: Secret | None = None
    topic: Annotated[str, Field(pattern=r"^[^+#\s$/][^+#\s]{0,126}[^+#\s/]$")]
    """Below it: state, heartbeat, online."""
    siren_tiers: frozenset[TierNumber] = frozenset({1, 2})
    """Tiers that sound as well as light."""


class ModbusBeaconSettings(_Settings):
    """A light or siren behind a relay that speaks Modbus TCP."""

    kind: Literal["beacon_modbus"]
    host: Annotated[str, Field(min_length=1, max_length=255)]
    port: Port = 502
    device_id: Annotated[int, Field(ge=0, le=255)] = 1
    coils: Annotated[dict[TierNumber, Register], Field(min_length=1)]
    """Tier -> coil; the coil of the worst tier is on and the others are off."""
    siren_coil: Register | None = None
    siren_tiers: frozenset[TierNumber] = frozenset({1, 2})
    heartbeat_register: Register
    """Written with another number at every beat; the relay watches that it changes."""

    @model_validator(mode="after")
    def _own_coils(self) -> ModbusBeaconSettings:
        used = [*self.coils.values(), *(() if self.siren_coil is None else (self.siren_coil,))]
        if len(set(used)) != len(used):
            message = "coils: every tier and the siren need a coil of their own"
            raise ValueError(message)
        return self


class AppriseSettings(_Settings):
    """Anything that Apprise can reach; needs the extra ``hazgate[apprise]``."""

    kind: Literal["apprise"]
    urls: Annotated[tuple[Secret, ...], Field(min_length=1)]
    per_minute: PerMinute = 20


ChannelSettings: TypeAlias = Annotated[
    WebhookSettings
    | AlertmanagerSettings
    | DingTalkSettings
    | WeComSettings
    | FeishuSettings
    | EmailSettings
    | MqttBeaconSettings
    | ModbusBeaconSettings
    | AppriseSettings,
    Field(discriminator="kind"),
]
"""One channel of a duty file."""

_CHANNELS = TypeAdapter[dict[str, ChannelSettings]](
    dict[str, ChannelSettings], config=ConfigDict(hide_input_in_errors=True)
)


def read_channels(given: object) -> dict[str, ChannelSettings]:
    """Read the channels of a duty file: name -> settings.

    pydantic shows what it was given by the outermost model's word alone, so nobody reads `ChannelSettings` but through
    here; and who looks at single errors asks for them with ``include_input=False``.

    Raises:
        pydantic.ValidationError: Something is wrong; its text has no secret in it.
    """
    return _CHANNELS.validate_python(given)
