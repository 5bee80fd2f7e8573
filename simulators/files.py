"""Read the YAML files of this room: every problem with its file and line, all of them together."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from config.errors import Problem
from config.plant.yaml_lines import LinedYaml, dotted, read_yaml

__all__ = ["problem_at", "read_model"]

M = TypeVar("M", bound=BaseModel)


def read_model(path: Path, model: type[M]) -> tuple[M | None, LinedYaml, tuple[Problem, ...]]:
    """Read a YAML file as a model.

    Returns:
        The model (None when there are problems), the document with its lines, and the problems.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        problem = Problem(str(path), 0, "(file)", f"cannot be read: {error}", "name a readable UTF-8 file")
        return None, LinedYaml(), (problem,)
    document = read_yaml(text, str(path))
    if document.problems:
        return None, document, tuple(document.problems)
    try:
        return model.model_validate(document.value), document, ()
    except ValidationError as error:
        return None, document, tuple(_problems(error, document, str(path)))


def problem_at(document: LinedYaml, file: str, where: tuple[str | int, ...], found: str, allowed: str) -> Problem:
    """Return a problem with the line on which ``where`` stands."""
    return Problem(file, document.line(where), dotted(where), found, allowed)


def _problems(error: ValidationError, document: LinedYaml, file: str) -> list[Problem]:
    """Turn what pydantic found into problems with lines."""
    problems = []
    for one in error.errors():
        extra = one["type"] == "extra_forbidden"
        where = _written(document, one["loc"])
        found = "this key is not known" if extra else f"{one['input']!r}"[:80]
        if one["type"] == "missing":
            found = "is missing"
        allowed = "remove it, or check its spelling" if extra else one["msg"]
        problems.append(Problem(file, document.line(where, of_key=extra), dotted(where), found, allowed))
    return problems


def _written(document: LinedYaml, where: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """Drop from a location what pydantic adds for the branches of a union and nobody wrote."""
    kept: tuple[str | int, ...] = ()
    for position, part in enumerate(where):
        last = position == len(where) - 1
        if last or (*kept, part) in document.value_lines:
            kept = (*kept, part)
    return kept
