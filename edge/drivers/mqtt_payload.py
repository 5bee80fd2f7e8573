"""Reads what sensors publish: plain numbers, and JSON with paths to value, time and quality."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from config.contract.frame import LATEST_TIME_MS
from config.contract.quality import Quality, Reason
from config.plant.model import Source, SourceFormat, Tag
from edge.errors import UnreadableError
from edge.reading import Reading

__all__ = ["MAX_PAYLOAD_BYTES", "PayloadReader", "Taken"]

MAX_PAYLOAD_BYTES = 1024 * 1024
"""A sensor's message is a few hundred bytes; decoding one of many megabytes would hold up all others."""

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_NO_NUMBER = re.compile(r"[+-]?(?:nan|inf|infinity)", re.IGNORECASE)


@dataclass(slots=True)
class Taken:
    """What one payload gave."""

    readings: list[Reading] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    """A reason for everything that was not understood or left out."""


class PayloadReader:
    """Reads the payloads of one topic for every tag that is fed from it.

    A value that is not there or is no number becomes a reading without a number, bad and ``unreadable``, so that
    BAD_PV tells the officer. One exception: where several tags share a topic and a payload carries only some of
    them, the others simply were not measured; if that lasts, they become STALE.

    Args:
        tags: All with a source on the same topic.
    """

    def __init__(self, tags: Sequence[Tag]) -> None:
        self._sources = [(tag.name, tag.source) for tag in tags if tag.source is not None]

    def read(self, payload: bytes, *, again: bool) -> Taken:
        """Return the readings in a payload, and what was wrong with it. Never raises.

        Args:
            payload: As received.
            again: The broker may have delivered it before.
        """
        taken = Taken()
        try:
            document = self._document(payload)
        except UnreadableError as error:
            taken.problems.append(error.reason)
            taken.readings += [_unreadable(name, again=again) for name, _ in self._sources]
            return taken
        absent = []
        for name, source in self._sources:
            try:
                taken.readings.append(_reading(name, source, document, payload, taken.problems, again=again))
            except _AbsentError:
                absent.append(name)
            except UnreadableError as error:
                taken.problems.append(error.reason)
                taken.readings.append(_unreadable(name, again=again))
        if absent and len(absent) == len(self._sources):
            taken.problems.append("no_such_path")
            taken.readings += [_unreadable(name, again=again) for name in absent]
        else:
            taken.problems += ["absent"] * len(absent)
        return taken

    def _document(self, payload: bytes) -> object:
        """Decode JSON once for all tags; a topic of plain numbers has no document."""
        if len(payload) > MAX_PAYLOAD_BYTES:
            raise UnreadableError("too_large", f"{len(payload)} bytes, at most {MAX_PAYLOAD_BYTES} are read")
        if all(source.format is SourceFormat.NUMBER for _, source in self._sources):
            return None
        try:
            return msgspec.json.decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise UnreadableError("not_json", str(error)) from None


class _AbsentError(Exception):
    """The payload has nothing at a path."""


def _reading(
    name: str, source: Source, document: object, payload: bytes, problems: list[str], *, again: bool
) -> Reading:
    if source.format is SourceFormat.NUMBER:
        return Reading(name, _text_number(payload.decode("ascii", "replace")), None, again=again)
    number = _number(_at(document, source.path))
    severity, reason, time_ms = Quality.GOOD, Reason.NONE, None
    if source.quality_path:
        severity, reason = _quality(document, source.quality_path, problems)
    if source.time_path:
        time_ms = _time_ms(document, source.time_path)
        if time_ms is None:
            problems.append("bad_time")
            if severity is Quality.GOOD:  # still a value: it counts as of now, and is marked
                severity, reason = Quality.UNCERTAIN, Reason.OTHER
    return Reading(name, number, time_ms, severity, reason, again)


def _unreadable(name: str, *, again: bool) -> Reading:
    return Reading(name, None, None, Quality.BAD, Reason.UNREADABLE, again)


def _at(document: object, path: tuple[str, ...]) -> object:
    """Follow keys of objects and decimal indexes of lists.

    Raises:
        _AbsentError: There is nothing.
    """
    here = document
    for step in path:
        if isinstance(here, dict) and step in here:
            here = here[step]
        elif isinstance(here, list) and step.isascii() and step.isdecimal() and int(step) < len(here):
            here = here[int(step)]
        else:
            raise _AbsentError
    return here


def _number(found: object) -> float | None:
    """Return a JSON value as a number; null is the source's own word for "no number".

    Raises:
        UnreadableError: It is no number.
    """
    match found:
        case None:
            return None
        case bool():
            raise UnreadableError("not_a_number", f"found {found}")
        case int() | float():
            try:
                return float(found)
            except OverflowError:
                return float("inf")
        case str():
            return _text_number(found)
        case _:
            raise UnreadableError("not_a_number", f"found {type(found).__name__}")


def _text_number(text: str) -> float:
    """Read decimal digits with sign and exponent, nothing else ("1_000" and "١" are no readings).

    Raises:
        UnreadableError: It is no number.
    """
    stripped = text.strip()
    if _NUMBER.fullmatch(stripped) or _NO_NUMBER.fullmatch(stripped):
        return float(stripped)
    raise UnreadableError("not_a_number", f"found {stripped[:40]!r}")


def _time_ms(document: object, path: tuple[str, ...]) -> int | None:
    """Return epoch milliseconds, or None when there is no such time."""
    try:
        number = _number(_at(document, path))
    except (_AbsentError, UnreadableError):
        return None
    if number is None or not 0 <= number <= LATEST_TIME_MS:
        return None
    return int(number)


def _quality(document: object, path: tuple[str, ...], problems: list[str]) -> tuple[Quality, Reason]:
    """Return what the device says of its value; when that cannot be read, the value is uncertain."""
    try:
        found = _at(document, path)
    except _AbsentError:
        found = None
    for severity, reason in _SAID.items():
        if found == severity and isinstance(found, int | float) and not isinstance(found, bool):
            return severity, reason
    problems.append("bad_quality")
    return Quality.UNCERTAIN, Reason.OTHER


_SAID = {Quality.GOOD: Reason.NONE, Quality.UNCERTAIN: Reason.DEVICE, Quality.BAD: Reason.DEVICE}
