"""Every bad input there is, between good frames, to a real gateway: counted, named, shown; and nothing else is lost."""

from __future__ import annotations

from collections import Counter
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from config.clock import SystemClock
from config.contract.frame import Frame, encode_frame
from config.contract.messages import EdgeStatus, Kept, decode, encode
from config.contract.topics import Kind, edge_topic, point_topic
from config.plant.load import load_plant
from gateway.ingest.decode import NO_EDGE
from tests.support.chain import stored
from tests.support.frames import EPOCH, broken_payloads, frame, frame_json
from tests.support.gateways import GatewayProcess
from tests.support.mqtt_peer import Peer, publish_bytes
from tests.support.servers import Broker
from tests.support.waiting import eventually

TELEMETRY = edge_topic("mini", "edge-a", Kind.TELEMETRY)
STATUS = edge_topic("mini", "edge-a", Kind.STATUS)
KEPT = edge_topic("mini", "edge-a", Kind.KEPT)
GOOD = "900d" * 4
LARGE = 1_000_000
Letter = tuple[str, str, str, str]
"""(reason, edge, topic, SHA-256 of the payload)"""


class Sender:
    """Sends bad messages, each followed by a good frame, and knows what has to come of them."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._start_ms = SystemClock().wall_ms() - 60_000
        self.good: list[Frame] = []
        self.letters: set[Letter] = set()

    def send_good(self) -> None:
        seq = len(self.good) + 1
        self.good.append(frame(seq, ("T-1.TEMP", self._start_ms + seq, seq / 8), epoch=GOOD))
        self._peer.send(TELEMETRY, [encode_frame(self.good[-1])])

    def send_bad(self, topic: str, payload: bytes, reason: str, edge: str = "edge-a") -> None:
        # QoS 0 for large ones: the embedded broker keeps nothing beyond 32 MiB.
        self._peer.send(topic, [payload], qos=0 if len(payload) > LARGE else 1)
        self.letters.add((reason, edge, topic, sha256(payload).hexdigest()))
        self.send_good()


def letters_of(gateway: GatewayProcess) -> dict[Letter, dict[str, Any]]:
    letters = gateway.items("/api/v1/dead-letters", limit=30)
    return {(one["reason"], one["edge"], one["topic"], one["sha256"]): one for one in letters}


def upto(gateway: GatewayProcess, epoch: str) -> int:
    return next((one["upto"] for one in gateway.ledger("edge-a")["marks"] if one["epoch"] == epoch), 0)


def latest(gateway: GatewayProcess, tag: str) -> float | None:
    reading = gateway.get(f"/api/v1/tags/{tag}")["latest"]
    return reading["value"] if reading else None


def send_everything(sender: Sender) -> None:
    sender.send_good()
    for make, reason in broken_payloads.values():
        sender.send_bad(TELEMETRY, make(), reason)
    for topic, reason, edge in (
        ("hazard/v1/elsewhere/edge-a/telemetry", "foreign_site", NO_EDGE),
        ("hazard/v1/mini/edge-z/telemetry", "unknown_edge", NO_EDGE),
        ("hazard/v1/mini/EDGE/telemetry", "bad_topic", NO_EDGE),
        ("hazard/v1/mini/edge-b/points/a@b", "bad_topic", NO_EDGE),
        ("hazard/v1/mini/edge-a/points/T-1.TEMP", "unexpected_kind", "edge-a"),
        ("hazard/v1/mini/edge-b/points/NOBODY", "unknown_tag", "edge-b"),
        ("hazard/v1/mini/edge-b/points/T-1.TEMP", "foreign_tag", "edge-b"),
    ):
        sender.send_bad(topic, frame_json(), reason, edge)
    sender.send_bad(STATUS, b'{"online": "yes"}', "bad_shape")
    sender.send_bad(STATUS, b'{"online": true, "software": "' + b"x" * 2 * LARGE + b'"}', "too_large")


def test_every_bad_input_is_named_and_nothing_else_is_lost(
    broker: Broker, gateway: GatewayProcess, plant_file: Path
) -> None:
    with Peer(broker, KEPT) as peer:
        sender = Sender(peer)
        send_everything(sender)
        publish_bytes(broker, b"hazard/v1/mini/\xff\xfe/telemetry", b"x")
        sender.send_good()
        count = len(sender.good)
        eventually(lambda: upto(gateway, GOOD) == count, 30.0)
        eventually(lambda: sender.letters <= set(letters_of(gateway)), 10.0)
        eventually(lambda: Kept(GOOD, count) in [decode(payload, Kept) for _, payload, _ in peer.heard])

    letters = letters_of(gateway)
    unexpected = {key for key in set(letters) - sender.letters if key[0] != "bad_topic" or "\\xff" not in key[2]}
    assert unexpected == set()
    large = next(one for one in letters.values() if one["bytes"] > 49_000_000)
    assert large["reason"] == "too_large"
    assert not large["head_complete"]
    assert all(one["detail"] for one in letters.values())
    assert gateway.get("/api/v1/ledger")["holds"]
    counts = gateway.ledger("edge-a")["counts"]
    assert counts["frames_kept"] == counts["samples_stored"] == counts["samples_evaluated"] == count
    assert counts["frames_missing"] == 0
    assert gateway.ledger(NO_EDGE)["counts"]["frames_refused"] >= 4
    assert gateway.running

    gateway.kill()
    gateway.start()
    assert set(letters_of(gateway)) == set(letters), "dead letters are durable"
    assert gateway.stop() == 0
    expected = Counter(
        (tag, at_ms, value)
        for one in sender.good
        for tag, at_ms, value in zip(one.tags, one.times_ms, one.values, strict=True)
    )
    assert stored(gateway.data, load_plant(plant_file)) == expected


def test_what_is_odd_but_allowed_is_stored_once_and_marked(broker: Broker, gateway: GatewayProcess) -> None:
    now_ms = SystemClock().wall_ms()
    frames = [
        frame(1, ("T-1.TEMP", 0, 1.0), ("T-1.LEVEL", now_ms + 3_600_000, 5.0), epoch=GOOD),
        frame(2, ("T-1.TEMP", now_ms, 1e308), ("GD-1", now_ms, None), epoch=GOOD),
        frame(3, ("T-1.TEMP", now_ms + 1, 20.0), ("PLAIN.PRESS", now_ms, 1.0), ("NOBODY", now_ms, 1.0), epoch=GOOD),
        frame(3, ("T-1.TEMP", now_ms + 2, 99.0), epoch=GOOD),  # the same seq with another content
        frame(2, ("T-1.TEMP", now_ms, 1e308), ("GD-1", now_ms, None), epoch=GOOD),
        frame(9, ("T-1.TEMP", now_ms + 3, 99.0), epoch=GOOD),  # ahead: to be sent again, in order
        frame(4, ("T-1.TEMP", now_ms + 1, 20.0), ("T-1.TEMP", now_ms, 21.0), epoch=GOOD),
    ]
    with Peer(broker, KEPT) as peer:
        peer.send(TELEMETRY, [encode_frame(one) for one in frames])
        peer.send(STATUS, [encode(EdgeStatus(online=True, at_ms=now_ms, epoch=GOOD, made_frames=4))])
        peer.send(
            point_topic("mini", "edge-b", "PLAIN.PRESS"), [b"900", b"twelve", b"NaN", b'{"value": 1, "time": -5}']
        )
        eventually(lambda: upto(gateway, GOOD) == 4, 15.0)
        eventually(lambda: gateway.ledger("edge-b")["counts"]["points_received"] == 4, 15.0)
    counts = {name: count for name, count in gateway.ledger("edge-a")["counts"].items() if count}
    assert counts == {
        "frames_received": 7,
        "frames_kept": 4,
        "frames_duplicate": 2,
        "frames_ahead": 1,
        "samples_received": 9,
        "samples_stored": 6,
        "samples_evaluated": 5,
        "samples_late": 1,
        "samples_duplicate": 1,
        "samples_rejected": 2,
        "samples_bad": 3,
        "samples_skewed": 1,
    }
    points = gateway.ledger("edge-b")["counts"]
    assert points["samples_bad"] >= 1
    assert points["samples_bad"] + points["samples_duplicate"] == 3, "several no-numbers of one millisecond are one"
    assert gateway.get("/api/v1/ledger")["holds"]
    rejected = {one["detail"].split()[1]: one["reason"] for one in gateway.items("/api/v1/dead-letters")}
    assert rejected == {"'PLAIN.PRESS'": "foreign_tag", "'NOBODY'": "unknown_tag"}
    eventually(lambda: latest(gateway, "T-1.TEMP") == pytest.approx(20.0))
    bad = {(one["tag"], one["condition"]) for one in gateway.items("/api/v1/alarms")}
    assert {("T-1.LEVEL", "BAD_PV"), ("GD-1", "BAD_PV"), ("PLAIN.PRESS", "BAD_PV")} <= bad


def test_refusals_are_told_to_the_edge(broker: Broker, gateway: GatewayProcess) -> None:
    assert gateway.running
    with Peer(broker, KEPT) as peer:
        peer.send(TELEMETRY, [frame_json(seq=1), frame_json(seq=2)[:-20], frame_json(seq=3, times_ms=[5_000])])

        def told() -> list[Kept]:
            return [decode(payload, Kept) for _, payload, _ in peer.heard]

        eventually(lambda: any(one.upto == 3 for one in told()), 15.0)
        assert told()[-1].epoch == EPOCH
        refusals = {(refused.seq, refused.reason) for one in told() for refused in one.refused}
        assert refusals == {(2, "not_json")}, "told with the receipt of its own turn, which need not be the last"
