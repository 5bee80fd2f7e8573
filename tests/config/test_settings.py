from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from config.clock import SystemClock
from config.settings import BrokerAddress, EdgeSettings, GatewaySettings


@pytest.mark.parametrize(
    ("text", "host", "port", "login"),
    [
        ("broker", "broker", 1883, (None, None)),
        ("10.0.0.1:1884", "10.0.0.1", 1884, (None, None)),
        ("mqtt://u:p%40ss@broker:1885", "broker", 1885, ("u", "p@ss")),
        ("mqtt://[::1]:1886", "::1", 1886, (None, None)),
    ],
)
def test_broker_addresses(text: str, host: str, port: int, login: tuple[str | None, str | None]) -> None:
    address = BrokerAddress.parse(text)
    assert (address.host, address.port, (address.username, address.password)) == (host, port, login)


@pytest.mark.parametrize("text", ["", "http://broker", "mqtt://", "broker:x", "broker:70000"])
def test_what_is_no_broker_address(text: str) -> None:
    with pytest.raises(ValueError, match=r"broker|[Pp]ort"):
        BrokerAddress.parse(text)


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(ValidationError, match="extra_forbidden"):
        GatewaySettings.model_validate({"data_dir": Path("x"), "htp_port": 1})
    with pytest.raises(ValidationError, match="less_than_equal"):
        EdgeSettings.model_validate({"edge": "a", "data_dir": Path("x"), "frame_max_samples": 10_001})


def test_the_monotonic_clock_does_not_go_back() -> None:
    clock = SystemClock()
    readings = [clock.monotonic_s() for _ in range(100)]
    assert readings == sorted(readings)
    assert clock.wall_ms() > 1_700_000_000_000
