"""TLS, certificates and accounts together: a real edge and a real gateway on both real brokers."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from config.clock import SystemClock
from config.contract.topics import Kind, edge_topic, subscriptions
from config.settings import BrokerAddress, BrokerGuard, EdgeSettings
from config.tls import client_context
from gateway.broker import EmbeddedBroker
from gateway.certificates import CA_CERTIFICATE, Authority, client_files, server_files
from gateway.ingest.mqtt import MqttTransport
from hazgate.doctor import Verdict
from hazgate.doctor_broker import look_at_broker, look_at_broker_certificate
from tests.support.edges import edge_settings, running_edge
from tests.support.guarded import Guarded, Visitor, guarded
from tests.support.plants import mini_plant
from tests.support.servers import BROKERS
from tests.support.waiting import eventually_async

NAMES = ("gateway", "edge-a", "edge-a-sensors")
PLANT = mini_plant()
WAYS = {"password": {"tls": True}, "certificate": {"certificates": True}}


@pytest.fixture(params=[f"{kind}-{way}" for kind in sorted(BROKERS) for way in WAYS])
def door(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Guarded]:
    kind, _, way = request.param.partition("-")
    with guarded(kind, tmp_path, NAMES, **WAYS[way]) as made:
        yield made


def transport_of(address: BrokerAddress) -> MqttTransport:
    return MqttTransport(address, "hazgate-mini-gateway", subscriptions("mini"), SystemClock())


def taken(transport: MqttTransport, topics: set[str]) -> bool:
    """Take what has come; says whether a gateway is connected and something came of telemetry."""
    messages = transport.poll(0.05)
    topics |= {message.topic for message in messages}
    transport.acknowledge(messages)
    return transport.connected


def settings_of(door: Guarded, tmp_path: Path, address: BrokerAddress) -> EdgeSettings:
    plain = edge_settings(tmp_path / "edge", door.broker, door.broker)
    return plain.model_copy(update={"plant_broker": address, "uplink_broker": address})


def mended(door: Guarded, address: BrokerAddress, tmp_path: Path) -> list[str]:
    """Return what an edge with this address logs about its uplink until it has said the first thing."""

    async def try_it() -> list[str]:
        settings = settings_of(door, tmp_path, address)
        with capture_logs() as logs:
            async with running_edge(settings, PLANT):
                await eventually_async(lambda: said(logs), 10.0)
        return said(logs)

    def said(logs: list[structlog.typing.EventDict]) -> list[str]:
        return [one["error"] for one in logs if one["event"] == "uplink not there" and one["log_level"] == "warning"]

    return asyncio.run(try_it())


async def test_readings_travel_from_the_sensor_to_the_gateway(door: Guarded, tmp_path: Path) -> None:
    address = door.address("edge-a")
    settings = settings_of(door, tmp_path, address)
    transport = transport_of(door.address("gateway"))
    topics: set[str] = set()
    wanted = edge_topic("mini", "edge-a", Kind.TELEMETRY)
    try:
        async with running_edge(settings, PLANT) as health:
            await eventually_async(lambda: taken(transport, topics) and health.uplink_connected, 10.0)
            await eventually_async(lambda: health.plant_connected, 10.0)
            with Visitor(door.address("edge-a-sensors")) as sensors:
                await asyncio.to_thread(sensors.publish, "plant/mini/T-1.TEMP", b"21.5")
            await eventually_async(lambda: taken(transport, topics) and wanted in topics, 10.0)
    finally:
        transport.close()


async def test_a_burst_over_tls_arrives_whole(door: Guarded) -> None:
    transport = transport_of(door.address("gateway"))
    seen: list[bytes] = []
    wanted = [b"%d" % number + b"x" * (number * 37 % 60_000) for number in range(300)]

    def take() -> bool:
        messages = transport.poll(0.05)
        transport.acknowledge(messages)
        seen.extend(message.payload for message in messages)
        return len(seen) >= len(wanted)

    try:
        await eventually_async(lambda: take() or transport.connected, 10.0)
        with Visitor(door.address("edge-a")) as edge:
            for payload in wanted:
                await asyncio.to_thread(edge.send, edge_topic("mini", "edge-a", Kind.TELEMETRY), payload)
            await eventually_async(take, 20.0)
    finally:
        transport.close()
    assert seen == wanted


# --- who is not let in is told why ---------------------------------------------------------------------------------


@pytest.fixture(params=sorted(BROKERS))
def by_password(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Guarded]:
    with guarded(request.param, tmp_path, NAMES, tls=True) as made:
        yield made


@pytest.fixture(params=sorted(BROKERS))
def by_certificate(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Guarded]:
    with guarded(request.param, tmp_path, NAMES, certificates=True) as made:
        yield made


def test_a_wrong_password_names_its_mend_at_the_edge(by_password: Guarded, tmp_path: Path) -> None:
    (said,) = mended(by_password, by_password.address("edge-a", password="wrong"), tmp_path)
    assert "hazgate broker credentials" in said
    assert "--broker-password-file" in said
    assert "wrong" not in said


def test_a_wrong_password_names_its_mend_at_the_gateway(by_password: Guarded) -> None:
    transport = transport_of(by_password.address("gateway", password="wrong"))
    with capture_logs() as logs:
        for _ in range(100):
            transport.poll(0.05)
            if any(one["event"] == "broker_refused" for one in logs):
                break
    transport.close()
    assert any("--broker-password-file" in one.get("mend", "") for one in logs)


def test_a_broker_nobody_vouches_for_is_not_spoken_to(by_password: Guarded, tmp_path: Path) -> None:
    Authority(tmp_path / "other", SystemClock().wall_ms())
    address = by_password.address("edge-a").model_copy(update={"ca": tmp_path / "other" / CA_CERTIFICATE})
    (said,) = mended(by_password, address, tmp_path)
    assert "its issuer is not trusted" in said


def test_a_broker_of_another_name_is_not_spoken_to(by_password: Guarded, tmp_path: Path) -> None:
    address = by_password.address("edge-a").model_copy(update={"host": "127.0.0.2"})
    by_password.broker.host = "127.0.0.1"
    authority = Authority(by_password.certificates, SystemClock().wall_ms())
    authority.server(["elsewhere.example"], 30)
    by_password.broker.restart()
    (said,) = mended(by_password, address.model_copy(update={"host": "127.0.0.1"}), tmp_path)
    assert "another address" in said


def test_an_expired_broker_certificate_is_named(by_password: Guarded, tmp_path: Path) -> None:
    days_ago = SystemClock().wall_ms() - 40 * 86_400_000
    Authority(by_password.certificates, days_ago).server(["127.0.0.1"], 30)
    by_password.broker.restart()
    (said,) = mended(by_password, by_password.address("edge-a"), tmp_path)
    assert "has expired" in said


@pytest.mark.parametrize("fault", ["expired", "foreign", "none"])
def test_a_client_certificate_that_is_no_good_is_refused(by_certificate: Guarded, tmp_path: Path, fault: str) -> None:
    address = by_certificate.address("edge-a")
    if fault == "none":
        address = address.model_copy(update={"cert": None, "key": None})
    else:
        folder, ago_ms = {
            "expired": (by_certificate.certificates, 40 * 86_400_000),
            "foreign": (tmp_path / "other", 0),
        }[fault]
        Authority(folder, SystemClock().wall_ms() - ago_ms).client("edge-a", 30)
        certificate, key = client_files(folder, "edge-a")
        address = address.model_copy(update={"cert": certificate, "key": key})
    (said,) = mended(by_certificate, address, tmp_path)
    assert "certificate" in said, said


def test_a_certificate_without_an_account_may_do_nothing(by_certificate: Guarded) -> None:
    Authority(by_certificate.certificates, SystemClock().wall_ms()).client("stranger", 30)
    topic = edge_topic("mini", "edge-a", Kind.TELEMETRY)
    with Visitor(by_certificate.address("gateway"), *subscriptions("mini")) as gateway:
        with Visitor(by_certificate.address("stranger")) as stranger:
            stranger.publish(topic, b"forged")
        with Visitor(by_certificate.address("edge-a")) as edge:
            edge.publish(topic, b"true")
            while not gateway.heard:
                edge.publish(topic, b"true")
    assert all(payload == b"true" for _, payload in gateway.heard)


def test_doctor_measures_with_the_gateways_account_and_warns_of_the_end(by_password: Guarded) -> None:
    address = by_password.address("gateway")
    assert [one for one in look_at_broker(address) if one.verdict is Verdict.FAIL] == []
    now_ms = SystemClock().wall_ms()
    verdicts = [look_at_broker_certificate(address, now_ms + days * 86_400_000) for days in (-10, 5, 31)]
    assert [one and one.verdict for one in verdicts] == [Verdict.OK, Verdict.WARN, Verdict.FAIL]


# --- the embedded broker with its supervisor -----------------------------------------------------------------------


@pytest.mark.parametrize("certificates", [False, True])
async def test_the_embedded_broker_notices_that_accounts_and_certificates_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, certificates: bool
) -> None:
    monkeypatch.setattr("gateway.broker.PROBE_EVERY_S", 0.1)
    with guarded("embedded", tmp_path, NAMES, tls=True, certificates=certificates) as keys:
        guard: BrokerGuard = keys.broker.guard
    broker = EmbeddedBroker(tmp_path / "broker", clock=SystemClock(), port=0, guard=guard)
    async with broker, asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(broker.supervise())
        keys.broker.port = broker.port
        with Visitor(keys.address("edge-a")) as edge, Visitor(keys.address("gateway")) as gateway:
            assert not edge.refused
            keys.revoke("edge-a")
            assert await asyncio.to_thread(edge.gone.wait, 5.0)
            assert not gateway.gone.is_set()
        authority = Authority(keys.certificates, SystemClock().wall_ms())
        authority.server(["127.0.0.1", "renewed.example"], 60)
        _, key = server_files(keys.certificates)
        assert key.exists()
        await eventually_async(lambda: "renewed.example" in names_of(keys), 10.0)
        assert broker.restarts == 0
        watching.cancel()


def names_of(keys: Guarded) -> set[str]:
    """Return the names in the certificate the broker shows."""
    context = client_context(keys.address("gateway"))
    assert context is not None
    with (
        socket.create_connection(("127.0.0.1", keys.broker.port), 5.0) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as connection,
    ):
        shown: dict[str, Any] = connection.getpeercert() or {}
    return {str(value) for _, value in shown.get("subjectAltName", ())}
