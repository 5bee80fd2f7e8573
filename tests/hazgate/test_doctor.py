"""What the doctor finds on real brokers, disks and databases."""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
import threading
from pathlib import Path

import pytest
from paho.mqtt.client import Client, ConnectFlags
from paho.mqtt.enums import CallbackAPIVersion
from typer.testing import CliRunner

from config.settings import BrokerAddress
from gateway.broker import child_command, free_port
from gateway.lock import own
from gateway.records.database import DATABASE_FILE, open_writer
from hazgate import doctor_broker
from hazgate.cli import build
from hazgate.doctor import Finding, Verdict, look_at_certificate, look_at_data
from hazgate.doctor_broker import look_at_broker
from tests.support.servers import Broker, Mosquitto

DAY_MS = 86_400_000


class AsShipped(Mosquitto):
    """Mosquitto with the limits it has when nobody sets any."""

    MORE = ""

    def _command(self) -> list[str]:
        conf = self.state_dir / "mosquitto.conf"
        lines = f"listener {self.port} 127.0.0.1\nallow_anonymous true\nuser root\n{self.MORE}"
        conf.write_text(lines, encoding="utf-8")
        return child_command("mosquitto", "-c", str(conf))


class Stingy(AsShipped):
    """Keeps everything, but neither large nor retained messages."""

    MORE = "max_queued_messages 0\nmax_packet_size 100000\nretain_available false\n"


def by_name(findings: list[Finding]) -> dict[str, Finding]:
    return {one.name: one for one in findings}


def address(broker: Broker) -> BrokerAddress:
    return BrokerAddress(host=broker.host, port=broker.port)


def test_a_broker_with_our_limits_keeps_everything(broker: Broker) -> None:
    found = by_name(list(look_at_broker(address(broker))))
    assert found["broker queue"].verdict is Verdict.OK, found
    assert {one.verdict for one in found.values()} == {Verdict.OK}, found
    assert ("MQTT 5" in found["broker"].found) == isinstance(broker, Mosquitto)


def test_a_broker_that_drops_is_found_out(tmp_path: Path) -> None:
    with AsShipped(tmp_path) as broker:
        found = by_name(list(look_at_broker(address(broker))))
    assert found["broker queue"].verdict is Verdict.FAIL
    assert found["broker queue"].mend is not None
    assert "max_queued_messages 0" in found["broker queue"].mend.en
    assert found["broker under way"].found == "takes 20 messages at a time from one client"
    assert found["broker under way"].verdict is Verdict.WARN


def test_limits_that_cut_us_off_are_found_out(tmp_path: Path) -> None:
    with Stingy(tmp_path) as broker:
        found = by_name(list(look_at_broker(address(broker))))
    assert found["broker packet size"].verdict is Verdict.FAIL
    assert found["broker retain"].verdict is Verdict.FAIL


def test_no_session_is_left_behind_when_it_goes_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(_visit: object, _topic: str, _count: int) -> None:
        raise doctor_broker._NoAnswerError("the wire broke")

    monkeypatch.setattr(doctor_broker._Visit, "send", breaks)
    monkeypatch.setattr(secrets, "token_hex", lambda _bytes: "cafe")
    with Mosquitto(tmp_path) as broker:
        (found,) = look_at_broker(address(broker))
        assert "the wire broke" in found.found
        assert not has_session(broker, "hazgate-doctor-cafe")


def has_session(broker: Broker, client_id: str) -> bool:
    answered = threading.Event()
    present: list[bool] = []

    def connected(_client: Client, _userdata: object, flags: ConnectFlags, *_: object) -> None:
        present.append(flags.session_present)
        answered.set()

    client = Client(CallbackAPIVersion.VERSION2, client_id, clean_session=False)
    client.on_connect = connected
    client.connect(broker.host, broker.port)
    client.loop_start()
    assert answered.wait(5.0)
    client.disconnect()
    client.loop_stop()
    return present[0]


def test_no_broker_is_a_failure() -> None:
    (found,) = look_at_broker(BrokerAddress(port=free_port()))
    assert found.verdict is Verdict.FAIL


def test_a_data_directory_is_looked_through(tmp_path: Path) -> None:
    open_writer(tmp_path).dispose()
    with own(tmp_path):
        found = by_name(list(look_at_data(tmp_path)))
    assert found["records"].found.startswith("sound, schema ")
    assert "runs, process" in found["gateway"].found
    assert by_name(list(look_at_data(tmp_path)))["gateway"].verdict is Verdict.WARN
    assert found["disk writes"].verdict in {Verdict.OK, Verdict.WARN}


def test_a_damaged_database_is_a_failure(tmp_path: Path) -> None:
    open_writer(tmp_path).dispose()
    with (tmp_path / DATABASE_FILE).open("r+b") as file:
        file.seek(16_384)
        file.write(b"\xaa" * 60_000)
    assert by_name(list(look_at_data(tmp_path)))["records"].verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("days", "verdict"), [(200, Verdict.OK), (20, Verdict.WARN), (0.5, Verdict.FAIL), (-3, Verdict.FAIL)]
)
def test_certificates_are_warned_of_in_time(tmp_path: Path, days: float, verdict: Verdict) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("no openssl")
    pem = tmp_path / "c.pem"
    make = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        str(tmp_path / "k"),
        "-out",
        str(pem),
    ]
    subprocess.run([*make, "-days", "300", "-subj", "/CN=test"], check=True, capture_output=True)
    made_ms = int(pem.stat().st_mtime * 1000)
    assert look_at_certificate(pem, made_ms + round((300 - days) * DAY_MS)).verdict is verdict


def test_the_command_tells_all_and_fails_when_something_does(tmp_path: Path) -> None:
    words = ["doctor", "--data", str(tmp_path / "none"), "--plant", "demo", "--json"]
    done = CliRunner().invoke(build("doctor"), words)
    assert done.exit_code == 1
    found = {one["name"]: one for one in json.loads(done.output)}
    assert found["data"]["verdict"] == "fail"
    assert found["data"]["mend"]["zh"]
    assert found["plant"]["verdict"] == "ok"
    spoken = CliRunner().invoke(build("doctor"), words[:-1])
    assert "故障 fail" in spoken.output
