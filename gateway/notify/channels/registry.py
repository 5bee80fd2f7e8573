"""All channels there are, by the `kind` that stands in a duty file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from pydantic import BaseModel

from config.clock import Clock
from config.duty.channels import (
    AlertmanagerSettings,
    AppriseSettings,
    DingTalkSettings,
    EmailSettings,
    FeishuSettings,
    ModbusBeaconSettings,
    MqttBeaconSettings,
    WebhookSettings,
    WeComSettings,
)
from gateway.notify.channels.alertmanager import Alertmanager
from gateway.notify.channels.apprise import AppriseChannel
from gateway.notify.channels.beacon_modbus import ModbusBeacon
from gateway.notify.channels.beacon_mqtt import MqttBeacon
from gateway.notify.channels.dingtalk import DingTalk
from gateway.notify.channels.email import Email
from gateway.notify.channels.feishu import Feishu
from gateway.notify.channels.webhook import Webhook
from gateway.notify.channels.wecom import WeCom
from gateway.notify.port import Channel

__all__ = ["CHANNELS", "Constructor", "channel_of"]

Constructor: TypeAlias = Callable[[Any, Clock], Channel]
"""Takes the settings, of the model that stands beside it, and the clock. Connects to nothing yet."""

CHANNELS: dict[str, tuple[type[BaseModel], Constructor]] = {
    "webhook": (WebhookSettings, Webhook),
    "alertmanager": (AlertmanagerSettings, Alertmanager),
    "email": (EmailSettings, Email),
    "dingtalk": (DingTalkSettings, DingTalk),
    "wecom": (WeComSettings, WeCom),
    "feishu": (FeishuSettings, Feishu),
    "beacon_mqtt": (MqttBeaconSettings, MqttBeacon),
    "beacon_modbus": (ModbusBeaconSettings, ModbusBeacon),
    "apprise": (AppriseSettings, AppriseChannel),
}


def channel_of(settings: Any, clock: Clock) -> Channel:  # noqa: ANN401 - any model of the table
    """Make the channel that some settings describe."""
    _, constructor = CHANNELS[settings.kind]
    return constructor(settings, clock)
