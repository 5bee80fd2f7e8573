"""Records written and removed one by one, by people and machines, within what they may see."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Engine, select

from gateway.access.roles import Scope
from gateway.commands import By
from gateway.errors import ConflictError, FaultyError, NotFoundError
from gateway.records.registry_tables import FOREVER_MS, record
from gateway.records.transaction import using
from gateway.registry.checking import Row, check
from gateway.registry.faults import NOWHERE, Fault
from gateway.registry.kinds import KINDS
from gateway.registry.store import Draft, Registry, Version, seen_by

__all__ = ["Asked", "Changes"]

_LISTED: Final = 20
"""Of the records that refer to one, so many are named."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks for a change, and how it is to be taken.

    Args:
        scope: Whose things may be written.
        expected: The version that was seen; 0: there is none; None: whatever there is.
        by: In whose name.
        why: In the words of who asks.
    """

    scope: Scope
    expected: int | None
    by: By
    why: str


class Changes:
    """Writes and removes records. Any thread may use it.

    Args:
        registry: Where they are.
        reader: Cannot write.
    """

    def __init__(self, registry: Registry, reader: Engine) -> None:
        self._registry = registry
        self._reader = reader

    def put(self, kind: str, name: str, said: Mapping[str, Any], asked: Asked) -> Version:
        """Write a record as it is to be from now on; the same again is no new version.

        Raises:
            FaultyError: It makes no sense; names every fault.
            ConflictError: It is at another version.
        """
        if said.get("id", name) != name:
            raise FaultyError([Fault.at(NOWHERE, "id", said["id"], f"{name}，或不填", f"{name}, or nothing")])
        row = Row(kind, {**said, "id": name}, expected=asked.expected)
        checked = check(self._registry, asked.scope, [row], merge=False)
        if checked.faults:
            raise FaultyError(checked.faults)
        written = self._registry.write(checked.drafts, asked.by, asked.why)
        return written[0] if written else self._registry.newest([(kind, name)])[kind, name]

    def remove(self, kind: str, name: str, asked: Asked) -> Version:
        """Let a record end; its versions remain.

        Raises:
            NotFoundError: There is none that may be seen.
            FaultyError: It is not for who asks to remove it.
            ConflictError: It is at another version, or others refer to it.
        """
        there = self._registry.get(kind, name, asked.scope)
        if there is None:
            raise NotFoundError(f"there is no {kind} {name}（不存在）")
        if not asked.scope.whole and (KINDS[kind].public or not asked.scope.covers(there.enterprise, there.district)):
            raise FaultyError([Fault.at(NOWHERE, "", name, "超出数据权限范围", "something you may write")])
        refer = list(self._referring(there, asked.scope))
        if refer:
            more = "，等 and more" if len(refer) > _LISTED else ""
            named = ", ".join(f"{one_kind} {one}" for one_kind, one in refer[:_LISTED])
            raise ConflictError(
                f"{kind} {name} is referred to by {named}{more}: remove these first（被引用，不能删除）"
            )
        return self._registry.write([Draft(kind, {"id": name}, asked.expected, gone=True)], asked.by, asked.why)[0]

    def _referring(self, there: Version, scope: Scope) -> Iterator[tuple[str, str]]:
        """Yield kind and id of what refers to a record and may be seen; of each kind some, not all."""
        for kind, described in KINDS.items():
            refers = {name: of for name, of in described.refers.items() if of == there.kind}
            if kind == "document":
                refers["about"] = there.kind
            for name in refers:
                for found in self._naming(kind, name, there, scope):
                    body = found.body
                    if body.get(name) == there.id and (name != "about" or body.get("about_kind") == there.kind):
                        yield kind, found.id

    def _naming(self, kind: str, field: str, there: Version, scope: Scope) -> list[Version]:
        column = "parent" if field == KINDS[kind].parent else field
        if column in record.c:
            wanted = record.c[column] == there.id
        else:
            wanted = record.c.body.contains(f'"{field}":"{there.id}"', autoescape=True)
            if there.enterprise and field != "is_enterprise":
                wanted &= record.c.enterprise == there.enterprise
        seen = seen_by(scope, record.c.enterprise, record.c.district, public=True)
        asked = select(record.c.id).where(
            record.c.kind == kind, record.c.until_ms == FOREVER_MS, record.c.gone.is_(False), wanted, seen
        )
        with using(self._reader, "reading the registry") as connection:
            names = list(connection.scalars(asked.limit(_LISTED + 1)))
        return list(self._registry.many(kind, names, scope).values())
