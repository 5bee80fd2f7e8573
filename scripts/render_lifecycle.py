"""Writes the state tables of docs/ from the code: `--write`, or `--check` (exit 1: not the same)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from config.plant.model import Text
from gateway.dangers import states as dangers
from gateway.handling import STAGE_NAMES, STAGES, HandlingEvent
from gateway.lifecycle import LIFE_NAMES, TABLE, LifeEvent, No
from gateway.prevention.notice_states import NOTICE_NAMES, NOTICES, NoticeEvent
from gateway.prevention.permit_states import PERMIT_NAMES, PERMITS, PermitEvent
from gateway.prevention.report_states import REPORT_NAMES, REPORTS, ReportEvent
from gateway.registry import imports

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
    return _grid(
        {f"{state} · {names[state].zh}": (state, row) for state, row in rows.items()}, list(events), turned=False
    )


def long_table_of(rows: Mapping[Any, Mapping[Any, Any]], names: Mapping[Any, Text], events: Mapping[Any, Text]) -> str:
    """Return the same with a row for each event, for machines with many of them."""
    return _grid({f"{state} · {names[state].zh}": (state, row) for state, row in rows.items()}, events, turned=True)


def _grid(rows: Mapping[str, tuple[Any, Mapping[Any, Any]]], events: Iterable[Any], *, turned: bool) -> str:
    heads = [f"`{event}` · {events[event].zh}" if isinstance(events, Mapping) else f"`{event}`" for event in events]
    notes: dict[str, int] = {}
    order = [(state, row, event) for state, row in rows.values() for event in events]
    if turned:
        order = [(state, row, event) for event in events for state, row in rows.values()]
    cells = iter([_cell(state, row[event], notes) for state, row, event in order])
    firsts, columns = (heads, list(rows)) if turned else (list(rows), heads)
    corner = "event \\ state" if turned else "state \\ event"
    lines = [f"| {corner} | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    lines += [f"| {first} | " + " | ".join(next(cells) for _ in columns) + " |" for first in firsts]
    lines += ["", "Refusals: " + " · ".join(f"{number} {why}" for why, number in notes.items())]
    return "\n".join(lines)


def _cell(state: Any, cell: Any, notes: dict[str, int]) -> str:  # noqa: ANN401 - of every machine
    if hasattr(cell, "why"):
        return f"– {notes.setdefault(cell.why.en, len(notes) + 1)}"
    to, effects = getattr(cell, "to", cell), getattr(cell, "effects", ())
    kind: Any = type(next(iter(effects), None))
    told = [one.value for one in kind if one in effects] if effects else []
    return " ".join(["·" if to is state else f"**{to}**", *told])


def import_table() -> str:
    """Return the stages of an import; what is not in their table does not happen."""
    never = No(Text("不会发生", "does not happen"))
    rows = {
        stage: {event: imports.STAGES.get((stage, event), never) for event in imports.Event} for stage in imports.Stage
    }
    return table_of(rows, imports.STAGE_NAMES, imports.Event)


PAGES: Mapping[str, Mapping[str, Callable[[], str]]] = {
    "alarm-lifecycle.md": {
        "life": life_table,
        "handling": lambda: table_of(STAGES, STAGE_NAMES, HandlingEvent),
    },
    "registry.md": {"imports": import_table},
    "hidden-dangers.md": {"states": lambda: long_table_of(dangers.STATES, dangers.STATE_NAMES, dangers.EVENT_NAMES)},
    "prevention.md": {
        "permits": lambda: table_of(PERMITS, PERMIT_NAMES, PermitEvent),
        "notices": lambda: table_of(NOTICES, NOTICE_NAMES, NoticeEvent),
        "reports": lambda: table_of(REPORTS, REPORT_NAMES, ReportEvent),
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
