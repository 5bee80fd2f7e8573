"""From a duty document to a duty: names are looked up, patterns are spelt out."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from config.duty.document import DutyDocument, HandlingDocument, LadderDocument, RosterDocument
from config.duty.handling import DEFAULT_HANDLING, Handling
from config.duty.model import (
    Duty,
    Ladder,
    ListedShift,
    Person,
    Quiet,
    Role,
    Roster,
    SelfTest,
    ShiftHours,
    Step,
    Storm,
)
from config.duty.patterns import PATTERNS, cycle_of
from config.plant.findings import Findings, one_of
from config.plant.yaml_lines import Path

__all__ = ["build_duty"]

_MINUTE_MS = 60_000
_EPOCH = datetime.fromtimestamp(0, UTC).date()


def build_duty(document: DutyDocument, findings: Findings) -> Duty:
    """Return the duty a document describes; what refers to nothing is noted in ``findings``."""
    check = _Check(document, findings)
    check.zone(("time_zone",), document.time_zone)
    people = {key: Person(key, one.name, one.phone, one.email, one.account) for key, one in document.people.items()}
    roles = {key: Role(key, one.roster or "", one.people) for key, one in document.roles.items()}
    for key, role in document.roles.items():
        check.people(("roles", key, "people"), role.people)
        if role.roster is not None:
            check.known(("roles", key, "roster"), role.roster, document.rosters)
            if role.people:
                findings.add(("roles", key), "a roster and people", "one of the two")
    return Duty(
        people=people,
        roles=roles,
        rosters={key: _roster(key, one, check) for key, one in document.rosters.items()},
        channels=document.channels,
        ladders={key: _ladder(key, one, check) for key, one in document.ladders.items()},
        self_test=_self_test(document, check),
        zone=document.time_zone,
        handling=_handling(document.handling),
    )


class _Check:
    """Looks names up."""

    def __init__(self, document: DutyDocument, findings: Findings) -> None:
        self.document = document
        self.findings = findings

    def known(self, path: Path, name: str, among: Collection[str]) -> None:
        """Note a name that nothing has."""
        if name not in among:
            self.findings.add(path, repr(name), one_of(name, among))

    def people(self, path: Path, names: Collection[str]) -> None:
        """Note people that nobody is."""
        for at, name in enumerate(names):
            self.known((*path, at), name, self.document.people)

    def role_and_channels(self, path: Path, role: str, channels: Collection[str]) -> None:
        """Note a role or channels that do not exist."""
        self.known((*path, "role"), role, self.document.roles)
        for at, name in enumerate(channels):
            self.known((*path, "channels", at), name, self.document.channels)

    def zone(self, path: Path, name: str) -> None:
        """Note a time zone that does not exist."""
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            self.findings.add(path, repr(name), 'an IANA time zone such as "Asia/Shanghai"')


def _roster(key: str, one: RosterDocument, check: _Check) -> Roster:
    path: Path = ("rosters", key)
    check.zone((*path, "time_zone"), one.time_zone)
    for team, people in one.teams.items():
        check.people((*path, "teams", team), people)
    for at, listed in enumerate(one.listed):
        check.people((*path, "listed", at, "people"), listed.people)
        if listed.end <= listed.begin:
            check.findings.add((*path, "listed", at, "end"), "an end before the begin", "a later moment")
    if one.pattern is None and not one.listed:
        check.findings.add(path, "neither a pattern nor listed shifts", "one of the two")
    if one.pattern is not None and one.begins is None:
        check.findings.add(path, "no begins", "the first day of the cycle")
    hours, pattern = _pattern(path, one, check)
    return Roster(
        id=key,
        zone=one.time_zone,
        begins=one.begins or _EPOCH,
        hours=hours,
        pattern=pattern,
        teams=one.teams,
        listed=tuple(ListedShift(each.begin, each.end, each.people, each.name) for each in one.listed),
    )


def _pattern(
    path: Path, one: RosterDocument, check: _Check
) -> tuple[Mapping[str, ShiftHours], dict[str, tuple[str, ...]]]:
    """Return hours and cycle; empty where the document is wrong."""
    own = {kind: ShiftHours(hours.start, hours.end) for kind, hours in one.hours.items()}
    if one.pattern is None:
        return own, {}
    if isinstance(one.pattern, str):
        known = PATTERNS.get(one.pattern)
        check.known((*path, "pattern"), one.pattern, PATTERNS)
        if known is None:
            return own, {}
        if not one.teams or (known.teams and len(one.teams) != known.teams):
            check.findings.add((*path, "teams"), f"{len(one.teams)} teams", f"{known.teams or 'at least one'}")
            return own, {}
        return {**known.hours, **own}, cycle_of(known, list(one.teams))
    pattern = {team: tuple(kind or "" for kind in days) for team, days in one.pattern.items()}
    if len({len(days) for days in pattern.values()}) > 1:
        check.findings.add((*path, "pattern"), "cycles of several lengths", "the same number of days for each team")
    for team, days in pattern.items():
        check.known((*path, "pattern", team), team, one.teams)
        for at, kind in enumerate(days):
            if kind:
                check.known((*path, "pattern", team, at), kind, own)
    complete = all(not kind or kind in own for days in pattern.values() for kind in days)
    return own, pattern if complete else {}


def _ladder(key: str, one: LadderDocument, check: _Check) -> Ladder:
    path: Path = ("ladders", key)
    for at, step in enumerate(one.steps):
        check.role_and_channels((*path, "steps", at), step.role, step.channels)
    if one.quiet is not None:
        check.zone((*path, "quiet", "time_zone"), one.quiet.time_zone)
    if one.again_every is not None and one.again_every < _MINUTE_MS:
        check.findings.add((*path, "again_every"), f"{one.again_every} ms", "at least 1min")
    return Ladder(
        id=key,
        tiers=frozenset(int(tier) for tier in one.tiers),
        steps=tuple(Step(step.role, step.channels, step.wait) for step in one.steps),
        again_every_ms=one.again_every,
        give_up_ms=one.give_up,
        tell_over=one.tell_over,
        storm=Storm(one.storm.over, one.storm.hold, one.storm.every),
        quiet=None if one.quiet is None else Quiet(**dict(_quiet(one.quiet.model_dump()))),
    )


def _quiet(written: dict[str, Any]) -> dict[str, Any]:
    return {"zone": written.pop("time_zone"), **written}


def _self_test(document: DutyDocument, check: _Check) -> SelfTest | None:
    one = document.self_test
    if one is None:
        return None
    check.zone(("self_test", "time_zone"), one.time_zone)
    check.role_and_channels(("self_test",), one.role, one.channels)
    return SelfTest(one.at, one.time_zone, one.channels, one.role, one.within)


def _handling(one: HandlingDocument) -> Handling:
    changes: dict[str, Any] = {}
    for name in ("acknowledge", "measure", "re_alarm"):
        minutes: list[float | None] | None = getattr(one, f"{name}_min")
        if minutes is not None:
            given = {tier: round(each * _MINUTE_MS) for tier, each in enumerate(minutes, 1) if each is not None}
            changes[f"{name}_ms"] = given
    base = DEFAULT_HANDLING
    shelving = _given(longest_ms=one.shelve_longest)
    if one.shelve_forbidden is not None:
        # Red alarms are never shelved, whatever a site writes.
        shelving["forbidden_tiers"] = frozenset({1} | {int(tier) for tier in one.shelve_forbidden})
    flood = _given(over=one.flood_over, ends_below=one.flood_ends_below, within_ms=one.flood_within)
    chatter = _given(times=one.chatter_times, within_ms=one.chatter_within)
    changes |= {
        "shelving": replace(base.shelving, **shelving),
        "flood": replace(base.flood, **flood),
        "chatter": replace(base.chatter, **chatter),
        **_given(standing_ms=one.standing, audit_keep_days=one.audit_keep_days, source=one.source),
    }
    return replace(base, **changes)


def _given(**values: object) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
