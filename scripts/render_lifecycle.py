"""Writes the tables of docs/alarm-lifecycle.md from the code: `--write`, or `--check` (exit 1: not the same)."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from gateway.handling import STAGE_NAMES, STAGES, HandlingEvent
from gateway.lifecycle import LIFE_NAMES, TABLE, LifeEvent, No

PAGE = Path(__file__).parents[1] / "docs" / "alarm-lifecycle.md"


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


def main() -> int:
    """Write the page anew, or compare."""
    page = written = PAGE.read_text(encoding="utf-8")
    for name, table in (("life", life_table()), ("handling", handling_table())):
        begin, end = f"<!-- {name}: made by scripts/render_lifecycle.py -->", f"<!-- /{name} -->"
        pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
        page = pattern.sub(f"{begin}\n{table}\n{end}".replace("\\", r"\\"), page)
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(page, encoding="utf-8")
    return int(page != written)


if __name__ == "__main__":
    sys.exit(main())
