"""On real brokers: everybody may say and hear what is theirs, and nothing else."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.access import accounts
from config.contract.topics import Kind, alarm_topic, edge_topic, point_topic, subscriptions
from config.errors import ConfigError
from config.plant.load import read_plant
from config.settings import BrokerAddress
from gateway.credentials import Hashes, nats_subject, read_book, write_book
from gateway.errors import CredentialsError
from tests.support.guarded import Guarded, Visitor, guarded
from tests.support.plants import MINI_PLANT, mini_plant
from tests.support.servers import BROKERS
from tests.support.waiting import eventually

NAMES = ("gateway", "reader", "edge-a", "edge-a-sensors", "edge-b")
OWN = edge_topic("mini", "edge-a", Kind.TELEMETRY)
FOREIGN = edge_topic("mini", "edge-c", Kind.TELEMETRY)
LAST = edge_topic("mini", "edge-a", Kind.STATUS)


@pytest.fixture(params=sorted(BROKERS))
def door(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Guarded]:
    with guarded(request.param, tmp_path, NAMES) as made:
        yield made


def what_passes(door: Guarded, name: str, topics: list[str], last: str) -> list[str]:
    """Return which of the topics a client's messages reach the gateway on; ``last`` is one that does."""
    with Visitor(door.address("gateway"), *subscriptions("mini"), "hazard/v1/mini/#") as gateway:
        assert not gateway.unheard
        for topic in [*topics, last]:
            with Visitor(door.address(name)) as visitor:  # Mosquitto ends the connection at what it refuses
                visitor.publish(topic)
        eventually(lambda: last in [topic for topic, _ in gateway.heard])
    return [topic for topic in topics if topic in {heard for heard, _ in gateway.heard}]


def test_an_edge_speaks_for_itself_only(door: Guarded) -> None:
    own = [edge_topic("mini", "edge-a", kind) for kind in (Kind.TELEMETRY, Kind.BACKLOG, Kind.ALARMS)]
    own += [point_topic("mini", "edge-a", "T-1.LEVEL"), edge_topic("mini", "edge-a", Kind.ALARMS) + "/1"]
    others = [FOREIGN, edge_topic("mini", "edge-a", Kind.KEPT), alarm_topic("mini", "1"), f"{OWN}/x", "other"]
    others += [edge_topic("elsewhere", "edge-a", Kind.TELEMETRY), point_topic("mini", "edge-b", "T-1.LEVEL")]
    assert what_passes(door, "edge-a", own + others, LAST) == own


def test_direct_sensors_say_their_points_only(door: Guarded) -> None:
    point = point_topic("mini", "edge-b", "X.1")
    others = [edge_topic("mini", "edge-b", Kind.TELEMETRY), point_topic("mini", "edge-a", "X.1"), f"{point}/more"]
    assert what_passes(door, "edge-b", others, point) == []


def test_an_edge_hears_its_receipts_and_its_sensors_only(door: Guarded) -> None:
    own = [edge_topic("mini", "edge-a", Kind.KEPT), "plant/mini/T-1.LEVEL"]
    others = [edge_topic("mini", "edge-c", Kind.KEPT), alarm_topic("mini", "1")]
    with (
        Visitor(door.address("edge-a"), *own, *others) as edge,
        Visitor(door.address("gateway")) as gateway,
        Visitor(door.address("edge-a-sensors")) as sensors,
    ):
        gateway.publish(others[0])
        gateway.publish(others[1])
        gateway.publish(own[0])
        sensors.publish(own[1])
        eventually(lambda: len(edge.heard) >= len(own))
    assert [topic for topic, _ in edge.heard] == own


def test_a_reader_hears_alarms_and_says_nothing(door: Guarded) -> None:
    alarm = alarm_topic("mini", "7")
    with Visitor(door.address("reader"), "hazard/v1/mini/alarms/#") as reader:
        assert not reader.unheard
        with Visitor(door.address("gateway")) as gateway:
            gateway.publish(alarm, b"state", retain=True)
        eventually(lambda: reader.heard)
    with Visitor(door.address("gateway"), alarm, LAST) as gateway:
        eventually(lambda: gateway.heard)
        with Visitor(door.address("reader")) as reader, Visitor(door.address("edge-a")) as edge:
            reader.publish(alarm, b"forged", retain=True)
            edge.publish(LAST)
        eventually(lambda: (LAST, b"x") in gateway.heard)
    assert [payload for topic, payload in gateway.heard if topic == alarm] == [b"state"]


@pytest.mark.parametrize("name", ["nobody", "edge-a", "stranger", "hazgate.probe"])
def test_nobody_comes_in_without_the_password(door: Guarded, name: str) -> None:
    plain = BrokerAddress(host="127.0.0.1", port=door.broker.port)
    wrong = plain if name == "nobody" else door.address(name, password="wrong")
    with Visitor(wrong) as visitor:
        assert re.search("(?i)not authori|bad user", visitor.refused), visitor.refused


def test_a_client_is_added_replaced_and_revoked_while_others_work_on(door: Guarded) -> None:
    door.revoke("edge-b")
    door.broker.reload()
    with Visitor(door.address("gateway"), *subscriptions("mini")) as gateway:
        with Visitor(door.address("edge-a")) as edge:
            old = door.address("edge-b")
            eventually(lambda: refused(old))
            door.give("edge-b")
            door.broker.reload()
            eventually(lambda: not refused(door.address("edge-b")))
            assert refused(old)
            edge.publish(OWN)
            assert not edge.gone.is_set()
        # Under load NATS may leave a delivery to its next one, after `ack_wait` (10 s).
        eventually(lambda: OWN in [topic for topic, _ in gateway.heard], 15.0)


def test_who_is_revoked_is_cut_off(door: Guarded) -> None:
    with Visitor(door.address("edge-a")) as edge:
        door.revoke("edge-a")
        door.broker.reload()
        assert edge.gone.wait(5.0)
    assert refused(door.address("edge-a"))


def test_the_client_id_of_another_opens_nothing(door: Guarded) -> None:
    with Visitor(door.address("gateway"), OWN, session="G"):
        pass  # from here on the broker keeps for the session what it subscribed to
    with Visitor(door.address("edge-a")) as edge, Visitor(door.address("gateway"), OWN) as gateway:
        edge.publish(OWN, b"1")
        with Visitor(door.address("edge-b"), session="G") as thief:
            edge.publish(OWN, b"2")
            eventually(lambda: len(gateway.heard) == 2)
            thief.publish(point_topic("mini", "edge-b", "X"))  # a round trip: what was to come has come
            assert not thief.refused
            assert thief.heard == []


def refused(address: BrokerAddress) -> str:
    with Visitor(address) as visitor:
        return visitor.refused


# --- the files -----------------------------------------------------------------------------------------------------


def test_the_files_are_for_their_owner_and_hold_no_password(tmp_path: Path) -> None:
    book = {"edge-a": Hashes.of("secret-word")}
    write_book(tmp_path / "new", book, accounts(mini_plant()))
    for path in (tmp_path / "new").iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
        assert "secret-word" not in path.read_text()
    assert read_book(tmp_path / "new") == book


def test_a_mode_that_lets_the_broker_read_stays(tmp_path: Path) -> None:
    write_book(tmp_path, {}, accounts(mini_plant()))
    (tmp_path / "mosquitto.acl").chmod(0o640)
    write_book(tmp_path, {"edge-a": Hashes.of("x")}, accounts(mini_plant()))
    assert (tmp_path / "mosquitto.acl").stat().st_mode & 0o777 == 0o640


def test_mosquitto_passwd_takes_our_password_file(tmp_path: Path) -> None:
    write_book(tmp_path, {"edge-a": Hashes.of("x")}, accounts(mini_plant()))
    subprocess.run(["mosquitto_passwd", "-D", str(tmp_path / "mosquitto.passwd"), "edge-a"], check=True)
    assert (tmp_path / "mosquitto.passwd").read_text() == ""


def test_a_client_the_plant_no_longer_has_is_let_in_nowhere(tmp_path: Path) -> None:
    write_book(tmp_path, {"gone": Hashes.of("x")}, accounts(mini_plant()))
    assert "gone" in read_book(tmp_path)
    assert all(
        "gone" not in (tmp_path / name).read_text() for name in ("mosquitto.passwd", "mosquitto.acl", "nats.users")
    )


def test_a_damaged_book_is_named(tmp_path: Path) -> None:
    (tmp_path / "accounts.json").write_text('{"clients": [1]}')
    with pytest.raises(CredentialsError, match=r"accounts\.json is no book"):
        read_book(tmp_path)


def test_two_accounts_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigError, match="'gateway'"):
        accounts(read_plant(MINI_PLANT.replace("edge-a", "gateway"), "mini.yaml"))


@given(st.lists(st.text("ab.", max_size=3), min_size=1, max_size=5))
def test_no_two_topics_share_a_subject_and_levels_stay(levels: list[str]) -> None:
    subject = nats_subject("/".join(levels))
    back = subject.replace("//", "\0").split(".")
    assert ["" if level == "/" else level.replace("\0", ".") for level in back] == levels
