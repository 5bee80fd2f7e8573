"""Writes tables of states into docs from the code: `--write`, or `--check` (exit 1: not the same)."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from gateway.dangers.states import EVENT_NAMES
from gateway.dangers.states import STATE_NAMES as DANGER_NAMES
from gateway.dangers.states import STATES as DANGERS
from gateway.dangers.states import Effect as DangerEffect
from gateway.dangers.states import Event as DangerEvent
from gateway.dangers.states import No as DangerNo
from gateway.dangers.states import State as DangerState
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


def danger_table() -> str:
    """Return the life of hidden dangers as a table: a row for each event, a column for each state."""
    lines = ["| event \\ state | " + " | ".join(f"{state} · {DANGER_NAMES[state].zh}" for state in DangerState) + " |"]
    lines.append("|---" * (len(DangerState) + 1) + "|")
    notes: dict[str, int] = {}
    for event in DangerEvent:
        cells = []
        for state in DangerState:
            cell = DANGERS[state][event]
            if isinstance(cell, DangerNo):
                cells.append(f"– {notes.setdefault(cell.why.en, len(notes) + 1)}")
            else:
                to = "·" if cell.to is state else f"**{cell.to}**"
                cells.append(" ".join([to, *(effect.value for effect in DangerEffect if effect in cell.effects)]))
        lines.append(f"| `{event}` · {EVENT_NAMES[event].zh} | " + " | ".join(cells) + " |")
    lines += ["", "Refusals: " + " · ".join(f"{number} {why}" for why, number in notes.items())]
    return "\n".join(lines)


TABLES = {
    "alarm-lifecycle.md": {"life": life_table, "handling": handling_table},
    "hidden-dangers.md": {"states": danger_table},
}
"""Page -> name of the table in it -> what makes it."""


def main() -> int:
    """Write the pages anew, or compare."""
    differ = 0
    for name, tables in TABLES.items():
        page = written = (DOCS / name).read_text(encoding="utf-8")
        for table, made in tables.items():
            begin, end = f"<!-- {table}: made by scripts/render_lifecycle.py -->", f"<!-- /{table} -->"
            pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
            page = pattern.sub(f"{begin}\n{made()}\n{end}".replace("\\", r"\\"), page)
        if sys.argv[1:] == ["--write"]:
            (DOCS / name).write_text(page, encoding="utf-8")
        differ |= page != written
    return int(differ)


if __name__ == "__main__":
    sys.exit(main())
