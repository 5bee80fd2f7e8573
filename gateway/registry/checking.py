"""Whether rows may become records: filled in from what they belong to, checked one by one and against each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from gateway.access.roles import Scope
from gateway.registry.faults import NOWHERE, Fault, Spot, faults_of
from gateway.registry.kinds import KINDS
from gateway.registry.store import Draft, Registry, Version

__all__ = ["Checked", "Row", "check"]

_SEPARATORS = ".-"
_LEVELS = {"city": 0, "district": 1, "town": 2}
_ORDER = {kind: number for number, kind in enumerate(KINDS)}


@dataclass(frozen=True, slots=True)
class Row:
    """What somebody wants a record to be."""

    kind: str
    said: Mapping[str, Any]
    """With ``id``."""
    spot: Spot = NOWHERE
    expected: int | None = None
    """See `gateway.registry.store.Draft`."""


@dataclass(slots=True)
class Checked:
    """What came of it."""

    drafts: list[Draft] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    before: Mapping[tuple[str, str], Version] = field(default_factory=dict)
    """What there is of these records, seen or hidden."""


def check(registry: Registry, scope: Scope, rows: Sequence[Row], *, merge: bool) -> Checked:
    """Check rows; they may refer to each other in any order.

    Args:
        registry: What there is.
        scope: Whose things may be seen and written.
        rows: Each with a kind of `KINDS` and a text as ``id``.
        merge: What a row does not say stays as it is; else it is left to the model.
    """
    return _Check(registry, scope, rows, merge=merge).run()


@dataclass(slots=True)
class _Whose:
    """Whose something is, and where, as far as is known."""

    enterprise: str
    district: str


class _Check:
    def __init__(self, registry: Registry, scope: Scope, rows: Sequence[Row], *, merge: bool) -> None:
        self._registry = registry
        self._scope = scope
        self._rows = sorted(rows, key=lambda row: _ORDER[row.kind])
        self._out = Checked(before=registry.newest((row.kind, row.said["id"]) for row in rows))
        self._said = [self._merged(row) if merge else dict(row.said) for row in self._rows]
        self._batch = {(row.kind, said["id"]): said for row, said in zip(self._rows, self._said, strict=True)}
        self._there = self._referred()
        self._owners = self._enterprises()

    def run(self) -> Checked:
        seen: set[tuple[str, str]] = set()
        for row, said in zip(self._rows, self._said, strict=True):
            key = row.kind, said["id"]
            if key in seen:
                self._fault(row, "id", said["id"], "同一编号只能出现一次", "each id once")
                continue
            seen.add(key)
            self._fill(row, said)
            faults = len(self._out.faults)
            body = self._modelled(row, said)
            if body is not None:
                if body != self._shown(row):  # who reads something in and changes nothing is asked nothing
                    self._refers(row, body)
                    self._may(row, body)
                if len(self._out.faults) == faults:
                    self._out.drafts.append(Draft(row.kind, body, row.expected))
        self._levels()
        self._nested()
        return self._out

    def _fault(self, row: Row, column: str, found: object, zh: str, en: str) -> None:
        self._out.faults.append(Fault.at(row.spot, column, found, zh, en))

    # --- what is known --------------------------------------------------------------------------------------------

    def _merged(self, row: Row) -> dict[str, Any]:
        return {**self._shown(row), **row.said}

    def _shown(self, row: Row) -> Mapping[str, Any]:
        """Return what there is of a record, as far as it may be seen."""
        before = self._out.before.get((row.kind, row.said["id"]))
        return {} if before is None or before.gone or not self._sees(before) else before.body

    def _sees(self, version: Version) -> bool:
        return KINDS[version.kind].public or not version.enterprise or self._covers(version)

    def _covers(self, version: Version) -> bool:
        return self._scope.covers(version.enterprise, version.district)

    def _referred(self) -> dict[tuple[str, str], Version]:
        """Return what the registry has of what rows refer to, as far as it may be seen."""
        wanted: dict[str, set[str]] = {}
        for row, said in zip(self._rows, self._said, strict=True):
            for name, kind in _references(row.kind, said):
                target = said.get(name)
                if isinstance(target, str) and target and (kind, target) not in self._batch:
                    wanted.setdefault(kind, set()).add(target)
        found = {
            (kind, name): version
            for kind, names in wanted.items()
            for name, version in self._registry.many(kind, names, self._scope).items()
        }
        # What a row leaves out it takes from these: their enterprises, and the districts of both.
        for kind in ("enterprise", "district"):
            names = {getattr(one, kind) for one in found.values()} - {name for of, name in found if of == kind}
            more = self._registry.many(kind, names, self._scope)
            found |= {(kind, name): version for name, version in more.items()}
        return found

    def _enterprises(self) -> frozenset[str]:
        """Return the enterprises with whose ids the ids of new records begin."""
        if not self._scope.whole:
            return frozenset()
        begins = {begin for row in self._new() for begin in _beginnings(row.said["id"])}
        there = self._registry.many("enterprise", begins, self._scope)
        return frozenset(there) | {name for kind, name in self._batch if kind == "enterprise" and name in begins}

    def _new(self) -> Iterator[Row]:
        for row in self._rows:
            if not KINDS[row.kind].public and (row.kind, row.said["id"]) not in self._out.before:
                yield row

    def _whose(self, kind: str, name: object) -> _Whose | None:
        """Return whose a thing is that is referred to; None: there is none that may be seen."""
        said = self._batch.get((kind, str(name)))
        if said is not None:
            enterprise = name if kind == "enterprise" else said.get("enterprise", "")
            return _Whose(str(enterprise or ""), str(said.get("district") or ""))
        version = self._there.get((kind, str(name)))
        return None if version is None else _Whose(version.enterprise, version.district)

    # --- one row --------------------------------------------------------------------------------------------------

    def _fill(self, row: Row, said: dict[str, Any]) -> None:
        """Take enterprise and district from what the row is part of, where it does not say them."""
        fields = KINDS[row.kind].model.model_fields
        for name in ("enterprise", "district"):
            if name not in fields or said.get(name) or row.kind == "enterprise" or self._shown(row).get(name) == "":
                continue
            for other, kind in _references(row.kind, said):
                if other in ("district", "is_enterprise") or not said.get(other):
                    continue
                whose = self._whose(kind, said[other])
                if whose is not None and getattr(whose, name):
                    said[name] = getattr(whose, name)
                    break

    def _modelled(self, row: Row, said: Mapping[str, Any]) -> dict[str, Any] | None:
        try:
            return KINDS[row.kind].model.model_validate(said).model_dump(mode="json")
        except ValidationError as error:
            self._out.faults += faults_of(error, row.spot)
            return None

    def _refers(self, row: Row, body: Mapping[str, Any]) -> None:
        """Check that what is referred to exists, and is the same enterprise's."""
        shown = self._shown(row)
        about = body.get("about_kind", "")
        if about and about not in KINDS:
            self._fault(row, "about_kind", about, f"应为其中之一：{'、'.join(KINDS)}", f"one of {', '.join(KINDS)}")
        for name, kind in _references(row.kind, body):
            target = body[name]
            if not target or (target == shown.get(name) and body.get("enterprise") == shown.get("enterprise")):
                continue
            whose = self._whose(kind, target)
            title = KINDS[kind].title
            if whose is None:
                self._fault(row, name, target, f"已有{title.zh}的编号", f"the id of an existing {title.en}")
            elif name not in ("enterprise", "district", "is_enterprise") and not KINDS[kind].public:
                own = body.get("enterprise", "")
                if whose.enterprise != own and whose.enterprise:
                    self._fault(row, name, target, f"企业 {own or '（无）'} 的{title.zh}", f"one of enterprise {own}")

    def _may(self, row: Row, body: Mapping[str, Any]) -> None:
        """Check that who asks may write it, and that its id tells nothing of others' ids."""
        name, kind = body["id"], KINDS[row.kind]
        own = name if row.kind == "enterprise" else body.get("enterprise", "")
        before = self._out.before.get((row.kind, name))
        if self._scope.whole:
            if before is None and own and not kind.public:
                self._begins_like_anothers(row, name, own)
            return
        if kind.public:
            self._fault(row, "", row.kind, "只有可见全部数据的账号可写", "written by who sees everything only")
            return
        if not self._scope.covers(own, body.get("district", "")):
            column = "id" if row.kind == "enterprise" else "enterprise"
            self._fault(row, column, own, "数据权限范围内的企业", "an enterprise you may see")
        elif not (before and self._covers(before)) and (
            before or row.kind == "enterprise" or not name.startswith((f"{own}.", f"{own}-"))
        ):
            self._fault(row, "id", name, f"以 {own}. 或 {own}- 开头", f"an id that begins with {own}. or {own}-")

    def _begins_like_anothers(self, row: Row, name: str, own: str) -> None:
        for begin in _beginnings(name):
            if begin in self._owners and begin != own:
                self._fault(
                    row,
                    "id",
                    name,
                    f"以 {begin} 开头的编号归企业 {begin}",
                    f"ids that begin so are enterprise {begin}'s",
                )

    # --- all rows -------------------------------------------------------------------------------------------------

    def _levels(self) -> None:
        """Check that each district is part of one a level above, and none of itself."""
        mine = {row.said["id"]: row for row in self._rows if row.kind == "district"}
        if not mine:
            return
        tree: dict[str, tuple[str, str]] = {}
        after = ""
        while page := self._registry.find("district", Scope(), after=after):
            tree |= {one.id: (one.parent, str(one.body.get("level"))) for one in page}
            after = page[-1].id
        tree |= {
            name: (str(said.get("parent") or ""), str(said.get("level")))
            for (kind, name), said in self._batch.items()
            if kind == "district"
        }
        for name, (parent, level) in tree.items():
            if (name in mine or parent in mine) and parent in tree:
                above = tree[parent][1]
                if _LEVELS.get(above, 0) >= _LEVELS.get(level, 9):
                    row = mine.get(name) or mine[parent]
                    words = f"{name} ({level}) < {parent} ({above})"
                    self._fault(
                        row,
                        "parent",
                        words,
                        "上级须高一级：市、区县、乡镇街道",
                        "part of a higher level: city, district, town",
                    )

    def _nested(self) -> None:
        """Check that no new enterprise's id is how ids of somebody else's records begin already."""
        new = {row.said["id"]: row for row in self._new() if row.kind == "enterprise"}
        if not new:
            return
        taken = {
            begin
            for name, enterprise in self._registry.owners()
            for begin in _beginnings(name)
            if begin in new and begin != enterprise
        }
        for begin in sorted(taken):
            self._fault(
                new[begin], "id", begin, "不与其他企业的编号开头相同", "not how ids of another enterprise begin"
            )


def _beginnings(name: str) -> Iterator[str]:
    """Yield what stands before each separator of an id."""
    for at, character in enumerate(name):
        if character in _SEPARATORS and at:
            yield name[:at]


def _references(kind: str, said: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the fields of a row that name other records, and of which kind; what it is part of comes first."""
    described = KINDS[kind]
    refers = dict(described.refers)
    about = said.get("about_kind")
    if kind == "document" and isinstance(about, str) and about in KINDS:
        refers["about"] = about
    first = described.parent
    if first in refers:
        yield first, refers[first]
    for name, of in refers.items():
        if name not in (first, "enterprise", "district"):
            yield name, of
    for name in ("enterprise", "district"):
        if name in refers:
            yield name, refers[name]
