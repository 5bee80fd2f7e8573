"""The history on real servers: everything arrives, whatever they do, and what they refuse is named."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from config.settings import HistoryAddress
from gateway.errors import HistoryBusyError, HistoryError
from gateway.history import follower as follower_module
from gateway.history.follower import Follower, follow_once
from gateway.history.influx.client import InfluxClient
from gateway.history.influx.lines import alarm_lines, series_of, telemetry_lines
from gateway.history.influx.reader import InfluxReader
from gateway.history.influx.store import InfluxWriter
from gateway.history.influx.trail import Trail
from gateway.history.port import LogEntry
from gateway.live import Board
from gateway.records.queries import Told
from tests.support.clocks import ManualClock
from tests.support.history_contract import ALWAYS, BAD, HistoryContract, Kept, batch, everything
from tests.support.influx import Influx, Shim, Victoria
from tests.support.plants import mini_plant
from tests.support.waiting import eventually

PLANT = mini_plant()
NAMES = ["T-1.LEVEL", "T-1.TEMP", "GD-1", "TRUCK-1.SPEED", "PLAIN.PRESS", *(f"X-{number}" for number in range(5))]
T0 = 1_763_770_000_000


def tag_name(tag_id: int) -> str | None:
    return NAMES[tag_id] if 0 <= tag_id < len(NAMES) else None


class Events:
    """Alarm events in memory."""

    def __init__(self) -> None:
        self.told: list[Told] = []

    def events_after(self, event_id: int, limit: int) -> Sequence[Told]:
        return [one for one in self.told if one.event["event_id"] > event_id][:limit]


class Link:
    """A writer, a reader and the clock of both."""

    def __init__(self, address: HistoryAddress, *, position: int = 0, horizon_s: float = 60.0) -> None:
        self.clock = ManualClock()
        self.events = Events()
        self.clients = InfluxClient(address), InfluxClient(address)
        self.writer = InfluxWriter(
            client=self.clients[0],
            plant=PLANT,
            tag_name=tag_name,
            events=self.events,
            clock=self.clock,
            kept={"history": position},
            horizon_s=horizon_s,
            lines_per_s=1_000_000.0,
        )
        self.reader = InfluxReader(self.clients[1], tag_name)

    def close(self) -> None:
        for client in self.clients:
            client.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influx]:
    with Influx(tmp_path_factory.mktemp("influx")) as started:
        yield started


@pytest.fixture(scope="module")
def shim(server: Influx) -> Iterator[Shim]:
    with Shim(server) as started:
        yield started


@pytest.fixture(params=["v2", "v1"])
def link(request: pytest.FixtureRequest, server: Influx, shim: Shim) -> Iterator[Link]:
    database = f"db{request.node.name.__hash__() & 0xFFFFFFFF:x}"
    server.make(database)
    opened = Link(server.address(database) if request.param == "v1" else shim.address(database))
    yield opened
    opened.close()
    server.query(f'DROP DATABASE "{database}"')


class TestInflux(HistoryContract):
    @pytest.fixture
    def kept(self, link: Link) -> Kept:
        return Kept(link.writer, link.reader)


def test_two_samples_of_one_time_are_one_point_the_later_one(link: Link) -> None:
    link.writer.append(batch((1, 10, 1.0), (1, 10, 2.0)), 1)
    assert everything(link.reader).value.tolist() == [2.0]


def test_places_become_tags_and_odd_names_are_escaped(link: Link, server: Influx) -> None:
    link.writer.append(batch((0, T0, 3.5), (3, T0, 1.0)), 1)
    link.events.told = [told(1, "raised", basis='GB/T "50493" \\ x\ny')]
    assert not link.writer.settle()
    database = link.clients[0]._address.bucket
    (series,) = server.query("SELECT * FROM telemetry GROUP BY *", db=database, epoch="ms")["results"]
    tags = {one["tags"]["tag"]: one["tags"] for one in series["series"]}
    assert tags == {
        "TRUCK-1.SPEED": {"site": "mini", "unit": "", "vessel": "TRUCK-1", "edge": "edge-a", "tag": "TRUCK-1.SPEED"},
        "T-1.LEVEL": {"site": "mini", "unit": "meoh", "vessel": "T-1", "edge": "edge-a", "tag": "T-1.LEVEL"},
    }
    (alarms,) = server.query("SELECT * FROM alarm", db=database, epoch="ms")["results"]
    row = dict(zip(alarms["series"][0]["columns"], alarms["series"][0]["values"][0], strict=True))
    assert (row["time"], row["tag"], row["condition"], row["tier"], row["kind"]) == (
        T0,
        "T-1.LEVEL",
        "HH",
        "1",
        "raised",
    )
    assert row["basis"] == 'GB/T "50493" \\ x y'
    assert row["event_id"] == 1


def told(event_id: int, kind: str, **changes: object) -> Told:
    alarm = {
        "alarm_id": "0" * 16, "tag": "T-1.LEVEL", "condition": "HH", "tier": 1, "hazard_unit": "meoh", "vessel": "T-1",
        "vehicle": "", "edge": "edge-a", "onset_ms": T0, "delayed": False, "retrospective": False, "limit": None,
        "basis": "test", **changes,
    }  # fmt: skip
    event = {"event_id": event_id, "kind": kind, "version": event_id, "decided_ms": T0, "at_ms": T0, "value": 9.5}
    return Told(event, alarm)


def test_lines_have_no_value_where_there_is_no_number() -> None:
    rows = batch((0, 5, np.nan), (0, 6, np.inf), (0, 7, -0.0), (0, 8, 1e-300), quality=BAD)
    lines = telemetry_lines(rows, ["telemetry,tag=x"] * 4)
    assert lines == [
        "telemetry,tag=x severity=2i,reason=1i,late=false,received_ms=0i 5",
        "telemetry,tag=x severity=2i,reason=1i,late=false,received_ms=0i 6",
        "telemetry,tag=x value=-0.0,severity=2i,reason=1i,late=false,received_ms=0i 7",
        "telemetry,tag=x value=1e-300,severity=2i,reason=1i,late=false,received_ms=0i 8",
    ]
    assert series_of(PLANT, "gone, a=b") == "telemetry,site=mini,tag=gone\\,\\ a\\=b"
    assert alarm_lines("s", []) == []


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_asks_for_time_is_given_it(link: Link, shim: Shim, status: int) -> None:
    if link.clients[0]._client is None:
        pytest.skip("the scripted faults are on the v2 path")
    link.writer.append(batch((1, 10, 1.0)), 1)
    shim.faults.append((status, {"Retry-After": "7"}))
    with pytest.raises(HistoryBusyError) as raised:
        link.writer.append(batch((1, 20, 2.0)), 2)
    assert raised.value.after_s == 7.0
    assert link.writer.position() == 1


def test_what_the_server_will_never_take_is_set_aside_and_the_rest_is_stored(link: Link) -> None:
    in_the_year_11476 = 300_000_000_000_000
    good = [(tag, 10 * at, float(at)) for at in range(1, 40) for tag in (0, 1, 2)]
    bad = [(1, in_the_year_11476 + at, 1.0) for at in range(3)]
    link.writer.append(batch(*good[:50], bad[0], *good[50:90], *bad[1:], *good[90:]), 5)
    assert link.writer.position() == 5
    rejected = link.writer.rejected()
    assert [int(letter.head.split()[-1]) for letter in rejected] == [in_the_year_11476 + at for at in range(3)]
    assert {(letter.reason, letter.samples) for letter in rejected} == {("history_rejected", 1)}
    assert all(b"tag=T-1.TEMP" in letter.head and "time outside range" in letter.detail for letter in rejected)
    for tag in (0, 1, 2):
        assert len(everything(link.reader, tag).time_ms) == 39
    link.writer.recorded(3)
    assert link.writer.rejected() == ()


@pytest.mark.parametrize(
    ("change", "said"),
    [({"bucket": "nowhere"}, "make the bucket"), ({"url": "http://127.0.0.1:1"}, "Connection refused")],
)
def test_a_wrong_address_says_what_to_do(shim: Shim, change: dict[str, str], said: str) -> None:
    link = Link(shim.address().model_copy(update=change))
    with pytest.raises(HistoryError, match=said):
        link.writer.append(batch((1, 10, 1.0)), 1)
    assert link.writer.position() == 0
    link.close()


def test_after_trouble_it_goes_back_to_what_is_surely_there(link: Link, shim: Shim) -> None:
    if link.clients[0]._client is None:
        pytest.skip("the scripted faults are on the v2 path")
    for position in range(1, 6):
        link.writer.append(batch((1, 10 * position, float(position))), position)
        link.clock.advance_s(20.0)
    assert (link.writer.position(), link.writer.needless()) == (5, 3)
    assert link.writer.cursors() == {"history": 3, "history_alarms": 0}
    shim.faults.append((503, {}))
    with pytest.raises(HistoryBusyError):
        link.writer.append(batch((1, 60, 6.0)), 6)
    with pytest.raises(HistoryError, match="sent again"):
        link.writer.append(batch((1, 60, 6.0)), 6)
    assert link.writer.position() == 3
    link.writer.append(batch((1, 40, 4.0), (1, 50, 5.0), (1, 60, 6.0)), 6)
    assert everything(link.reader).value.tolist() == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]


def test_a_trail_trusts_what_is_older_than_the_horizon() -> None:
    trail = Trail(10, 5.0)
    trail.advance(11, 100.0)
    trail.advance(12, 103.0)
    assert (trail.position, trail.safe(104.9), trail.safe(105.0)) == (12, 10, 11)
    assert trail.go_back(106.0) == 1
    assert (trail.position, trail.safe(200.0)) == (11, 11), "what was taken back is not trusted later"


class Rows:
    """A log in memory: one sample a row."""

    def __init__(self, count: int) -> None:
        self.count = count

    def read_after(self, position: int, max_samples: int) -> tuple[Sequence[LogEntry], int]:
        last = min(self.count, position + min(max_samples, 500))
        return [self.entry(at) for at in range(position + 1, last + 1)], last

    @staticmethod
    def entry(at: int) -> LogEntry:
        one = np.ones(1, np.int32)
        quality, nothing = np.zeros(1, np.uint8), np.zeros(1, np.bool_)
        return LogEntry(at, T0, one, np.array([T0 + at]), np.array([float(at)]), quality, quality, nothing)


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[threading.Event]]:
    """Followers that are ended with the test."""
    monkeypatch.setattr(follower_module, "_RETRY_FIRST_S", 0.05)
    monkeypatch.setattr(follower_module, "_RETRY_LAST_S", 0.2)
    monkeypatch.setattr(follower_module, "_PAUSE_S", 0.01)
    monkeypatch.setattr(follower_module, "_IDLE_S", 0.05)
    stops: list[threading.Event] = []
    yield stops
    for stop in stops:
        stop.set()


def follow(rows: Rows, link: Link, stops: list[threading.Event]) -> tuple[Follower, Board]:
    board, stop = Board(), threading.Event()
    following = Follower(rows, link.writer, board)
    stops.append(stop)
    threading.Thread(target=following.run, args=(stop,), name="AnyIO worker thread follower", daemon=True).start()
    return following, board


@pytest.mark.parametrize("fault", ["killed", "hung"])
def test_a_server_that_was_away_has_everything_afterwards(
    tmp_path: Path, running: list[threading.Event], fault: str
) -> None:
    with Influx(tmp_path) as own:
        own.make("hazgate")
        link = Link(own.address())
        rows = Rows(3_000)
        following, board = follow(rows, link, running)
        eventually(lambda: following.position() == 3_000, 20.0)
        own.kill() if fault == "killed" else own.hang()
        rows.count = 6_000
        eventually(lambda: not board.health.history_ok, 20.0)
        assert following.needless() == 0, "nothing of it may be trimmed"
        own.start() if fault == "killed" else own.go_on()
        eventually(lambda: following.position() == 6_000 and board.health.history_ok, 30.0)
        running[0].set()
        found = link.reader.samples(1, 0, ALWAYS, 1 << 40)
        assert found.value.tolist() == [float(at) for at in range(1, 6_001)]
        link.close()


@pytest.mark.soak  # ten seconds pass before it shows anything
def test_a_server_that_acknowledges_and_forgets_is_sent_it_again(
    tmp_path: Path, running: list[threading.Event]
) -> None:
    with Victoria(tmp_path) as lossy:
        link = Link(lossy.address())
        rows = Rows(2_000)
        following, board = follow(rows, link, running)
        eventually(lambda: following.position() == 2_000, 20.0)
        lossy.kill()
        lossy.start()
        link.clock.advance_s(5.0)
        eventually(lambda: following.position() == 2_000 and board.health.history_ok, 20.0)
        eventually(lambda: lossy.count("telemetry_value") >= 2_000, 20.0, every_s=0.2)
        running[0].set()
        link.close()


def test_six_hours_of_backlog_are_caught_up_in_bounded_bites(link: Link) -> None:
    rows = Rows(21_600)
    while follow_once(rows, link.writer):
        pass
    while link.writer.position() < rows.count:
        follow_once(rows, link.writer)
    buckets = link.reader.min_max(1, T0 + 1, T0 + 21_601, 6)
    assert buckets.count.tolist() == [3_600] * 6
    assert buckets.maximum.tolist() == [3_600.0 * hour for hour in range(1, 7)]


@pytest.mark.parametrize(
    "text", ["http://x/db", "influx://host", "influx:///db", "influx://host/db?nonsense=1", "influx://host/db?api=v3"]
)
def test_an_address_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected influx://|v2|api"):
        HistoryAddress.parse(text)


def test_an_address_is_read() -> None:
    one = HistoryAddress.parse("influxs://h:9999/plant%20a?org=acme", "secret")
    assert (one.url, one.bucket, one.org, one.api) == ("https://h:9999", "plant a", "acme", "v2")
    assert one.headers() == {"Authorization": "Token secret"}
    assert "secret" not in repr(one)
    v1 = HistoryAddress.parse("influx://h/db?api=v1", "u:p")
    assert v1.headers() == {"Authorization": "Basic dTpw"}
