"""One box over everything: what is typed finds what is meant, and nothing of what is somebody else's."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, delete, event, update

from config.settings import RecordsAddress
from gateway.access.roles import Scope
from gateway.commands import By
from gateway.errors import BadRequestError, ConflictError
from gateway.records.database import open_desk, open_reader, open_writer
from gateway.records.registry_tables import record
from gateway.records.search_tables import search_due, search_entry, search_posting, search_version
from gateway.registry.store import Draft, Registry
from gateway.searching import index
from gateway.searching.due import note, note_records
from gateway.searching.indexer import VERSION, Indexer
from gateway.searching.search import Search
from tests.gateway.api.world import SetClock
from tests.support.naive_search import naive_how, plain
from tests.support.plants import mini_plant
from tests.support.waiting import eventually

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


MEANT = (

    "滨海化工有限公司", "滨海", "海化工", "海", "化", "binhai", "binhaihuagong", "bhhg", "bh", "hgyx", "huag",
    "binhaih", "binhhg", "滨hai", "b海hua", "BINHAI", "ｂｉｎｈａｉ", "bin hai", "Binhai Chem", "chemical", "mica",
    "91350100M000100Y43", "91350100m", "M000100", "ent-1", "ENT", " 滨海 ", "滨\u200b海", "\u200f滨海",
)  # fmt: skip


def test_an_enterprise_is_found_by_whatever_people_type(library: Library) -> None:
    library.put("enterprise", "ent-1", **BINHAI)
    library.put("enterprise", "other", name_zh="宁波石油")
    assert {typed: library.found(typed) for typed in MEANT} == {typed: ["enterprise/ent-1"] for typed in MEANT}


def test_what_is_not_meant_is_not_found(library: Library) -> None:
    library.put("enterprise", "ent-1", **BINHAI, phone="13800000000", address="福建")
    for typed in ("ningbo huagong", "bhhx", "binhuai", "滨化", "海滨", "91350100M000100Y44", "13800000000", "福建"):
        assert library.found(typed) == [], typed


def test_a_substance_is_found_by_cas_un_and_aliases(library: Library) -> None:
    library.put("chemical", "7782-50-5", name_zh="氯", name_en="chlorine", un=["1017"], aliases=["氯气", "液氯"])
    library.put("chemical", "67-56-1", name_zh="甲醇", un=["1230"])
    for typed in ("7782-50-5", "7782", "1017", "氯气", "yelv", "chlor"):
        assert library.found(typed) == ["chemical/7782-50-5"], typed


def test_a_character_is_found_by_the_readings_it_is_known_for(library: Library) -> None:
    library.put("enterprise", "e", name_zh="重庆银行绿色车间")
    for typed in ("chongqing", "zhongqing", "cqyh", "cqyx", "lvse", "luse"):
        assert library.found(typed) == ["enterprise/e"], typed


def test_the_best_comes_first(library: Library) -> None:
    library.put("site", "s-1", name_zh="滨海", enterprise="e")
    library.put("site", "s-2", name_zh="滨海化工一厂", enterprise="e")
    library.put("site", "s-3", name_zh="滨海北厂", enterprise="e")
    library.put("site", "s-4", name_zh="福州滨海厂", enterprise="e")
    library.put("site", "s-5", name_zh="斌海厂", enterprise="e")
    assert library.found("滨海") == ["site/s-1", "site/s-3", "site/s-2", "site/s-4"]
    assert library.found("binhai")[-1] == "site/s-2"
    library.put("vessel", "binhai", name_zh="罐", enterprise="e", shape="sphere")
    assert library.found("binhai")[0] == "vessel/binhai", "an exact code goes before every name"
    (group,) = library.search.find("滨海", ALL, limit=2).groups
    assert (len(group.hits), group.more) == (2, True)


SEEN = (
    ("海化", "name_zh", "海化"), ("haihua", "name_zh", "海化"), ("hh", "name_zh", "海化"),
    ("bhhg", "name_zh", "滨·海化工"),    ("gongchang", "name_zh", "工 厂"),
    ("chem", "name_en", "Ｃhem"), ("m000", "uscc", "M000"), ("b2", "id", "b2"),
)  # fmt: skip


def test_it_says_where_one_sees_it(library: Library) -> None:
    library.put("enterprise", "b2-x", name_zh="滨·海化工 厂", name_en="Binhai Ｃhem", uscc="91350100M000100Y43")
    for typed, field, fits in SEEN:
        why = library.search.find(typed, ALL).groups[0].hits[0].why
        assert (why.field, why.text[why.begin : why.end]) == (field, fits)


def test_what_is_written_is_found_when_it_was_taken_up_and_under_its_old_name_no_more(library: Library) -> None:
    library.put("site", "north", name_zh="北厂", enterprise="e")
    assert library.found("北厂") == ["site/north"]
    library.registry.write([Draft("site", {"id": "north", "name_zh": "南厂", "enterprise": "e"})], ANN, "moved")
    assert library.search.find("南厂", ALL).behind == 1
    library.take_up()
    assert (library.found("南厂"), library.found("北厂"), library.found("beichang")) == (["site/north"], [], [])
    assert library.search.find("南厂", ALL).behind == 0
    library.registry.write([Draft("site", {"id": "north"}, gone=True)], ANN, "sold")
    library.take_up()
    assert library.found("南厂") == []


def test_what_was_refused_is_not_noted(library: Library) -> None:
    library.take_up()
    with pytest.raises(ConflictError):
        library.registry.write([Draft("site", {"id": "north", "enterprise": "e"}, expected=3)], ANN, "test")
    assert library.search.find("north", ALL).behind == 0


def test_an_index_of_another_version_is_made_anew(library: Library) -> None:
    library.put("site", "north", name_zh="北厂", enterprise="e")
    with library.desk.begin() as connection:
        connection.execute(update(search_version).values(version=VERSION - 1))
        connection.execute(delete(search_posting))
    assert library.found("北厂") == []
    library.take_up()
    assert library.found("北厂") == ["site/north"]


def test_many_are_taken_up_turn_by_turn_and_all_are_found(library: Library) -> None:
    drafts = [
        Draft("tag", {"id": f"T{number:04}", "name_zh": f"{number}号罐液位", "enterprise": "e"})
        for number in range(1200)
    ]
    library.registry.write(drafts, ANN, "many")
    library.indexer.begin()
    turns = 1
    while library.indexer.turn():
        turns += 1
    assert turns > 3
    assert library.found("t1199") == ["tag/T1199"]
    assert library.found("1199haoguan") == ["tag/T1199"]
    (group,) = library.search.find("yewei", ALL, limit=50).groups
    assert (len(group.hits), group.more) == (50, True)
    few = library.search.find("液位", Scope(frozenset({"e"})), limit=50).groups[0]
    assert (len(few.hits), few.more) == (50, True)


def test_nothing_to_search_for_is_said_to_be(library: Library) -> None:
    for typed in ("", " ", "\t\n", "\x00", "\u200b\u200f", "·", "\u3000"):
        with pytest.raises(BadRequestError, match="nothing to search for"):
            library.search.find(typed, ALL)


def test_rubbish_finds_nothing(library: Library) -> None:
    library.put("site", "north", name_zh="北厂", enterprise="e")
    injected = ("%", "_", "*", '"', "'", "\\", "a%", "'; drop table record; --")
    for typed in (*injected, "😀", "שלום", "\x00滨", "\ud800x", "a" * 5000, "滨" * 999):
        assert library.found(typed) == [], typed


@pytest.mark.parametrize("few", [2000, -1])
def test_who_sees_a_part_finds_nothing_of_the_rest(library: Library, monkeypatch: pytest.MonkeyPatch, few: int) -> None:
    monkeypatch.setattr(index, "_FEW", few)
    library.put("enterprise", "alpha", name_zh="甲石油")
    library.put("enterprise", "bravo", name_zh="乙化工", uscc="91350100M000100Y43", district="town-2")
    library.put("vessel", "bravo-t1", name_zh="1号罐", enterprise="bravo", district="town-2", shape="sphere")
    library.put("chemical", "67-56-1", name_zh="甲醇")
    library.put("resource", "foam", name_zh="泡沫车")
    mine = Scope(frozenset({"alpha"}))
    for typed in ("乙化工", "yihuagong", "yhg", "bravo", "BRAVO-T1", "91350100M000100Y43", "化", "罐", "hg", "b"):
        assert library.found(typed, mine) == [], typed
        assert library.found(typed, Scope(districts=frozenset({"town-2"}))), "it is there for who may see it"
        assert library.found(typed)
    assert library.found("甲", mine) == ["enterprise/alpha", "chemical/67-56-1"]
    assert library.found("pmc", mine) == ["resource/foam"]
    moved = {"id": "alpha", "name_zh": "甲石油", "district": "town-2"}
    library.registry.write([Draft("enterprise", moved)], ANN, "moved")
    library.take_up()
    assert library.found("shiyou", Scope(districts=frozenset({"town-2"}))) == ["enterprise/alpha"]


def test_who_sees_few_things_asks_for_nothing_that_others_things_are_in(library: Library) -> None:
    library.put("enterprise", "acme", name_zh="甲石油")
    library.put("enterprise", "bravo", name_zh="乙化工")
    asked: list[str] = []
    event.listen(library.reader, "before_cursor_execute", lambda *told: asked.append(f"{told[2]} {told[3]}"))
    library.found("乙化工", Scope(frozenset({"acme"})))
    postings = [one for one in asked if "search_posting" in one]
    assert len(postings) == 1, "of what is theirs and everybody's; of no text"


def test_the_thread_takes_up_what_is_noted_and_ends(library: Library) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=library.indexer.run, args=(stop,))
    thread.start()
    library.registry.write([Draft("site", {"id": "north", "name_zh": "北厂"})], ANN, "test")
    eventually(lambda: library.found("北厂") == ["site/north"], 10)
    stop.set()
    thread.join(10)
    assert not thread.is_alive()


def test_a_kind_that_is_no_more_is_let_go(library: Library) -> None:
    with library.desk.begin() as connection:
        note(connection, "kind-of-an-earlier-release", ["x"])
        note(connection, "site", [])
    library.put("site", "north", name_zh="北厂")
    found = library.search.find("北厂", ALL)
    assert (found.behind, [group.kind for group in found.groups]) == (0, ["site"])


LETTERS = st.sampled_from("滨海化工长重庆行绿罐1号Ta2b nh·Ｃ")
TYPED = st.one_of(
    st.text(LETTERS, min_size=1, max_size=4),
    st.text(st.sampled_from("binhaugcoqlvz 1海"), min_size=1, max_size=8),
    st.sampled_from(["binhai", "bhhg", "changqing", "hang", "zhongqingxing", "hgbh", "1haoguan"]),
)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """One library for many examples."""
    yield from make_library(tmp_path_factory.mktemp("shelf"), None)


@given(
    names=st.lists(st.text(LETTERS, min_size=1, max_size=8), min_size=1, max_size=12), typed=st.lists(TYPED, max_size=8)
)
@example(names=["滨海化工"], typed=["b", "工"])
@settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))
def test_it_finds_what_its_slow_twin_finds(names: list[str], typed: list[str], shelf: Library) -> None:
    with shelf.desk.begin() as connection:
        for table in (record, search_due, search_entry, search_posting):
            connection.execute(delete(table))
    drafts = [Draft("site", {"id": f"X{number}Y", "name_zh": name}) for number, name in enumerate(names)]
    shelf.registry.write(drafts, ANN, "test")
    shelf.take_up()
    for one in [one for one in typed if plain(one)]:
        hits = [hit for group in shelf.search.find(one, ALL, ["site"], limit=50).groups for hit in group.hits]
        found = {hit.id: int(hit.found.how) for hit in hits}
        slow = {f"X{number}Y": naive_how([f"X{number}Y", name], one) for number, name in enumerate(names)}
        assert found == {name: how for name, how in slow.items() if how is not None}, one
