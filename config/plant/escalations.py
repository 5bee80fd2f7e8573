"""From the escalations written in a plant file to its rules: when the tier of an alarm rises."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from config.plant.checks import References
from config.plant.document import EscalationDocument
from config.plant.model import (
    Condition,
    Escalation,
    EscalationScope,
    KOfN,
    Tag,
    Tier,
    Together,
    Unacknowledged,
)
from config.plant.yaml_lines import Path

__all__ = ["build_escalations", "in_short"]

_KEYS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "k_of_n": (("tier", "at_least", "conditions"), ("hazard_unit", "kind", "tags")),
    "together": (("tier", "conditions"), ("vessel", "on")),
    "unacknowledged": (("tiers", "after"), ("tier",)),
}
"""`when` -> the keys that must be there, and those that may."""


def build_escalations(
    written: Mapping[str, EscalationDocument], tags: Mapping[str, Tag], references: References
) -> dict[str, Escalation]:
    """Return the rules in the order of the file, noting what is wrong with them.

    Args:
        written: What the file says, by the name of the rule.
        tags: The tags that could be built.
        references: What may be referred to.
    """
    rules: dict[str, Escalation] = {}
    for name, document in written.items():
        builder = _Builder(name, document, tags, references)
        rule = builder.build()
        if rule is not None:
            rules[name] = rule
    return rules


def in_short(rule: Escalation) -> str:
    """Return what makes alarms rise, in a few symbols that need no translation: ``>= 2 of HH @ cl2``."""
    if isinstance(rule, Unacknowledged):
        return f"{', '.join(tier.name.lower() for tier in rule.tiers)} > {rule.after_ms / 1000:g} s"
    if isinstance(rule, Together):
        return f"{' + '.join(rule.conditions)} @ {rule.vessel or '*'} ({rule.on.value})"
    where = ", ".join((rule.hazard_unit or "*", *((rule.kind.value,) if rule.kind else ()), *rule.tags))
    return f">= {rule.at_least} of {' | '.join(rule.conditions)} @ {where}"


@dataclass(frozen=True, slots=True)
class _Builder:
    """One escalation of the file."""

    name: str
    document: EscalationDocument
    tags: Mapping[str, Tag]
    references: References

    def build(self) -> Escalation | None:
        """Return the rule; None when a key is missing."""
        known = self._names_known()
        if not self._keys_fit():
            return None
        match self.document.when:
            case "k_of_n":
                return self._k_of_n(known=known)
            case "together":
                return self._together(known=known)
            case "unacknowledged":
                return self._unacknowledged()

    def _path(self, *keys: str) -> Path:
        return ("escalations", self.name, *keys)

    def _note(self, key: str, found: str, allowed: str, *, of_key: bool = False) -> None:
        self.references.findings.add(self._path(key), found, allowed, of_key=of_key)

    def _names_known(self) -> bool:
        """Check that what the rule refers to is there."""
        document, known = self.document, self.references.known
        named = [("tags", "tags", name) for name in dict.fromkeys(document.tags or ())]
        named += [("hazard_units", "hazard_unit", document.hazard_unit)] if document.hazard_unit is not None else []
        named += [("vessels", "vessel", document.vessel)] if document.vessel is not None else []
        found = [known(section, name, self._path(key)) for section, key, name in named]
        return all(found)

    def _keys_fit(self) -> bool:
        """Check that the keys are those of this kind of rule; say whether all required ones could be read."""
        when = self.document.when
        required, optional = _KEYS[when]
        for key in self.document.model_fields_set - {"when", *required, *optional}:
            self._note(key, f"{key!r} beside when: {when}", "one of " + ", ".join(required + optional), of_key=True)
        missing = [key for key in required if getattr(self.document, key) is None]
        for key in missing:
            if not self.references.findings.written(self._path(key)):
                self._note(key, "the key is missing", f"{key!r} is required with when: {when}", of_key=True)
        return not missing

    def _k_of_n(self, *, known: bool) -> KOfN:
        document = self.document
        rule = KOfN(
            id=self.name,
            tier=document.tier or Tier.RED,
            at_least=document.at_least or 0,
            conditions=_distinct(document.conditions),
            hazard_unit=document.hazard_unit or "",
            kind=document.kind,
            tags=tuple(dict.fromkeys(document.tags or ())),
        )
        if known and not self.references.findings.problems:
            self._check_enough(rule)
        return rule

    def _check_enough(self, rule: KOfN) -> None:
        """Check that so many points can be in alarm at all."""
        per_unit: dict[str, int] = {}
        for tag in self.tags.values():
            if rule.concerns(tag) and _can_alarm(tag, rule.conditions):
                per_unit[tag.hazard_unit] = per_unit.get(tag.hazard_unit, 0) + 1
        most = max(per_unit.values(), default=0)
        if most < rule.at_least:
            self._note("at_least", f"{rule.at_least}", f"at most {most}: no hazard unit has more such points")

    def _together(self, *, known: bool) -> Together:
        document, conditions = self.document, _distinct(self.document.conditions)
        if len(conditions) < 2:  # noqa: PLR2004 - one alone is together with nothing
            self._note("conditions", ", ".join(conditions), "at least two different conditions")
        scope = EscalationScope(document.on or EscalationScope.VESSEL)
        rule = Together(self.name, document.tier or Tier.RED, conditions, document.vessel or "", scope)
        if known and not self.references.findings.problems:
            self._check_possible(rule)
        return rule

    def _check_possible(self, rule: Together) -> None:
        """Check that some vessel (or tag) has all the conditions."""
        found: dict[str, set[Condition]] = {}
        for tag in self.tags.values():
            if rule.concerns(tag):
                place = tag.name if rule.on is EscalationScope.TAG else tag.vessel
                found.setdefault(place, set()).update(one.condition for one in tag.conditions if one.enabled)
        if any(set(rule.conditions) <= conditions for conditions in found.values()):
            return
        where = rule.vessel or f"any {rule.on.value}"
        allowed = f"conditions that are defined and enabled together on {where}"
        self._note("conditions", ", ".join(rule.conditions), allowed)

    def _unacknowledged(self) -> Unacknowledged:
        document = self.document
        tiers = tuple(sorted(set(document.tiers or ())))
        if document.tier is None and Tier.RED in tiers:
            self._note("tiers", "red", "orange, yellow or blue: there is nothing above red")
        if document.tier is not None and any(tier <= document.tier for tier in tiers):
            worse = ", ".join(tier.name.lower() for tier in Tier if tier < min(tiers)) or "none: nothing is above red"
            self._note("tier", document.tier.name.lower(), f"a tier above all of `tiers`: {worse}")
        if not document.after:
            self._note("after", "0 s", "a time longer than 0 s")
        return Unacknowledged(self.name, document.tier, tiers, document.after or 0)


def _can_alarm(tag: Tag, conditions: tuple[Condition, ...]) -> bool:
    return any(rule.enabled and rule.condition in conditions for rule in tag.conditions)


def _distinct(conditions: list[Condition] | None) -> tuple[Condition, ...]:
    return tuple(dict.fromkeys(conditions or ()))
