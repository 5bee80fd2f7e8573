"""Collect everything wrong in a plant file, each with its line, and read as much of the rest as can be read."""

from __future__ import annotations

import copy
import difflib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from types import NoneType
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from config.errors import Problem
from config.plant.document import PlantDocument
from config.plant.yaml_lines import LinedYaml, Path, Value, dotted

__all__ = ["Findings", "one_of", "read_document", "read_model"]

_Model = TypeVar("_Model", bound=BaseModel)

_LISTED = 20
"""So many names are listed when a name is not known."""

_SHOWN = 80
"""So many characters of a wrong value are shown."""

_EXPECTED = {
    "string_type": "text (quote a number that is meant as text)",
    "float_type": "a number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "bool_type": "true or false",
    "model_type": "a mapping of keys to values",
    "model_attributes_type": "a mapping of keys to values",
    "dict_type": "a mapping of keys to values",
    "list_type": "a list",
    "tuple_type": "a list",
    "finite_number": "a finite number",
    "string_too_short": "text that is not empty",
}

_LENGTH = {"too_short": "min_length", "too_long": "max_length"}

_STAND_INS: Mapping[str, Value] = {
    "enterprise": {"id": "x", "name": {"zh": "x", "en": "x"}},
    "site": {"id": "x", "name": {"zh": "x", "en": "x"}, "latitude_deg": 0, "longitude_deg": 0},
}
"""Taken for a section that cannot be read, so that the rest of the file is checked all the same."""


class Findings:
    """The problems of one file."""

    def __init__(self, file: str, lined: LinedYaml) -> None:
        self._file = file
        self._lined = lined
        self._problems: dict[Problem, None] = dict.fromkeys(lined.problems)
        self._meant: set[Path] = set()

    def add(self, path: Path, found: str, allowed: str, *, of_key: bool = False) -> None:
        """Note one problem at ``path``; the same problem noted twice (a template's) counts once."""
        line = self._lined.line(path, of_key=of_key)
        self._problems[Problem(self._file, line, dotted(path), found, allowed)] = None

    def written(self, path: Path) -> bool:
        """Say whether the file has something at ``path``, right or wrong, or under a misspelt key."""
        return path in self._lined.value_lines or path in self._meant

    def misspelt(self, path: Path) -> None:
        """Take ``path`` for written: an unknown key beside it looks like it."""
        self._meant.add(path)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """All problems in the order of the file."""
        return tuple(sorted(self._problems, key=lambda problem: problem.line))


def one_of(name: str, known: Collection[str]) -> str:
    """Say what a name should have been: a near miss, and what is known."""
    if not known:
        return "none is defined"
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    listed = ", ".join(list(known)[:_LISTED])
    more = f" and {len(known) - _LISTED} more" if len(known) > _LISTED else ""
    return f"{hint}one of {listed}{more}"


def read_document(lined: LinedYaml, findings: Findings) -> PlantDocument | None:
    """Read a plant file; see `read_model`."""
    return read_model(lined, findings, PlantDocument, _STAND_INS)


def read_model(
    lined: LinedYaml, findings: Findings, model: type[_Model], stand_ins: Mapping[str, Value] | None = None
) -> _Model | None:
    """Read the document, note every wrong key and value, and return what is right of it.

    Wrong entries are left out and the rest is read again, so that cross-references are checked in the same run.

    Args:
        lined: The document.
        findings: Takes what is wrong.
        model: What the document should be.
        stand_ins: Taken for sections without which there is no document, and which cannot be read.

    Returns:
        The readable part; None when the file is no mapping at all.
    """
    raw = lined.value
    if not isinstance(raw, dict):
        findings.add((), f"{_shown(raw)}", "a mapping with the keys " + ", ".join(model.model_fields))
        return None
    raw = copy.deepcopy(raw)
    first = True
    while True:
        try:
            return model.model_validate(raw)
        except ValidationError as error:
            details = error.errors(include_url=False)
        for detail in sorted(details, key=lambda detail: detail["type"] != "extra_forbidden"):
            if first and not _follows(detail, details):
                _note(detail, findings, model)
            _leave_out(raw, detail, stand_ins or {})
        first = False


def _follows(detail: ErrorDetails, details: Sequence[ErrorDetails]) -> bool:
    """Say whether a list is only too short because something in it is wrong, which is said by itself."""
    length, inside = len(detail["loc"]), detail["loc"]
    return detail["type"] == "too_short" and any(
        len(one["loc"]) > length and one["loc"][:length] == inside for one in details
    )


def _note(detail: ErrorDetails, findings: Findings, root: type[BaseModel]) -> None:
    path = tuple(part for part in detail["loc"] if part != "[key]")
    kind, wrong = detail["type"], detail["input"]
    if kind == "missing":
        if not findings.written(path):
            findings.add(path, "the key is missing", f"{path[-1]!r} is required", of_key=True)
    elif kind == "extra_forbidden":
        known = list(_model_at(path[:-1], root).model_fields)
        findings.add(path, f"unknown key {path[-1]!r}", one_of(str(path[-1]), known), of_key=True)
        for near in difflib.get_close_matches(str(path[-1]), known, n=1):
            findings.misspelt((*path[:-1], near))
    else:
        findings.add(path, _shown(wrong), _allowed(detail, path))


def _allowed(detail: ErrorDetails, path: Path) -> str:
    """Say what a value should have been."""
    kind, context = detail["type"], detail.get("ctx", {})
    if kind in ("enum", "literal_error"):
        expected = str(context["expected"])
        return one_of(str(detail["input"]), re.findall(r"'([^']*)'", expected) or [expected])
    if kind == "value_error":
        return str(context["error"])
    if kind in ("too_short", "too_long"):
        return f"a list of at {'least' if kind == 'too_short' else 'most'} {context[_LENGTH[kind]]}"
    if kind == "model_type" and "limits" in path[-2:-1]:
        return "a limit (a number), false to switch it off, or a mapping with the keys limit, deadband, on_delay, ..."
    return _EXPECTED.get(kind, detail["msg"].removeprefix("Input should be "))


def _shown(wrong: object) -> str:
    """Render what was found, shortened."""
    if wrong is None:
        return "nothing"
    text = repr(wrong)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _leave_out(raw: dict[str, Value], detail: ErrorDetails, stand_ins: Mapping[str, Value]) -> None:
    """Take the wrong thing out of ``raw``: the value, or what lacks a required key."""
    path = tuple(part for part in detail["loc"] if part != "[key]")
    if detail["type"] == "missing":
        path = path[:-1] or path
    section = path[0]
    if section in stand_ins and (len(path) == 1 or detail["type"] != "extra_forbidden"):
        raw[str(section)] = copy.deepcopy(stand_ins[str(section)])
        return
    holder: Any = raw
    for depth, part in enumerate(path):
        inside = holder[part] if _has(holder, part) else None
        if depth == len(path) - 1 or not isinstance(inside, dict | list):
            _drop(holder, part)
            return
        holder = inside


def _has(holder: Any, part: str | int) -> bool:  # noqa: ANN401  a YAML value of any shape
    return part in holder if isinstance(holder, dict) else isinstance(part, int) and part < len(holder)


def _drop(holder: Any, part: str | int) -> None:  # noqa: ANN401  a YAML value of any shape
    """Remove ``part``; from a list, everything (a list with a hole would mean something else)."""
    if isinstance(holder, dict):
        holder.pop(part, None)
    else:
        holder.clear()


def _model_at(path: Iterable[str | int], root: type[BaseModel]) -> type[BaseModel]:
    """Return the model that describes the mapping at ``path``."""
    model = root
    inside: object = root
    for part in path:
        if isinstance(inside, type) and issubclass(inside, BaseModel):
            inside = _bare(inside.model_fields[str(part)].annotation)
        else:
            inside = _bare(get_args(inside)[-1])
        if isinstance(inside, type) and issubclass(inside, BaseModel):
            model = inside
    return model


def _bare(annotation: object) -> object:
    """Strip Annotated and Optional from an annotation."""
    while True:
        parts = get_args(annotation)
        if hasattr(annotation, "__metadata__"):
            annotation = parts[0]
        elif NoneType in parts:
            annotation = next(part for part in parts if part is not NoneType)
        else:
            return annotation
