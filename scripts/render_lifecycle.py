"""Writes the state tables of docs/ from the code: `--write`, or `--check` (exit 1: not the same)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from config.plant.model import Text
from gateway.handling import STAGE_NAMES, STAGES, HandlingEvent
from gateway.lifecycle import LIFE_NAMES, TABLE, LifeEvent, No

DOCS = Path(__file__).parents[1] / "docs"


def life_table() -> str:
    """Return the life as a table: a row for each state, a column for each event."""
    lines = ["| state \\ event | " + " | ".join(f"`{event}`" for event in LifeEvent) + " |"]
    lines.append("|---" * (len(LifeEvent) + 1) + "|")
    notes: dict[str, int] = {}
    for life, row in TABLE.items():
        cells = []
        for event in LifeEvent:
            cell = row[event]
            if isinstance(cell, No):
                cells.append(f"– {notes.setdefault(cell.why.en, len(notes) + 1)}")
            else:
                letter = LIFE_NAMES[cell.to].en.split()[0]
                cells.append(" ".join([f"**{letter}**", *sorted(effect.value for effect in cell.effects)]))
        lines.append(f"| {LIFE_NAMES[life].en} · {LIFE_NAMES[life].zh[2:]} | " + " | ".join(cells) + " |")
    lines += ["", "Refusals: " + " · ".join(f"{number} {why}" for why, number in notes.items())]
    return "\n".join(lines)


def table_of(rows: Mapping[Any, Mapping[Any, Any]], names: Mapping[Any, Text], events: Iterable[Any]) -> str:
    """Return a state machine as a table: a row for each state, a column for each event.

    A cell is the state it goes to, something with ``to`` and ``effects``, or a refusal that says ``why``.
    """
    columns = list(events)
    lines = ["| state \\ event | " + " | ".join(f"`{event}`" for event in columns) + " |"]
    lines.append("|---" * (len(columns) + 1) + "|")
    notes: dict[str, int] = {}
    for state, row in rows.items():
        cells = []
        for cell in (row[event] for event in columns):
            if hasattr(cell, "why"):
                cells.append(f"– {notes.setdefault(cell.why.en, len(notes) + 1)}")
                continue
            to = getattr(cell, "to", cell)
            effects = sorted(effect.value for effect in getattr(cell, "effects", ()))
            cells.append(" ".join(["·" if to is state else f"**{to}**", *effects]))
        lines.append(f"| {state} · {names[state].zh} | " + " | ".join(cells) + " |")
    lines += ["", "Refusals: " + " · ".join(f"{number} {why}" for why, number in notes.items())]
    return "\n".join(lines)


PAGES: Mapping[str, Mapping[str, Callable[[], str]]] = {
    "alarm-lifecycle.md": {
        "life": life_table,
        "handling": lambda: table_of(STAGES, STAGE_NAMES, HandlingEvent),
    },
}
"""Page of docs/ -> name of a table in it -> how it is made."""


def main() -> int:
    """Write the pages anew, or compare."""
    same = True
    for page, tables in PAGES.items():
        path = DOCS / page
        was = now = path.read_text(encoding="utf-8")
        for name, make in tables.items():
            begin, end = f"<!-- {name}: made by scripts/render_lifecycle.py -->", f"<!-- /{name} -->"
            before, found, rest = now.partition(begin)
            _, ended, after = rest.partition(end)
            if not (found and ended):
                sys.exit(f"{page}: no place for the table {name!r}: {begin} ... {end}")
            now = f"{before}{begin}\n{make()}\n{end}{after}"
        if sys.argv[1:] == ["--write"]:
            path.write_text(now, encoding="utf-8")
        same &= now == was
    return int(not same)


if __name__ == "__main__":
    sys.exit(main())
