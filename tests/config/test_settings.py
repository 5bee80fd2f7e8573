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
        ("mqtts://u@broker", "broker", 8883, ("u", None)),
    ],
)
def test_broker_addresses(text: str, host: str, port: int, login: tuple[str | None, str | None]) -> None:
    address = BrokerAddress.parse(text)
    assert (address.host, address.port, (address.username, address.secret())) == (host, port, login)


@pytest.mark.parametrize(
    "text", ["", "http://broker", "mqtt://", "broker:x", "broker:70000", "mqtt://b?ca=x", "mqtts://b?insecure=1"]
)
def test_what_is_no_broker_address(text: str) -> None:
    with pytest.raises(ValueError, match=r"broker|[Pp]ort"):
        BrokerAddress.parse(text)


def test_files_for_tls_are_read_from_the_address_and_the_password_from_elsewhere() -> None:
    address = BrokerAddress.parse("mqtts://u@broker:8884?ca=/a/ca.crt&cert=u.crt&key=u.key", "p")
    assert (address.tls, address.ca, address.cert, address.key) == (
        True, Path("/a/ca.crt"), Path("u.crt"), Path("u.key"),
    )  # fmt: skip
    assert address.secret() == "p"
    assert "'p'" not in repr(address)
    assert not BrokerAddress.parse("mqtt://broker").tls


def test_a_password_without_a_user_or_in_a_wrong_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(ValueError, match="a password needs a user"):
        BrokerAddress.parse("mqtts://broker", "p")
    with pytest.raises(ValueError, match="expected mqtt") as error:
        BrokerAddress.parse("amqp://u:hushhush@broker")
    assert "hushhush" not in str(error.value)


def test_a_gateway_with_an_account_hears_its_own_site_only_unless_told(tmp_path: Path) -> None:
    plain, known = BrokerAddress(), BrokerAddress(username="gateway")
    assert GatewaySettings(data_dir=tmp_path, broker=plain).hears_foreign_sites
    assert not GatewaySettings(data_dir=tmp_path, broker=known).hears_foreign_sites
    assert GatewaySettings(data_dir=tmp_path, broker=known, foreign_sites=True).hears_foreign_sites
    assert not GatewaySettings(data_dir=tmp_path, broker=plain, foreign_sites=False).hears_foreign_sites


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
