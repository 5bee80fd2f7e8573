from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from config.clock import SystemClock
from config.duty.channels import ChannelSettings, read_channels
from gateway.notify.channels.beacon import Beacon
from gateway.notify.channels.limit import Limit
from gateway.notify.channels.registry import CHANNELS, channel_of
from gateway.notify.channels.text import cut
from gateway.notify.port import ChannelError
from tests.support.clocks import ManualClock

PAGE = Path(__file__).parents[3] / "docs" / "notification-channels.md"
SECRETS = "/etc/hazgate/secrets"
WEBHOOK = {"kind": "webhook", "url": "https://a.example/secret-word", "secret": "secret-word"}


def documented(tmp_path: Path) -> Mapping[str, Any]:
    """Read the example of the page, with files for its secrets."""
    found = re.search(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    for name in re.findall(rf"{SECRETS}/([\w-]+)", found[1]):
        scheme = "https" if name.endswith("-url") else "json"
        (tmp_path / name).write_text(f"{scheme}://a.example/secret-word\n", encoding="utf-8")
    return read_channels(yaml.safe_load(found[1].replace(SECRETS, str(tmp_path)))["channels"])


def test_the_example_of_the_page_has_every_kind(tmp_path: Path) -> None:
    assert {settings.kind for settings in documented(tmp_path).values()} == set(CHANNELS)


@pytest.mark.filterwarnings("ignore:'imghdr':DeprecationWarning")  # Apprise's import
def test_every_kind_can_be_made_and_connects_to_nothing(tmp_path: Path) -> None:
    for settings in documented(tmp_path).values():
        channel = channel_of(settings.model_copy(update={"ca_file": None}), SystemClock())
        channel.close()
        if settings.kind.startswith("beacon"):
            for name in ("restore", "heartbeat"):
                assert hasattr(Beacon, name)
                assert callable(getattr(channel, name))


def test_the_table_is_the_union_of_the_settings() -> None:
    models = get_args(get_args(ChannelSettings)[0])
    assert {kind: model for kind, (model, _) in CHANNELS.items()} == {
        get_args(model.model_fields["kind"].annotation)[0]: model for model in models
    }


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    for settings in documented(tmp_path).values():
        assert "secret-word" not in repr(settings) + str(settings) + settings.model_dump_json()


@pytest.mark.parametrize(
    "wrong",
    [
        WEBHOOK | {"more": 1},
        WEBHOOK | {"kind": "pigeon"},
        WEBHOOK | {"secret": ""},
        WEBHOOK | {"secret": {"secret_file": "/no/such/file"}},
        WEBHOOK | {"secret": {"file": "secret-word"}},
        WEBHOOK | {"url": "https://a.example/secret-word#x"},
        {"kind": "email", "host": "a", "sender": "a@b", "security": "none", "username": "u", "password": "secret-word"},
        {"kind": "email", "host": "a", "sender": "a@b", "password": "secret-word"},
        {"kind": "beacon_modbus", "host": "a", "heartbeat_register": 0, "coils": {1: 0, 2: 0}},
        {"kind": "beacon_modbus", "host": "a", "heartbeat_register": 0, "coils": {5: 0}},
        {"kind": "beacon_mqtt", "topic": "plant/#"},
        {"kind": "apprise", "urls": []},
    ],
)
def test_what_is_wrong_is_refused_without_a_secret_in_the_words(wrong: dict[str, object]) -> None:
    read_channels({"right": WEBHOOK})
    with pytest.raises(ValidationError) as caught:
        read_channels({"wrong": wrong})
    assert "secret-word" not in str(caught.value)
    assert "secret-word" not in str(caught.value.errors(include_input=False))


@given(st.integers(1, 30), st.lists(st.floats(0, 30), max_size=120))
def test_in_no_minute_are_there_more_than_allowed(per_minute: int, pauses_s: list[float]) -> None:
    clock = ManualClock()
    limit = Limit(per_minute, clock)
    taken_s: list[float] = []
    for pause_s in pauses_s:
        clock.advance_s(pause_s)
        now_s = clock.monotonic_s()
        recent = [one for one in taken_s if one + 60 > now_s]
        if len(recent) < per_minute:
            limit.take()
            taken_s.append(now_s)
        else:
            with pytest.raises(ChannelError) as caught:
                limit.take()
            assert caught.value.retry
            assert 0 < caught.value.after_s <= 60


@given(st.text(max_size=200), st.integers(3, 300))
def test_a_text_that_is_cut_fits_and_says_so(text: str, most_bytes: int) -> None:
    found = cut(text, most_bytes)
    assert len(found.encode()) <= most_bytes
    assert found == text or (found.endswith("…") and text.startswith(found[:-1]))
