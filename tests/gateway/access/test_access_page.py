"""docs/access.md has the table of roles as the code has it."""

from __future__ import annotations

from pathlib import Path

from gateway.access.roles import ROLE_NAMES, ROLES, Permission, Role

PAGE = Path(__file__).parents[3] / "docs" / "access.md"


def test_the_table_on_the_page_is_the_table_in_the_code() -> None:
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    head, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    roles = [Role(cell.split()[0]) for cell in head[1:]]
    assert roles == list(Role)
    written = {
        (Permission(row[0].strip("`")), role) for row in rows for role, cell in zip(roles, row[1:], strict=True) if cell
    }
    assert written == {(permission, role) for role, permissions in ROLES.items() for permission in permissions}
    assert len(rows) == len(Permission)
    assert set(ROLE_NAMES) == set(Role)
