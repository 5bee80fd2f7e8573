"""One box over everything: what is typed finds what is meant, and nothing of what is somebody else's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import Engine

from config.settings import RecordsAddress
from gateway.access.roles import Scope
from gateway.commands import By
from gateway.records.database import open_desk, open_reader, open_writer
from gateway.registry.store import Draft, Registry
from gateway.searching.indexer import Indexer, note_records
from gateway.searching.search import Search
from tests.gateway.api.world import SetClock
from tests.support.plants import mini_plant

ALL = Scope()
ANN = By("ann", "10.0.0.1")


@dataclass
class Library:
    """A registry whose records can be found."""

    registry: Registry
    indexer: Indexer
    search: Search
    desk: Engine
    reader: Engine

    def put(self, kind: str, name: str, **fields: object) -> None:
        self.registry.write([Draft(kind, {"id": name, "name_zh": name, **fields})], ANN, "test")
        self.take_up()

    def take_up(self) -> None:
        self.indexer.begin()
        while self.indexer.turn():
            pass

    def found(self, typed: str, scope: Scope = ALL, *kinds: str, limit: int = 10) -> list[str]:
        groups = self.search.find(typed, scope, kinds, limit).groups
        return [f"{one.kind}/{one.id}" for group in groups for one in group.hits]


def make_library(folder: Path, address: RecordsAddress | None) -> Iterator[Library]:
    open_writer(folder, address).dispose()
    desk, reader = open_desk(folder, address), open_reader(folder, address)
    registry = Registry(desk, reader, SetClock(), on_written=note_records)
    yield Library(registry, Indexer(desk, reader), Search(reader, mini_plant()), desk, reader)
    desk.dispose()
    reader.dispose()


@pytest.fixture
def library(tmp_path: Path, records_address: RecordsAddress | None) -> Iterator[Library]:
    yield from make_library(tmp_path, records_address)


BINHAI = {"name_zh": "滨海化工有限公司", "name_en": "Binhai Chemical", "uscc": "91350100M000100Y43"}


@pytest.mark.parametrize(
    "typed",
    [
        "滨海化工有限公司", "滨海", "海化工", "海", "化", "binhai", "binhaihuagong", "bhhg", "bh", "hgyx", "huag",
        "binhaih", "binhhg", "滨hai", "b海hua", "BINHAI", "ｂｉｎｈａｉ", "bin hai", "Binhai Chem", "chemical", "mica",
        "91350100M000100Y43", "91350100m", "M000100", "ent-1", "ENT", " 滨海 ", "滨\u200b海", "\u200f滨海",
    ],
)  # fmt: skip
def test_an_enterprise_is_found_by_whatever_people_type(library: Library, typed: str) -> None:
    library.put("enterprise", "ent-1", **BINHAI)
    library.put("enterprise", "other", name_zh="宁波石油")
    assert library.found(typed) == ["enterprise/ent-1"]
