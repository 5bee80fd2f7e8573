"""A file taken into the registry: read, checked, compared, and written whole or not at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import Connection

from gateway.access.roles import Scope
from gateway.commands import By
from gateway.registry.bulk import Bulk, Move
from gateway.registry.checking import Checked, check
from gateway.registry.differing import changes_between
from gateway.registry.faults import Fault
from gateway.registry.kinds import KINDS
from gateway.registry.reading import Reading, is_workbook, read_table, read_workbook
from gateway.registry.store import Draft, Registry

__all__ = ["MACHINES", "File", "Importing", "Outcome", "Say"]

_FAULTS: Final = 1_000
"""Named, of all that are counted."""
_CHANGES: Final = 100
"""Shown field by field."""

_VERDICTS: Final = ("created", "changed", "unchanged")

Say = Callable[[str, int, int], None]
"""Told the stage, how many rows are done, and of how many; 0: not known yet."""


MACHINES: Final = frozenset({"plant", "file"})
"""In whose name the plant file and the files beside it speak."""


@dataclass(frozen=True, slots=True)
class File:
    """What is to be taken in.

    Args:
        id: Of the import.
        tables: Contents; each a workbook, or with its kind a table.
        scope: Whose things may be written.
        by: In whose name.
        why: In the words of who asks.
        dry_run: Nothing is written.
        yields: What a person wrote stays as it is.
    """

    id: str
    tables: Sequence[tuple[bytes, str]]
    scope: Scope
    by: By
    why: str
    dry_run: bool
    yields: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it, or would."""

    faults: tuple[Fault, ...]
    fault_count: int
    kinds: Mapping[str, Mapping[str, int]]
    """Kind -> created, changed, unchanged -> how many."""
    changes: tuple[Mapping[str, Any], ...]
    """The first records that are created or changed, field by field."""
    written: bool

    def plain(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return asdict(self)


class Importing:
    """Takes files in.

    Args:
        registry: Where to.
        bulk: Writes very many records.
    """

    def __init__(self, registry: Registry, bulk: Bulk) -> None:
        self._registry = registry
        self._bulk = bulk

    def take(self, file: File, say: Say, also: Callable[[Outcome, Connection], None] = lambda _o, _c: None) -> Outcome:
        """Take a file in.

        Args:
            file: Which.
            say: Told how far it is.
            also: Done in the transaction that writes the records.

        Raises:
            ConflictError: Somebody else changed one of the records meanwhile.
            RecordsError: The records cannot be used.
        """
        reading = self._read(file, say)
        total = len(reading.rows)
        say("checking", 0, total)
        checked = Checked()
        if reading.rows:
            checked = check(self._registry, file.scope, reading.rows, merge=True)
        faults = sorted([*reading.faults, *checked.faults], key=lambda one: (one.sheet, one.row, one.column))
        kinds, changed, shown = _compared(checked, yields=file.yields)
        outcome = Outcome(
            faults=tuple(faults[:_FAULTS]),
            fault_count=len(faults),
            kinds={kind: {verdict: counts[verdict] for verdict in _VERDICTS} for kind, counts in kinds.items()},
            changes=tuple(shown),
            written=bool(changed) and not faults and not file.dry_run,
        )
        if outcome.written:
            say("writing", 0, len(changed))
            digest = sha256(b"".join(content for content, _ in file.tables)).hexdigest()
            move = Move(file.id, file.by, file.why, {"kinds": outcome.kinds, "sha256": digest, "why": file.why})
            self._bulk.write(
                changed,
                checked.before,
                move,
                lambda done: say("writing", done, len(changed)),
                lambda connection: also(outcome, connection),
            )
        return outcome

    def _read(self, file: File, say: Say) -> Reading:
        whole = Reading()
        for content, kind in file.tables:

            def told(rows: int) -> None:
                say("reading", len(whole.rows) + rows, 0)

            read = read_workbook(content, told) if is_workbook(content) else read_table(content, kind, told)
            whole.rows += read.rows
            whole.faults += read.faults
        return whole


def _compared(
    checked: Checked, *, yields: bool
) -> tuple[dict[str, Counter[str]], list[Draft], list[Mapping[str, Any]]]:
    """Return how many records of each kind are new, other and the same; those to be written; the first in detail."""
    kinds: dict[str, Counter[str]] = {}
    changed: list[Draft] = []
    shown: list[Mapping[str, Any]] = []
    for draft in checked.drafts:
        old = checked.before.get((draft.kind, draft.body["id"]))
        there = old is not None and not old.gone
        kept = yields and old is not None and old.by not in MACHINES
        same = kept or (there and old is not None and old.body == draft.body)
        verdict = "unchanged" if same else "changed" if there else "created"
        kinds.setdefault(draft.kind, Counter())[verdict] += 1
        if same:
            continue
        changed.append(draft)
        if len(shown) < _CHANGES:
            fields = changes_between(old.body if there and old else {}, draft.body)
            shown.append(
                {
                    "kind": draft.kind,
                    "id": draft.body["id"],
                    "verdict": verdict,
                    "fields": [asdict(one) for one in fields if there or one.after not in ("", None, [])],
                }
            )
    ordered = {kind: kinds[kind] for kind in KINDS if kind in kinds}
    return ordered, changed, shown
