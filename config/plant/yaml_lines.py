"""Read YAML and remember on which line every key and every value stands."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TypeAlias

import yaml

from config.errors import Problem

__all__ = ["LinedYaml", "Path", "Value", "dotted", "read_yaml"]

Value: TypeAlias = "dict[str, Value] | list[Value] | str | int | float | bool | None"
Path: TypeAlias = tuple[str | int, ...]
"""Where something stands in the document: keys and list positions from the root."""

_LOADER = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader

_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")

_TAG = "tag:yaml.org,2002:"


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
        return 1


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
    """Read one YAML document of mappings with text keys, lists and scalars.

    Refused, because they surprise: duplicate keys, aliases (so no merge keys and no endless nesting), explicit tags.
    Dates stay text; ``1e-3`` is a number.

    Args:
        text: The document.
        file: Name used in problems.

    Returns:
        The document; with problems when it is not as described. After a syntax error the value is None.
    """
    read = LinedYaml()
    loader = _LOADER(text)
    try:
        root = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        found = " ".join(part for part in (error.context, error.problem) if part)
        line = mark.line + 1 if mark else 0
        read.problems.append(Problem(file, line, "(syntax)", f"not YAML: {found}", _syntax_hint(text, line)))
        return read
    except RecursionError:
        read.problems.append(Problem(file, 0, "(syntax)", "lists or mappings nested too deep", "at most a few levels"))
        return read
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        found = f"the character {chr(error.character)!r}" if isinstance(error.character, int) else str(error)
        read.problems.append(Problem(file, line, "(syntax)", found, "printable UTF-8 text only"))
        return read
    finally:
        loader.dispose()
    if root is not None:
        _Reader(read, file).read(root)
    return read


def _syntax_hint(text: str, line: int) -> str:
    lines = text.splitlines()
    if 1 <= line <= len(lines) and "\t" in lines[line - 1]:
        return "indent with spaces, never with tabs"
    return "check the indentation, quotes, brackets and colons of this line and the one before"


class _Reader:
    """Turns YAML nodes into values, once per node."""

    def __init__(self, into: LinedYaml, file: str) -> None:
        self._into = into
        self._file = file
        self._seen: set[int] = set()

    def read(self, root: yaml.Node) -> None:
        self._into.value_lines[()] = root.start_mark.line + 1
        self._into.value = self._value(root, ())

    def _value(self, node: yaml.Node, path: Path) -> Value:
        if id(node) in self._seen:
            self._problem(node, path, "a YAML alias", "write it out, or put what is shared into a template")
            return None
        self._seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return self._sequence(node, path)
        return self._scalar(node, path)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> Value:
        values: dict[str, Value] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._problem(key_node, path, "a key that is no text", "plain text keys")
                continue
            key: str = key_node.value
            at = (*path, key)
            line = key_node.start_mark.line + 1
            if key in values:
                found = f"{key!r} is there twice (before on line {self._into.key_lines[at]})"
                self._problem(key_node, at, found, "each key once")
                continue
            self._into.key_lines[at] = line
            nested = isinstance(value_node, yaml.CollectionNode)
            self._into.value_lines[at] = line if nested else value_node.start_mark.line + 1
            values[key] = self._value(value_node, at)
        return values

    def _sequence(self, node: yaml.SequenceNode, path: Path) -> Value:
        values: list[Value] = []
        for position, item in enumerate(node.value):
            at = (*path, position)
            self._into.value_lines[at] = item.start_mark.line + 1
            values.append(self._value(item, at))
        return values

    def _scalar(self, node: yaml.Node, path: Path) -> Value:
        text: str = node.value
        plain = isinstance(node, yaml.ScalarNode) and not node.style
        kind = node.tag.removeprefix(_TAG)
        if kind == "null":
            return None
        if kind == "bool":
            return text.lower() in ("yes", "true", "on")
        if kind in ("int", "float") or (kind == "str" and plain and _NUMBER.fullmatch(text)):
            return self._number(text)
        if kind not in ("str", "timestamp", "value"):
            self._problem(node, path, f"the YAML tag {node.tag!r}", "plain values without tags")
            return None
        return text

    def _number(self, text: str) -> Value:
        """Read a decimal number; what YAML 1.1 also takes for one (octal 017, 12:30, 1_000) stays text."""
        if re.fullmatch(r"[-+]?(0|[1-9]\d{0,300})", text):
            return int(text)
        if _NUMBER.fullmatch(text) and not re.fullmatch(r"[-+]?0\d+", text):
            return float(text)
        return {".inf": float("inf"), "-.inf": float("-inf"), ".nan": float("nan")}.get(text.lower(), text)

    def _problem(self, node: yaml.Node, path: Path, found: str, allowed: str) -> None:
        self._into.problems.append(Problem(self._file, node.start_mark.line + 1, dotted(path), found, allowed))
