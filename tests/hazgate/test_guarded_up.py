"""`hazgate broker credentials`, `certificates` and `hazgate up` with them: the commands an operator types."""

from __future__ import annotations

import re
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest
from typer.testing import CliRunner

from config.clock import SystemClock
from config.contract.topics import Kind, edge_topic
from config.settings import BrokerAddress, BrokerGuard
from gateway.certificates import Authority, server_files
from gateway.credentials import read_book
from hazgate.cli import build
from tests.support.guarded import Visitor
from tests.support.plants import MINI_PLANT
from tests.support.servers import Mosquitto
from tests.support.waiting import eventually

pytestmark = pytest.mark.soak  # processes that take their time: `make soak`


class Operator:
    """Types commands in a folder with a plant file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.plant = folder / "plant.yaml"
        self.plant.write_text(MINI_PLANT, encoding="utf-8")
        self.accounts = folder / "accounts"
        self.certificates = folder / "certificates"

    def types(self, *words: str, exit_code: int = 0) -> str:
        done = CliRunner().invoke(build(words[0]), words)
        assert done.exit_code == exit_code, done.output
        return done.output

    def credentials(self, *words: str, exit_code: int = 0) -> str:
        fixed = ("broker", "credentials", "--dir", str(self.accounts), "--plant", str(self.plant))
        return self.types(*fixed, *words, exit_code=exit_code)

    def password(self, name: str) -> str:
        return (self.accounts / "passwords" / name).read_text().strip()


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    return Operator(tmp_path)


@contextmanager
def up(operator: Operator, *words: str) -> Iterator[tuple[str, str]]:
    """Run `hazgate up`; yields the addresses it prints, HTTP and MQTT."""
    said_file = operator.folder / "said"
    fixed = ["--plant", str(operator.plant), "--data", str(operator.folder / "data"), "--http", "127.0.0.1:0"]
    command = [sys.executable, "-m", "hazgate", "up", "--no-accounts", *fixed, "--port", "0", *words]
    with said_file.open("w", encoding="utf-8") as said:
        process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT)
    try:
        eventually(lambda: "Ctrl-C" in said_file.read_text(encoding="utf-8") or process.poll() is not None, 60.0)
        text = said_file.read_text(encoding="utf-8")
        http, mqtt = re.search(r"API +(\S+)/api/v1", text), re.search(r"MQTT +(\S+)", text)
        assert http, text
        assert mqtt, text
        yield http[1], mqtt[1]
    finally:
        process.terminate()
        process.wait(20)


def test_credentials_make_what_the_plant_needs_and_keep_what_there_is(operator: Operator) -> None:
    operator.credentials()
    assert set(read_book(operator.accounts)) == {"gateway", "edge-a", "edge-a-sensors", "edge-b"}
    before = {name: operator.password(name) for name in read_book(operator.accounts)}
    assert len(set(before.values())) == len(before)
    operator.credentials("--edge", "reader")
    operator.credentials("--replace", "edge-a")
    operator.credentials("--revoke", "edge-b")
    after = {name: operator.password(name) for name in read_book(operator.accounts)}
    assert set(after) == (set(before) | {"reader"}) - {"edge-b"}
    assert {name for name in after if after[name] != before.get(name)} == {"reader", "edge-a"}
    assert not (operator.accounts / "passwords" / "edge-b").exists()
    assert (operator.accounts / "passwords" / "edge-a").stat().st_mode & 0o777 == 0o600


def test_no_password_is_printed(operator: Operator) -> None:
    said = operator.credentials()
    assert operator.password("edge-a") not in said
    assert str(operator.accounts / "passwords" / "edge-a") in said


@pytest.mark.parametrize("words", [("--edge", "edge-z"), ("--replace", "edge-z"), ("--revoke", "edge-a")])
def test_who_is_not_known_is_named(operator: Operator, words: tuple[str, str]) -> None:
    assert words[1] in operator.credentials(*words, exit_code=2)


def test_a_running_mosquitto_is_told(operator: Operator, tmp_path: Path) -> None:
    operator.credentials()
    with Mosquitto(tmp_path, guard=BrokerGuard(accounts=operator.accounts)) as broker:
        address = BrokerAddress.parse(f"edge-a@{broker.address}", operator.password("edge-a"))
        pid_file = tmp_path / "pid"
        pid_file.write_text(f"{broker.pid}\n")
        with Visitor(address) as edge:
            assert not edge.refused
            operator.credentials("--revoke", "edge-a", "--mosquitto-pid-file", str(pid_file))
            assert edge.gone.wait(5.0)


def test_nothing_is_open_to_the_network_by_accident(operator: Operator) -> None:
    fixed = ("up", "--plant", str(operator.plant), "--data", str(operator.folder / "data"))
    said = operator.types(*fixed, "--mqtt-host", "0.0.0.0", exit_code=2)
    assert "--broker-credentials" in said
    assert "--mqtt-anonymous" in said
    said = operator.types("broker", "--data", str(operator.folder), "--host", "0.0.0.0", exit_code=2)
    assert "--broker-credentials" in said


def test_a_directory_without_accounts_is_named(operator: Operator) -> None:
    fixed = ("up", "--plant", str(operator.plant), "--data", str(operator.folder / "data"))
    said = operator.types(*fixed, "--broker-credentials", str(operator.accounts), exit_code=2)
    assert "hazgate broker credentials" in said


@pytest.mark.parametrize("way", ["password", "certificate"])
def test_up_with_accounts_and_tls_takes_from_edges_it_knows(operator: Operator, way: str) -> None:
    operator.credentials()
    names = ("--client", "gateway", "--client", "edge-a")
    operator.types("broker", "certificates", "--dir", str(operator.certificates), "--host", "gate.example", *names)
    certificate, key = server_files(operator.certificates)
    ca = operator.certificates / "ca.crt"
    clients = operator.certificates / "clients"
    words = ["--broker-credentials", str(operator.accounts), "--broker-certificates", str(operator.certificates)]
    words += ["--tls-cert", str(certificate), "--tls-key", str(key)]
    words += ["--client-certificates"] if way == "certificate" else []
    with up(operator, *words) as (http, mqtt):
        assert http.startswith("https://")
        assert mqtt.startswith("mqtts://")
        with httpx.Client(verify=ssl.create_default_context(cafile=ca), base_url=http) as api:
            eventually(lambda: api.get("/readyz").status_code == httpx.codes.OK, 30.0, every_s=0.1)
            if way == "certificate":
                address = BrokerAddress.parse(f"{mqtt}?ca={ca}&cert={clients}/edge-a.crt&key={clients}/edge-a.key")
            else:
                address = BrokerAddress.parse(
                    f"{mqtt.replace('://', '://edge-a@')}?ca={ca}", operator.password("edge-a")
                )
            with Visitor(address) as edge:
                edge.publish(edge_topic("mini", "edge-a", Kind.STATUS), b'{"online":true}')
            eventually(lambda: online(api), 10.0)
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            httpx.get(http)


def test_renewed_certificates_are_shown_after_sighup_and_bad_ones_change_nothing(operator: Operator) -> None:
    authority = Authority(operator.certificates, SystemClock().wall_ms())
    authority.server(["127.0.0.1"], 30)
    certificate, key = server_files(operator.certificates)
    good = key.read_text()
    with up(operator, "--tls-cert", str(certificate), "--tls-key", str(key)) as (http, _):
        before = shown(http)
        key.write_text("no key")
        process = psutil.Process(int((operator.folder / "data" / "gateway" / "lock").read_text()))
        process.send_signal(signal.SIGHUP)
        said = operator.folder / "said"
        eventually(lambda: "certificate_refused" in said.read_text(), 10.0)
        assert shown(http) == before
        key.write_text(good)
        authority.server(["127.0.0.1"], 60)
        process.send_signal(signal.SIGHUP)
        eventually(lambda: len(addresses(said.read_text())) == 2, 30.0)
        eventually(lambda: shown(addresses(said.read_text())[1]) not in {"", before}, 10.0)


def addresses(said: str) -> list[str]:
    return re.findall(r"API +(\S+)/api/v1", said)


def shown(address: str) -> str:
    """Return the certificate a server shows; nothing when it does not answer."""
    host, _, port = address.rpartition("/")[2].rpartition(":")
    try:
        return ssl.get_server_certificate((host, int(port)), timeout=5.0)
    except OSError:
        return ""


def test_a_key_that_is_none_is_told_in_a_sentence(operator: Operator) -> None:
    authority = Authority(operator.certificates, SystemClock().wall_ms())
    authority.server(["127.0.0.1"], 30)
    certificate, _ = server_files(operator.certificates)
    wrong = operator.folder / "wrong.key"
    wrong.write_text("no key")
    fixed = ("gateway", "--data", str(operator.folder / "data"), "--plant", str(operator.plant))
    said = operator.types(*fixed, "--tls-cert", str(certificate), "--tls-key", str(wrong), exit_code=1)
    assert "not a certificate (PEM) and its key" in said


def online(api: httpx.Client) -> bool:
    return any(one["edge"] == "edge-a" and one["online"] for one in api.get("/api/v1/edges").json()["items"])
