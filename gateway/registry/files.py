"""Files of the registry as they lie in a folder: a workbook, or a table for each kind."""

from __future__ import annotations

from pathlib import Path

from gateway.errors import BadRequestError
from gateway.registry.kinds import KINDS

__all__ = ["DEMO_REGISTRY", "files_at", "tables_of"]

DEMO_REGISTRY = Path(__file__).parents[2] / "config" / "registries" / "demo"
"""What there is in the demo plant beside its tags."""


def files_at(path: Path) -> list[Path]:
    """Return the files that are meant: a workbook, a table named as its kind, or a folder of these.

    Raises:
        BadRequestError: There is none.
    """
    files = sorted((*path.glob("*.csv"), *path.glob("*.xlsx"))) if path.is_dir() else [path] if path.is_file() else []
    if not files:
        raise BadRequestError(f"{path}: no workbook (.xlsx) or table (KIND.csv) there（没有文件）")
    for file in files:
        if file.suffix not in (".csv", ".xlsx") or (file.suffix == ".csv" and file.stem not in KINDS):
            raise BadRequestError(f"{file}: expected .xlsx, or KIND.csv with a kind of {', '.join(KINDS)}")
    return files


def tables_of(path: Path) -> list[tuple[bytes, str]]:
    """Return the content of the files that are meant, with the kind of what is a table.

    Raises:
        BadRequestError: There is none, or it cannot be read.
    """
    try:
        return [(file.read_bytes(), file.stem if file.suffix == ".csv" else "") for file in files_at(path)]
    except OSError as error:
        raise BadRequestError(f"{path}: {error.strerror}") from error
