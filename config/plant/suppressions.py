"""From the suppressions written in a plant file to its rules: what is not told, and while what is."""

from __future__ import annotations

from collections.abc import Mapping

from config.plant.checks import References
from config.plant.document import SuppressionDocument
from config.plant.model import Condition, Suppression, Tag, Text
from config.plant.yaml_lines import Path

__all__ = ["build_suppressions"]

_Point = tuple[str, Condition]


def build_suppressions(
    written: Mapping[str, SuppressionDocument], tags: Mapping[str, Tag], references: References
) -> dict[str, Suppression]:
    """Return the rules in the order of the file, noting what is wrong with them.

    Args:
        written: What the file says, by the name of the rule.
        tags: The tags that could be built.
        references: What may be referred to.
    """
    rules = {}
    for name, document in written.items():
        path: Path = ("suppressions", name)
        points = _points(document, tags, references, path)
        cause = None if document.while_ is None else (document.while_.tag, document.while_.condition)
        if cause is not None:
            _check_cause(cause, points, tags, references, (*path, "while"))
        rules[name] = Suppression(name, Text(document.name.zh, document.name.en), points, cause)
    return rules


def _points(
    document: SuppressionDocument, tags: Mapping[str, Tag], references: References, path: Path
) -> tuple[_Point, ...]:
    points: list[_Point] = []
    for tag in dict.fromkeys(document.tags):
        if not references.known("tags", tag, (*path, "tags")) or tag not in tags:
            continue
        there = [rule.condition for rule in tags[tag].conditions]
        wanted = document.conditions or there
        points += [(tag, one) for one in wanted if one in there]
        for one in wanted:
            if one not in there:
                allowed = f"conditions of {tag}: {', '.join(there)}"
                references.findings.add((*path, "conditions"), f"{one} of {tag}", allowed)
    return tuple(dict.fromkeys(points))


def _check_cause(
    cause: _Point, points: tuple[_Point, ...], tags: Mapping[str, Tag], references: References, path: Path
) -> None:
    tag, condition = cause
    if not references.known("tags", tag, (*path, "tag")) or tag not in tags:
        return
    there = [rule.condition for rule in tags[tag].conditions]
    if condition not in there:
        references.findings.add((*path, "condition"), f"{condition} of {tag}", f"one of {', '.join(there)}")
    if cause in points:
        references.findings.add(path, f"{condition} of {tag}", "an alarm that this rule does not suppress itself")
