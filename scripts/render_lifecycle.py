"""Writes the tables of states into docs from the code: `--write`, or `--check` (exit 1: not the same)."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from config.plant.model import Text
from gateway.handling import STAGE_NAMES, STAGES, HandlingEvent
from gateway.lifecycle import LIFE_NAMES, TABLE, LifeEvent, No
from gateway.prevention.notice_states import NOTICE_NAMES, NOTICES, NoticeEvent
from gateway.prevention.permit_states import PERMIT_NAMES, PERMITS, PermitEvent
from gateway.prevention.report_states import REPORT_NAMES, REPORTS, ReportEvent

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


def handling_table() -> str:
    """Return the handling as a table: a row for each stage, a column for each event."""
    lines = ["| stage \\ event | " + " | ".join(f"`{event}`" for event in HandlingEvent) + " |"]
    lines.append("|---" * (len(HandlingEvent) + 1) + "|")
    notes: dict[str, int] = {}
    for stage, row in STAGES.items():
        cells = []
        for event in HandlingEvent:
            cell = row[event]
            if isinstance(cell, No):
                cells.append(f"– {notes.setdefault(cell.why.en, len(notes) + 1)}")
            else:
                cells.append("·" if cell is stage else f"**{cell}**")
        lines.append(f"| {stage} · {STAGE_NAMES[stage].zh} | " + " | ".join(cells) + " |")
    lines += ["", "Refusals: " + " · ".join(f"{number} {why}" for why, number in notes.items())]
    return "\n".join(lines)


def machine_table(table: Mapping[Any, Any], names: Mapping[Any, Text], events: type[StrEnum]) -> str:
    """Return a machine of `gateway.prevention` as a table: a row for each state, a column for each event."""
    lines = ["| state \\ event | " + " | ".join(f"`{event}`" for event in events) + " |"]
    lines.append("|---" * (len(events) + 1) + "|")
    notes: dict[str, int] = {}
    for state, row in table.items():
        cells = []
        for event in events:
            cell = row[event]
            if isinstance(cell, No):
                cells.append(f"– {notes.setdefault(cell.why.en, len(notes) + 1)}")
            else:
                to = "·" if cell.to is state else f"**{cell.to}**"
                cells.append(" ".join([to, *sorted(effect.value for effect in cell.effects)]))
        lines.append(f"| {state} · {names[state].zh} | " + " | ".join(cells) + " |")
    lines += ["", "Refusals: " + " · ".join(f"{number} {why}" for why, number in notes.items())]
    return "\n".join(lines)


PAGES: Mapping[str, Mapping[str, Callable[[], str]]] = {
    "alarm-lifecycle.md": {"life": life_table, "handling": handling_table},
    "prevention.md": {
        "permits": lambda: machine_table(PERMITS, PERMIT_NAMES, PermitEvent),
        "notices": lambda: machine_table(NOTICES, NOTICE_NAMES, NoticeEvent),
        "reports": lambda: machine_table(REPORTS, REPORT_NAMES, ReportEvent),
    },
}
"""Page -> name of a table in it -> what it is to show."""


def main() -> int:
    """Write the pages anew, or compare."""
    differs = False
    for name, tables in PAGES.items():
        page = written = (DOCS / name).read_text(encoding="utf-8")
        for table, made in tables.items():
            begin, end = f"<!-- {table}: made by scripts/render_lifecycle.py -->", f"<!-- /{table} -->"
            pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
            page = pattern.sub(f"{begin}\n{made()}\n{end}".replace("\\", r"\\"), page)
        if sys.argv[1:] == ["--write"]:
            (DOCS / name).write_text(page, encoding="utf-8")
        differs |= page != written
    return int(differs)


if __name__ == "__main__":
    sys.exit(main())
