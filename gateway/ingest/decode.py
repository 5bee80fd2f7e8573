"""Read many messages at once: what each is, and its columns, without touching a sample twice.

An edge sends the same ``tags`` (and mostly the same ``quality``) in every frame, so those parts are kept as raw bytes
and looked up whole; only times and values are parsed number by number, in C. A property test binds this reading to
`config.contract.frame.decode_frame`, which says what a frame is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Generic, Literal, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from config.contract.alarms import LocalAlarm
from config.contract.frame import MAX_FRAME_BYTES, MAX_SAMPLES, Epoch, TimeMs, check_reasons, decode_frame
from config.contract.messages import EdgeStatus, decode, decode_point
from config.contract.quality import REASON_NAMES, Quality, Reason, pack
from config.contract.topics import EdgeTopic, Kind, is_tag_name, parse_edge_topic
from config.errors import ContractError, FrameError, TopicError
from gateway.ingest.transport import Message
from gateway.tags import Rows

__all__ = ["NO_EDGE", "Decoder", "FrameIn", "Item", "LocalAlarmIn", "PointIn", "Refused", "StatusIn"]

NO_EDGE = "?"
"""Collects in the ledger what names no edge of this plant, so that rubbish cannot make it grow."""

_TOPICS_KNOWN = 20_000
_CACHE_BYTES = 32 << 20
"""An edge that never sends the same tags twice shall not fill the memory."""
_CACHE_ENTRY_BYTES = 512
_REJECTED_BYTES = 256
_ENVELOPE = re.compile(rb'"epoch"\s*:\s*"([0-9a-f]{8,64})"\s*,\s*"seq"\s*:\s*([1-9][0-9]{0,14})\s*(?=[,}])')
_ENVELOPE_WITHIN = 512
_REQUIRED_KEYS = 8
_MAX_SMALL_BYTES = 65_536
"""Of a point or a status."""


class _Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A `config.contract.frame.Frame` whose repetitive columns are left unread."""

    schema: Literal[1]
    epoch: Epoch
    seq: Annotated[int, msgspec.Meta(ge=1, le=(1 << 53) - 1)]
    sent_ms: TimeMs
    tags: msgspec.Raw
    times_ms: list[TimeMs]
    values: list[float | None]
    quality: msgspec.Raw
    reasons: dict[str, str] = {}
    oldest: bool = False
    shed_samples: Annotated[int, msgspec.Meta(ge=0, le=(1 << 53) - 1)] = 0


@dataclass(frozen=True, slots=True)
class _Tags:
    """The ``tags`` column of a frame, looked up."""

    rows: NDArray[np.int32]
    """-1 where a tag is not one of this edge."""
    rejected: tuple[tuple[str, str], ...]
    """(tag, reason) of each -1, in order."""


V = TypeVar("V")


class _Cache(Generic[V]):
    """What raw columns mean; started afresh when it weighs too much."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, bytes], V] = {}
        self._bytes = 0
        self.get = self._known.get

    def put(self, edge: str, raw: bytes, meaning: V, extra_bytes: int = 0) -> None:
        weight = len(raw) + extra_bytes + _CACHE_ENTRY_BYTES
        if self._bytes + weight > _CACHE_BYTES:
            self._known.clear()
            self._bytes = 0
        self._known[edge, raw] = meaning
        self._bytes += weight


@dataclass(frozen=True, slots=True)
class FrameIn:
    """A frame that keeps the contract; columns of equal length."""

    message: Message
    edge: str
    epoch: str
    seq: int
    oldest: bool
    shed_samples: int
    rows: NDArray[np.int32]
    rejected: tuple[tuple[str, str], ...]
    times_ms: list[int]
    values: list[float | None]
    quality: NDArray[np.uint8]
    """Packed."""
    backlog: bool = False
    """It is what an edge could not send when it was new."""


@dataclass(frozen=True, slots=True)
class PointIn:
    """One sample of a plain sensor."""

    message: Message
    edge: str
    row: int
    time_ms: int | None
    """None: take the time of receipt."""
    value: float | None
    quality: int
    """Packed."""


@dataclass(frozen=True, slots=True)
class StatusIn:
    """An edge says how it is."""

    message: Message
    edge: str
    status: EdgeStatus


@dataclass(frozen=True, slots=True)
class LocalAlarmIn:
    """An edge says what it has noticed by itself."""

    message: Message
    edge: str
    alarm: LocalAlarm


@dataclass(frozen=True, slots=True)
class Refused:
    """A message that is set aside whole."""

    message: Message
    site: str
    edge: str
    """`NO_EDGE` when it names none of ours."""
    kind: Kind | None
    reason: str
    detail: str
    epoch: str = ""
    seq: int = 0
    """Of a broken frame whose envelope could be read: it takes its turn like any frame and counts as kept."""
    oldest: bool = False


Item = FrameIn | PointIn | StatusIn | LocalAlarmIn | Refused
"""What a message is."""


class Decoder:
    """Reads messages for one site.

    Args:
        site: The site of this gateway.
        rows: Which tag of which edge is which row.
    """

    def __init__(self, site: str, rows: Rows) -> None:
        self._site = site
        self._rows = rows
        self._envelope = msgspec.json.Decoder(_Envelope)
        self._names = msgspec.json.Decoder(list[str])
        self._severities = msgspec.json.Decoder(list[Annotated[int, msgspec.Meta(ge=0, le=2)]])
        self._topics: dict[str, EdgeTopic] = {}
        self._tags = _Cache[_Tags]()
        self._quality = _Cache[NDArray[np.uint8]]()

    def read(self, messages: Sequence[Message]) -> list[Item]:
        """Say of each message what it is, in order. Never raises for what a message contains."""
        return [self._read(message) for message in messages]

    def _read(self, message: Message) -> Item:
        try:
            topic = self._topics.get(message.topic) or self._topic(message)
        except TopicError as error:
            return Refused(message, "", NO_EDGE, None, "bad_topic", str(error))
        if topic.site != self._site:
            return Refused(message, topic.site, NO_EDGE, topic.kind, "foreign_site", f"this gateway is {self._site}")
        if not self._rows.knows_edge(topic.edge):
            return Refused(message, topic.site, NO_EDGE, topic.kind, "unknown_edge", f"no edge {topic.edge!r} here")
        try:
            return self._read_kind(message, topic)
        except FrameError as error:
            return self._refuse(message, topic, error.reason, str(error))
        except ContractError as error:
            return self._refuse(message, topic, "bad_shape", str(error))

    def _read_kind(self, message: Message, topic: EdgeTopic) -> FrameIn | PointIn | StatusIn | LocalAlarmIn:
        match topic.kind:
            case Kind.TELEMETRY | Kind.BACKLOG:
                return self._frame(message, topic.edge, backlog=topic.kind is Kind.BACKLOG)
            case Kind.POINTS:
                return self._point(message, topic)
            case Kind.STATUS:
                _check_small(message.payload)
                return StatusIn(message, topic.edge, decode(message.payload, EdgeStatus))
            case Kind.ALARMS:
                return self._local_alarm(message, topic.edge)
            case Kind.KEPT:
                raise FrameError("unexpected_kind", f"nothing is expected on {message.topic}")

    def _topic(self, message: Message) -> EdgeTopic:
        if not message.topic_ok:
            raise TopicError("not UTF-8")
        topic = parse_edge_topic(message.topic)
        if len(self._topics) >= _TOPICS_KNOWN:
            self._topics.clear()
        self._topics[message.topic] = topic
        return topic

    def _frame(self, message: Message, edge: str, *, backlog: bool) -> FrameIn:
        payload = message.payload
        if len(payload) > MAX_FRAME_BYTES:
            raise FrameError("too_large", f"{len(payload)} bytes, at most {MAX_FRAME_BYTES} are allowed")
        try:
            read = self._envelope.decode(payload)
            tags = self._look_up_tags(edge, bytes(read.tags))
            quality = self._look_up_quality(bytes(read.quality))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, FrameError) as error:
            decode_frame(payload)  # the strict reading names the reason
            raise FrameError("bad_shape", str(error)) from None
        if payload.count(b":") != _keys(read):
            decode_frame(payload)  # a key came twice, perhaps: of a column left unread only the last was seen here
        count = len(read.values)
        if not len(tags.rows) == len(read.times_ms) == count == len(quality) or not 1 <= count <= MAX_SAMPLES:
            decode_frame(payload)
            raise FrameError("bad_length", f"{count} values")
        if read.reasons:
            check_reasons(read.reasons, count)
            quality = quality.copy()
            for position, reason in read.reasons.items():
                at = int(position)
                quality[at] = pack(Quality(int(quality[at]) & 0b11), REASON_NAMES[reason])
        return FrameIn(
            message, edge, read.epoch, read.seq, read.oldest, read.shed_samples,
            tags.rows, tags.rejected, read.times_ms, read.values, quality, backlog,
        )  # fmt: skip

    def _look_up_tags(self, edge: str, raw: bytes) -> _Tags:
        known = self._tags.get((edge, raw))
        if known is not None:
            return known
        names = self._names.decode(raw)
        for name in names:
            if not is_tag_name(name):
                raise FrameError("bad_tag", f"tag {name[:140]!r} must match [A-Za-z0-9._-]{{1,128}}")
        rows = self._rows.find(edge, names)
        rejected = tuple((name, self._rows.why_not(name)) for name, row in zip(names, rows, strict=True) if row < 0)
        tags = _Tags(np.array(rows, np.int32), rejected)
        if len(names) <= MAX_SAMPLES:
            self._tags.put(edge, raw, tags, _REJECTED_BYTES * len(rejected))
        return tags

    def _look_up_quality(self, raw: bytes) -> NDArray[np.uint8]:
        known = self._quality.get(("", raw))
        if known is not None:
            return known
        quality = np.array(self._severities.decode(raw), np.uint8)
        if len(quality) <= MAX_SAMPLES:
            self._quality.put("", raw, quality)
        return quality

    def _point(self, message: Message, topic: EdgeTopic) -> PointIn:
        if not self._rows.takes_points(topic.edge):
            raise FrameError("unexpected_kind", f"edge {topic.edge!r} is an agent: it sends frames, not points")
        (row,) = self._rows.find(topic.edge, (topic.tag,))
        if row < 0:
            raise FrameError(self._rows.why_not(topic.tag), f"tag {topic.tag!r}")
        _check_small(message.payload)
        try:
            point = decode_point(message.payload)
        except ContractError:
            # The sensor is ours and speaks, but not sense: that is a bad value of this tag, and BAD_PV shall say so.
            return PointIn(message, topic.edge, row, None, None, pack(Quality.BAD, Reason.UNREADABLE))
        reason = Reason.DEVICE if point.quality else Reason.NONE
        return PointIn(message, topic.edge, row, point.time, point.value, pack(Quality(point.quality), reason))

    def _local_alarm(self, message: Message, edge: str) -> LocalAlarmIn:
        _check_small(message.payload)
        alarm = decode(message.payload, LocalAlarm)
        (row,) = self._rows.find(edge, (alarm.tag,))
        if row < 0:
            raise FrameError(self._rows.why_not(alarm.tag), f"tag {alarm.tag!r}")
        return LocalAlarmIn(message, edge, alarm)

    @staticmethod
    def _refuse(message: Message, topic: EdgeTopic, reason: str, detail: str) -> Refused:
        found = None
        if topic.kind in (Kind.TELEMETRY, Kind.BACKLOG):
            found = _ENVELOPE.search(message.payload[:_ENVELOPE_WITHIN])
        epoch, seq = (found[1].decode(), int(found[2])) if found else ("", 0)
        oldest = b'"oldest":true' in message.payload
        return Refused(message, topic.site, topic.edge, topic.kind, reason, detail, epoch, seq, oldest)


def _keys(read: _Envelope) -> int:
    """Return how many keys the JSON of a frame has that says nothing twice (and no default): as many as colons."""
    return _REQUIRED_KEYS + read.oldest + bool(read.shed_samples) + (1 + len(read.reasons) if read.reasons else 0)


def _check_small(payload: bytes) -> None:
    if len(payload) > _MAX_SMALL_BYTES:
        raise FrameError("too_large", f"{len(payload)} bytes, at most {_MAX_SMALL_BYTES} are allowed")
