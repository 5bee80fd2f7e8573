"""Read YAML and remember on which line every key and every value stands."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias, cast

import yaml

from config.errors import Problem

__all__ = ["LinedYaml", "Path", "Value", "dotted", "read_yaml"]

Value: TypeAlias = "dict[str, Value] | list[Value] | str | int | float | bool | None"
Path: TypeAlias = tuple[str | int, ...]
"""Where something stands in the document: keys and list positions from the root."""

_LOADER = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader

_WHOLE = re.compile(r"[-+]?(0|[1-9]\d{0,300})")
_DECIMAL = re.compile(r"[-+]?(\d+\.\d*|\.\d+|\d+(?=[eE])|[1-9]\d*)([eE][-+]?\d+)?")
_WORDS: Mapping[str, bool | float | None] = {
    "": None, "~": None, "null": None, "true": True, "false": False,
    ".inf": math.inf, "+.inf": math.inf, "-.inf": -math.inf, ".nan": math.nan,
}  # fmt: skip

_DEEPEST = 50


@dataclass(slots=True)
class LinedYaml:
    """A YAML document as plain values, the line of everything in it, and what was wrong with it as YAML."""

    value: Value = None
    key_lines: dict[Path, int] = field(default_factory=dict)
    value_lines: dict[Path, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def line(self, path: Path, *, of_key: bool = False) -> int:
        """Return the 1-based line of ``path``, or of the nearest thing around it that was written.

        Args:
            path: Need not exist: the line of a missing key is that of the mapping that lacks it.
            of_key: The line of the key rather than that of its value.
        """
        while path:
            first, second = (self.key_lines, self.value_lines) if of_key else (self.value_lines, self.key_lines)
            found = first.get(path) or second.get(path)
            if found:
                return found
            path, of_key = path[:-1], True
        return self.value_lines.get((), 1)


def dotted(path: Path) -> str:
    """Render a path as ``tags.GD-101.range[0]``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text or "(document)"


def read_yaml(text: str, file: str) -> LinedYaml:
    """Read one YAML document of mappings with text keys, lists and scalars, by the core schema of YAML 1.2.

    So ``no`` and ``off`` are text, as are ``017``, ``12:30`` and dates. Refused, because they surprise: duplicate keys,
    aliases (so no merge keys), explicit tags, a second document, nesting deeper than 50.

    Args:
        text: The document.
        file: Name used in problems.

    Returns:
        The document; with problems when it is not as described. After a syntax error the value is None.
    """
    read = LinedYaml()
    loader = _LOADER(text)
    try:
        _Reader(loader, read, file).document()
    except _RefusedError as error:
        read.problems.append(
            Problem(file, error.line, "(syntax)", error.found, "one document of keys, lists and values")
        )
        read.value = None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        found = " ".join(part for part in (error.context, error.problem) if part)
        line = mark.line + 1 if mark else 0
        read.problems.append(Problem(file, line, "(syntax)", f"not YAML: {found}", _syntax_hint(text, line)))
        read.value = None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        found = f"the character {chr(error.character)!r}" if isinstance(error.character, int) else str(error)
        read.problems.append(Problem(file, line, "(syntax)", found, "printable UTF-8 text only"))
        read.value = None
    finally:
        loader.dispose()
    return read


class _RefusedError(Exception):
    """Something that is YAML, but after which reading on makes no sense."""

    def __init__(self, found: str, event: yaml.Event) -> None:
        self.found = found
        self.line = _line(event)
        super().__init__(found)


def _syntax_hint(text: str, line: int) -> str:
    lines = text.splitlines()
    if 1 <= line <= len(lines) and "\t" in lines[line - 1]:
        return "indent with spaces, never with tabs"
    return "check the indentation, quotes, brackets and colons of this line and the one before"


class _Reader:
    """Turns the events of a YAML parser into values."""

    def __init__(self, loader: yaml.CSafeLoader | yaml.SafeLoader, into: LinedYaml, file: str) -> None:
        self._loader = loader
        self._into = into
        self._file = file

    def document(self) -> None:
        """Read the one document of the stream."""
        self._next()
        if self._loader.check_event(yaml.StreamEndEvent):
            return
        self._next()
        event = self._next()
        self._into.value_lines[()] = _line(event)
        self._into.value = self._value(event, ())
        self._next()
        if not self._loader.check_event(yaml.StreamEndEvent):
            raise _RefusedError("a second document", self._next())

    def _next(self) -> yaml.Event:
        return cast("yaml.Event", self._loader.get_event())

    def _value(self, event: yaml.Event, path: Path) -> Value:
        if len(path) > _DEEPEST:
            raise _RefusedError(f"lists or mappings nested deeper than {_DEEPEST}", event)
        tag = getattr(event, "tag", None)
        if tag is not None:
            self._problem(event, path, f"the YAML tag {tag!r}", "plain values without tags")
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(path)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path)
        if isinstance(event, yaml.ScalarEvent):
            return _scalar(event.value) if event.implicit[0] else event.value
        self._problem(event, path, "a YAML alias", "write it out, or put what is shared into a template")
        return None

    def _mapping(self, path: Path) -> Value:
        values: dict[str, Value] = {}
        while not self._loader.check_event(yaml.MappingEndEvent):
            key_event = self._next()
            if not isinstance(key_event, yaml.ScalarEvent):
                raise _RefusedError("a key that is no text", key_event)
            key: str = key_event.value
            at, again = (*path, key), key in values
            if again:
                found = f"{key!r} is there twice (before on line {self._into.key_lines[at]})"
                self._problem(key_event, at, found, "each key once")
                at = (*path, f"{key} (again)")
            event = self._next()
            self._into.key_lines[at] = _line(key_event)
            self._into.value_lines[at] = _line(event if isinstance(event, yaml.ScalarEvent) else key_event)
            value = self._value(event, at)
            if not again:
                values[key] = value
        self._next()
        return values

    def _sequence(self, path: Path) -> Value:
        values: list[Value] = []
        while not self._loader.check_event(yaml.SequenceEndEvent):
            event = self._next()
            at = (*path, len(values))
            self._into.value_lines[at] = _line(event)
            values.append(self._value(event, at))
        self._next()
        return values

    def _problem(self, event: yaml.Event, path: Path, found: str, allowed: str) -> None:
        self._into.problems.append(Problem(self._file, _line(event), dotted(path), found, allowed))


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 0


def _scalar(text: str) -> Value:
    """Read a plain scalar by the core schema; what YAML 1.1 also took for a number or a truth stays text."""
    if _WHOLE.fullmatch(text):
        return int(text)
    if _DECIMAL.fullmatch(text):
        return float(text)
    return _WORDS.get(text.lower(), text)
