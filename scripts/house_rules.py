"""House rules that no linter knows; each was broken once or would hurt if it were."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

MAX_LINES = 500
"""A module longer than this is split by meaning."""

FORBIDDEN = {
    r"\b(?:TODO|FIXME|XXX)\b": "finish it, or write an issue",
    r"/(?:work|root|home/\w+)/": "a path of somebody's machine",
    r"\b(?:pypi\.org|pythonhosted\.org|registry\.npmjs|deb\.debian\.org)\b": "a package registry's host",
    r"except Exception:\s*pass": "nothing is dropped without a counter and a reason",
}
TEXT = {".py", ".md", ".yaml", ".yml", ".toml", ".json", ".conf", ".html", ".css", ".js", ".sh", ""}
ITSELF = Path("scripts/house_rules.py")


def tracked() -> list[Path]:
    """Return the files git knows, or will know."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],  # noqa: S607 - git is where PATH says
        check=True,
        capture_output=True,
        text=True,
    )
    return [Path(line) for line in listed.stdout.splitlines() if Path(line).is_file()]


def broken(path: Path) -> list[str]:
    """Return what is wrong with one file, a line each."""
    if path.suffix not in TEXT or path == ITSELF or path.name in {"LICENSE", "requirements.lock"}:
        return []
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    found = [
        f"{path}:{number}: {why}: {match[0]!r}"
        for number, line in enumerate(lines, 1)
        for pattern, why in FORBIDDEN.items()
        if (match := re.search(pattern, line))
    ]
    if path.suffix == ".py" and len(lines) > MAX_LINES:
        found.append(f"{path}: {len(lines)} lines, at most {MAX_LINES}: split it by meaning")
    return found


def main() -> int:
    """Print every broken rule; 1 when there is any."""
    problems = [problem for path in tracked() for problem in broken(path)]
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
