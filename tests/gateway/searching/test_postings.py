"""Sets of entries: what was added is in them, whatever shape they are kept in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, delete, insert, select

from gateway.records.database import open_writer
from gateway.records.search_tables import search_entry, search_posting
from gateway.searching.postings import BLOCK, Postings, add, docs_in

LAST = 2 * BLOCK + 100


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = open_writer(tmp_path_factory.mktemp("postings"))
    texts = dict.fromkeys(("kind", "id", "enterprise", "district", "title_zh", "title_en"), "")
    row = {**texts, "doc": LAST, "public": True, "fields": "[]", "lines": "", "sounds": ""}
    with engine.begin() as connection:
        connection.execute(insert(search_entry), [row])
    yield engine
    engine.dispose()


SPANS = st.tuples(st.integers(0, LAST), st.integers(1, 1500), st.sampled_from([1, 1, 2, 7]), st.integers(0, 2))


@given(turns=st.lists(st.lists(SPANS, min_size=1, max_size=3), min_size=1, max_size=4))
@settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))
def test_what_was_added_is_there_and_nothing_else(engine: Engine, turns: list[list[tuple[int, int, int, int]]]) -> None:
    model: dict[int, set[int]] = {0: set(), 1: set(), 2: set()}
    with engine.begin() as connection:
        connection.execute(delete(search_posting))
        for turn in turns:
            tokens: dict[int, set[int]] = {}
            for begin, count, step, token in turn:
                for doc in range(begin, min(begin + count * step, LAST + 1), step):
                    tokens.setdefault(doc, set()).add(token)
                    model[token].add(doc)
            add(connection, tokens)
        postings = Postings(connection)
        postings.load((0, 1))
        postings.load((0, 2, 3))
        assert [docs_in(postings.of(token), LAST + 1) for token in (0, 1, 2, 3)] == [*map(sorted, model.values()), []]
        both, any_of = postings.all_of((0, 1)), postings.any_of((0, 2, 3))
        assert docs_in(both, LAST + 1) == sorted(model[0] & model[1])
        assert docs_in(any_of, LAST + 1) == sorted(model[0] | model[2])
        assert docs_in(any_of, 3) == sorted(model[0] | model[2])[:3]
        longest = max(map(len, connection.scalars(select(search_posting.c.docs))))
        assert longest <= BLOCK // 8
