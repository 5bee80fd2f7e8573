"""What can be found: a source for each kind of thing, in one table. A new kind of thing is a line in `SOURCES`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec
from sqlalchemy import Connection, Select, select

from config.plant.model import Text
from gateway.records.danger_tables import danger
from gateway.records.registry_tables import FOREVER_MS, record
from gateway.registry.kinds import KINDS
from gateway.searching.folding import composed
from gateway.searching.matching import Entry

__all__ = ["SOURCES", "Source"]

_NAMED_BY = ("id", "uscc", "cas", "un", "number", "name_zh", "name_en", "aliases")
"""Fields of registry records by which they are found. No phone, no address: they are not names."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where things of a kind come from.

    Args:
        title: What such things are called.
        path: Where the API shows one; ``{id}`` stands for its id.
        read: Returns those of some ids that there are.
        ids: Selects the ids of all there are.
    """

    title: Text
    path: str
    read: Callable[[Connection, Sequence[str]], list[Entry]]
    ids: Select[tuple[str]]


def _read_records(kind: str, connection: Connection, ids: Sequence[str]) -> list[Entry]:
    asked = _now(select(record), kind).where(record.c.id.in_(ids))
    return [_of_record(dict(row)) for row in connection.execute(asked).mappings()]


def _now(asked: Select[Any], kind: str) -> Select[Any]:
    return asked.where(record.c.kind == kind, record.c.until_ms == FOREVER_MS, record.c.gone.is_(False))


def _of_record(row: Mapping[str, Any]) -> Entry:
    body = msgspec.json.decode(row["body"])
    said = ((field, body.get(field)) for field in _NAMED_BY)
    named = tuple((field, composed(text)) for field, value in said for text in _texts(value))
    return Entry(
        kind=row["kind"],
        id=row["id"],
        enterprise=row["enterprise"],
        district=row["district"],
        public=KINDS[row["kind"]].public or not row["enterprise"],
        title_zh=body.get("name_zh") or row["id"],
        title_en=body.get("name_en") or "",
        fields=named,
    )


def _texts(value: object) -> Iterable[str]:
    if isinstance(value, str):
        return (value,) if value else ()
    return tuple(one for one in value if isinstance(one, str) and one) if isinstance(value, list | tuple) else ()


def _read_dangers(connection: Connection, ids: Sequence[str]) -> list[Entry]:
    columns = danger.c.id, danger.c.title, danger.c.enterprise, danger.c.district
    return [
        Entry(
            kind="danger",
            id=row.id,
            enterprise=row.enterprise,
            district=row.district,
            public=False,
            title_zh=row.title,
            title_en="",
            fields=(("id", row.id), ("title", composed(row.title))),
        )
        for row in connection.execute(select(*columns).where(danger.c.id.in_(ids)))
    ]


SOURCES: Mapping[str, Source] = {
    kind: Source(
        one.title, f"/api/v1/registry/{kind}/{{id}}", partial(_read_records, kind), _now(select(record.c.id), kind)
    )
    for kind, one in KINDS.items()
} | {
    "danger": Source(Text("隐患", "hidden danger"), "/api/v1/hidden-dangers/{id}", _read_dangers, select(danger.c.id)),
}
"""By kind; in the order in which what fits equally well is listed."""
