"""Around an edge agent: sensors that remember what the broker acknowledged, a gateway of forty lines, the agent."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from paho.mqtt.client import Client, MQTTMessage, PayloadType
from paho.mqtt.enums import CallbackAPIVersion

from config.clock import Clock, SystemClock
from config.contract.frame import Frame, decode_frame
from config.contract.messages import EdgeStatus, Kept, Refusal, decode, encode
from config.contract.topics import Kind, edge_topic
from config.plant.model import Plant
from config.settings import BrokerAddress, EdgeSettings
from edge.app import run_edge
from edge.health import EdgeHealth
from tests.support.servers import Broker, Nats

__all__ = ["FakeGateway", "ImpatientNats", "Sensors", "edge_settings", "running_edge"]


class ImpatientNats(Nats):
    """Sends again after half a second what is not acknowledged (as shipped: ten seconds, too long for tests)."""

    def _command(self) -> list[str]:
        command = super()._command()
        conf = self.state_dir / "nats.conf"
        conf.write_text(re.sub(r'ack_wait: "\w+"', 'ack_wait: "500ms"', conf.read_text()), encoding="utf-8")
        return command


class _Peer:
    """A paho client on its own thread that comes back by itself, as often as the broker does."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.reconnect_delay_set(1, 1)
        self._client.max_inflight_messages_set(0)
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self._client.connect_async(self._broker.host, self._broker.port)
        self._client.loop_start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()


class Sensors(_Peer):
    """Publishes with QoS 1 and knows what was acknowledged."""

    def __init__(self, broker: Broker) -> None:
        super().__init__(broker)
        self._under_way: dict[int, object] = {}
        self._early: set[int] = set()
        self.acknowledged: list[object] = []
        self._client.on_publish = self._on_publish

    def publish(self, topic: str, payload: PayloadType, *, mark: object = None, retain: bool = False) -> None:
        """Publish; ``mark`` is in `acknowledged` when the broker has answered."""
        mid = self._client.publish(topic, payload, qos=1, retain=retain).mid
        with self._lock:
            if mid in self._early:
                self._early.remove(mid)
                self.acknowledged.append(mark)
            else:
                self._under_way[mid] = mark

    def publish_json(self, topic: str, payload: dict[str, Any], *, mark: object = None) -> None:
        """Publish a JSON object."""
        self.publish(topic, json.dumps(payload), mark=mark)

    @property
    def waiting(self) -> int:
        """Messages without an answer."""
        with self._lock:
            return len(self._under_way)

    def _on_publish(self, _client: Client, _userdata: object, mid: int, *_: object) -> None:
        with self._lock:
            if mid in self._under_way:
                self.acknowledged.append(self._under_way.pop(mid))
            else:
                self._early.add(mid)


class FakeGateway(_Peer):
    """Takes in order what is new (go-back-N per epoch) and says `kept`.

    Args:
        broker: The uplink broker.
        site: Of the plant.
        edge: The only one it listens to.
        answering: Whether it says `kept`; may be changed at any time.
    """

    def __init__(self, broker: Broker, site: str, edge: str, *, answering: bool = True) -> None:
        super().__init__(broker)
        self._frames_topic = edge_topic(site, edge, Kind.TELEMETRY)
        self._backlog_topic = edge_topic(site, edge, Kind.BACKLOG)
        self._status_topic = edge_topic(site, edge, Kind.STATUS)
        self._kept_topic = edge_topic(site, edge, Kind.KEPT)
        self.answering = answering
        self.refuse: set[int] = set()
        """Frames to be dead-lettered."""
        self.connected = threading.Event()
        self.upto: dict[str, int] = {}
        self.frames: list[Frame] = []
        """As accepted."""
        self.backlog: list[Frame] = []
        """Those accepted of the backlog lane; they are among ``frames``, too."""
        self.received: list[Frame] = []
        """All of them."""
        self.verdicts: Counter[str] = Counter()
        self.statuses: list[EdgeStatus] = []
        self._client.on_message = self._on_message
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = lambda *_: self.connected.clear()
        self._client.on_subscribe = lambda *_: self.connected.set()

    @property
    def samples(self) -> list[tuple[str, int, float | None]]:
        """Tag, source time and value of all accepted samples, in order."""
        return [
            row for frame in list(self.frames) for row in zip(frame.tags, frame.times_ms, frame.values, strict=True)
        ]

    @property
    def status(self) -> EdgeStatus | None:
        """The latest status of the edge."""
        return self.statuses[-1] if self.statuses else None

    def say_kept(self, kept: Kept) -> None:
        """Publish any `kept`, true or not."""
        self._client.publish(self._kept_topic, encode(kept), qos=1, retain=True)

    def _on_connect(self, client: Client, *_: object) -> None:
        client.subscribe([(self._frames_topic, 1), (self._backlog_topic, 1), (self._status_topic, 1)])

    def _on_message(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        if message.topic == self._status_topic:
            self.statuses.append(decode(bytes(message.payload), EdgeStatus))
            return
        frame = decode_frame(bytes(message.payload))
        self.received.append(frame)
        upto = self.upto.get(frame.epoch, 0)
        if frame.seq <= upto:
            self.verdicts["duplicate"] += 1
        elif frame.seq != upto + 1 and not frame.oldest:
            self.verdicts["ahead"] += 1
        else:
            self.verdicts["kept"] += 1
            self.upto[frame.epoch] = frame.seq
            if frame.seq not in self.refuse:
                self.frames.append(frame)
                if message.topic == self._backlog_topic:
                    self.backlog.append(frame)
        if self.answering:
            refused = tuple(Refusal(seq, "bad_shape") for seq in sorted(self.refuse) if seq <= self.upto[frame.epoch])
            self.say_kept(Kept(frame.epoch, self.upto.get(frame.epoch, 0), refused))


def edge_settings(data_dir: Path, plant_broker: Broker, uplink_broker: Broker, **changes: Any) -> EdgeSettings:  # noqa: ANN401 - any field of EdgeSettings
    """Return settings of ``edge-a`` with short waits."""
    values: dict[str, Any] = {
        "edge": "edge-a",
        "data_dir": data_dir,
        "plant_broker": BrokerAddress(host=plant_broker.host, port=plant_broker.port),
        "uplink_broker": BrokerAddress(host=uplink_broker.host, port=uplink_broker.port),
        "frame_max_delay_ms": 20,
        "resend_after_s": 0.5,
    }
    return EdgeSettings(**(values | changes))


@asynccontextmanager
async def running_edge(settings: EdgeSettings, plant: Plant, clock: Clock | None = None) -> AsyncIterator[EdgeHealth]:
    """Run an agent in this event loop for the duration of the context."""
    stop = asyncio.Event()
    health = EdgeHealth()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(run_edge(settings, plant, clock or SystemClock(), stop, health))
        try:
            yield health
        finally:
            stop.set()
