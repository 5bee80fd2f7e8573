"""What an import writes is found as what is written by hand."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from sqlalchemy import select

from config.settings import RecordsAddress
from gateway.access.roles import Scope
from gateway.commands import By
from gateway.place.app import open_registry
from gateway.records.database import open_desk, open_reader, open_writer
from gateway.records.search_tables import search_due
from gateway.registry.importing import File
from gateway.registry.store import Draft
from tests.gateway.api.world import SetClock

ANN = By("ann")


def test_an_import_is_due_for_the_index(tmp_path: Path, records_address: RecordsAddress | None) -> None:
    open_writer(tmp_path, records_address).dispose()
    with ExitStack() as opened:
        desk, reader = open_desk(tmp_path, records_address), open_reader(tmp_path, records_address)
        for engine in (desk, reader):
            opened.callback(engine.dispose)
        registry, importing = open_registry(desk, reader, SetClock())
        registry.write([Draft("enterprise", {"id": "acme", "name_zh": "甲"})], ANN, "by hand")
        table = "id,name_zh,name_en\nbravo,乙,\ncharly,丙,\n".encode()
        outcome = importing.take(
            File("1" * 32, [(table, "enterprise")], Scope(), ANN, "test", dry_run=False), lambda *_: None
        )
        assert not outcome.faults
        with reader.begin() as connection:
            due = connection.execute(select(search_due.c.kind, search_due.c.id).order_by(search_due.c.seq)).all()
    assert [tuple(row) for row in due] == [("enterprise", "acme"), ("enterprise", "bravo"), ("enterprise", "charly")]
