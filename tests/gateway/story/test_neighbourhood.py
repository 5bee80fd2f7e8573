"""What the records say around an alarm, on every database, however many alarms there are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, insert

from config.settings import RecordsAddress
from gateway.records.database import open_reader, open_writer
from gateway.records.schema import alarm, alarm_event, tag
from gateway.story.neighbourhood import Neighbourhood

T0 = 1_800_000_000_000
HOUR_MS = 3_600_000


@pytest.fixture
def stores(tmp_path: Path, records_address: RecordsAddress | None) -> Iterator[tuple[Engine, Neighbourhood]]:
    writer = open_writer(tmp_path, records_address)
    reader = open_reader(tmp_path, records_address)
    yield writer, Neighbourhood(reader)
    reader.dispose()
    writer.dispose()


def _row(name: str, **more: object) -> dict[str, Any]:
    return {
        "alarm_id": name, "tag": "A", "condition": "H", "tier": 2, "state": "active", "hazard_unit": "u", "vessel": "",
        "vehicle": "", "edge": "e", "onset_ms": T0, "raised_ms": T0, "cleared_ms": None, "received_ms": T0,
        "decided_ms": T0, "value": 1.0, "limit": 1.0, "deadband": 0.0, "on_delay_ms": 0, "quality": 0, "basis": "",
        "delayed": False, "version": 1, "sequence": 1, **more,
    }  # fmt: skip


def _keep(writer: Engine, *rows: dict[str, Any]) -> None:
    with writer.begin() as connection:
        connection.execute(insert(alarm), list(rows))


def test_open_ones_whenever_and_others_near_in_time(stores: tuple[Engine, Neighbourhood]) -> None:
    writer, here = stores
    mine = _row("mine")
    _keep(
        writer,
        mine,
        _row("stands", raised_ms=T0 - 100 * HOUR_MS),
        _row("latched", state="latched"),
        _row("just-over", state="cleared", raised_ms=T0 - HOUR_MS),
        _row("long-over", state="cleared", raised_ms=T0 - HOUR_MS - 1),
        _row("later", state="cleared", raised_ms=T0 + HOUR_MS),
        _row("elsewhere", hazard_unit="v"),
        _row("truck", hazard_unit="", tag="B"),
    )
    around = here.around(mine, "u", (), HOUR_MS)
    assert {row["alarm_id"] for row in around.rows} == {"mine", "stands", "latched", "just-over", "later"}
    assert around.open == 3
    assert {row["alarm_id"] for row in here.around(mine, "", ("B",), HOUR_MS).rows} == {"truck"}


def test_what_came_first_is_among_them_however_many_came(stores: tuple[Engine, Neighbourhood]) -> None:
    writer, here = stores
    _keep(writer, *(_row(f"a{n}", raised_ms=T0 + n, tag=f"T{n}") for n in range(300)))
    around = here.around(_row("a299", raised_ms=T0 + 299), "u", (), HOUR_MS)
    assert min(around.rows, key=lambda row: row["raised_ms"])["alarm_id"] == "a0"
    assert len(around.rows) < 40, "not all are read"
    assert around.open == 300


def test_alarms_like_one_are_counted_up_to_a_bound(stores: tuple[Engine, Neighbourhood]) -> None:
    writer, here = stores
    _keep(
        writer,
        *(_row(f"a{n}", raised_ms=T0 - n * 1000, state="cleared") for n in range(30)),
        _row("other", condition="HH"),
        _row("other-tag", tag="B"),
    )
    times, earlier = here.like(_row("a0"), 10_000, 100)
    assert times == 11
    assert [row["alarm_id"] for row in earlier] == ["a1", "a2", "a3", "a4", "a5"]
    assert here.like(_row("a0"), HOUR_MS, 20)[0] == 21


def test_the_latest_events_oldest_first_and_numbers_of_tags(stores: tuple[Engine, Neighbourhood]) -> None:
    writer, here = stores
    event = {
        "alarm_id": "a",
        "version": 1,
        "at_ms": T0,
        "received_ms": T0,
        "decided_ms": T0,
        "value": None,
        "quality": 0,
    }
    with writer.begin() as connection:
        connection.execute(
            insert(alarm_event), [{**event, "event_id": n, "kind": "commented", "position": n} for n in range(1, 61)]
        )
        connection.execute(insert(tag), [{"tag_id": 0, "name": "A"}, {"tag_id": 1, "name": "B"}])
    assert [row["event_id"] for row in here.events("a", 50)] == list(range(11, 61))
    assert here.tag_ids(["B", "gone"]) == {"B": 1}
    assert here.tag_ids([]) == {}
