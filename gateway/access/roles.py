"""Roles and what they may do, as one table; deny is what is not written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from config.plant.model import Plant, Text

__all__ = ["EVERYTHING", "ROLES", "ROLE_NAMES", "Caller", "Permission", "Role", "Scope"]


class Role(StrEnum):
    """What somebody is here for."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    SHIFT_LEAD = "shift_lead"
    ENGINEER = "engineer"
    ENTERPRISE = "enterprise"
    REGULATOR = "regulator"
    RESCUE = "rescue"
    ADMIN = "admin"
    AUDITOR = "auditor"


ROLE_NAMES: Mapping[Role, Text] = MappingProxyType(
    {
        Role.VIEWER: Text("查看", "viewer"),
        Role.OPERATOR: Text("值班员", "duty officer"),
        Role.SHIFT_LEAD: Text("值班长", "shift lead"),
        Role.ENGINEER: Text("工程师", "engineer"),
        Role.ENTERPRISE: Text("企业管理", "enterprise"),
        Role.REGULATOR: Text("监管", "regulator"),
        Role.RESCUE: Text("消防救援", "rescue"),
        Role.ADMIN: Text("系统管理员", "administrator"),
        Role.AUDITOR: Text("审计员", "auditor"),
    }
)


class Permission(StrEnum):
    """What can be allowed."""

    READ = "read"
    """Tags, history, alarms, the stream, the live page."""
    METRICS = "metrics"
    """Figures of the gateway itself, ledger, dead letters."""
    ALARM_ACT = "alarm.act"
    """Acknowledge, take back, reset, comment, assign, verify, note measures."""
    ALARM_CLOSE = "alarm.close"
    """Review and close."""
    ALARM_SHELVE = "alarm.shelve"
    ALARM_INHIBIT = "alarm.inhibit"
    """Suppress by a rule, take out of service."""
    SHIFT_SIGN = "shift.sign"
    DUTY_EDIT = "duty.edit"
    """Change who is on duty."""
    RULES_PROPOSE = "rules.propose"
    """Try alarm rules on the history."""
    INCIDENT_SHARE = "incident.share"
    ACCOUNTS_EDIT = "accounts.edit"
    AUDIT_READ = "audit.read"
    KPI_READ = "kpi.read"
    REGISTRY_EDIT = "registry.edit"
    """Write and import records: enterprises, units, vessels, people, papers, resources."""
    GRADE_FILE = "grade.file"
    """File the legal grade of a hazard unit."""
    DANGER_REPORT = "danger.report"
    """Report a hidden danger."""
    DANGER_RECTIFY = "danger.rectify"
    """Plan the five fixes, ask for more time, say that it is done."""
    DANGER_VERIFY = "danger.verify"
    """Grade, verify, close, return, cancel."""
    DANGER_SUPERVISE = "danger.supervise"
    """List for supervision (挂牌督办), publish."""
    RISK_EDIT = "risk.edit"
    """Write risks, measures, check tasks."""
    CHECK_DO = "check.do"
    """Report checks, patrols and inspections."""
    PERMIT_EDIT = "permit.edit"
    """Permits of special work."""
    COMMITMENT_SIGN = "commitment.sign"
    """The daily commitment (安全承诺)."""
    CATALOGUE_EDIT = "catalogue.edit"
    """Restricted substances, credit and blacklists."""
    INCIDENT_REPORT = "incident.report"
    """Report an accident upward (事故直报)."""
    PREVENTION_ACT = "prevention.act"
    """Warn neighbours and confirm their warnings (联防联控)."""


EVERYTHING = frozenset(Permission)

_P = Permission
_WATCH = frozenset({_P.READ, _P.KPI_READ})

ROLES: Mapping[Role, frozenset[Permission]] = MappingProxyType(
    {
        Role.VIEWER: frozenset({_P.READ}),
        Role.OPERATOR: _WATCH
        | {_P.ALARM_ACT, _P.ALARM_CLOSE, _P.ALARM_SHELVE, _P.SHIFT_SIGN, _P.METRICS}
        | {_P.DANGER_REPORT, _P.CHECK_DO, _P.PREVENTION_ACT},
        Role.SHIFT_LEAD: _WATCH
        | {_P.ALARM_ACT, _P.ALARM_CLOSE, _P.ALARM_SHELVE, _P.ALARM_INHIBIT}
        | {_P.SHIFT_SIGN, _P.DUTY_EDIT, _P.INCIDENT_SHARE, _P.METRICS}
        | {_P.DANGER_REPORT, _P.DANGER_RECTIFY, _P.DANGER_VERIFY, _P.CHECK_DO, _P.PERMIT_EDIT}
        | {_P.COMMITMENT_SIGN, _P.INCIDENT_REPORT, _P.PREVENTION_ACT},
        Role.ENGINEER: _WATCH
        | {_P.ALARM_INHIBIT, _P.RULES_PROPOSE, _P.METRICS, _P.REGISTRY_EDIT, _P.GRADE_FILE}
        | {_P.DANGER_REPORT, _P.DANGER_RECTIFY, _P.DANGER_VERIFY, _P.RISK_EDIT, _P.CHECK_DO, _P.PERMIT_EDIT},
        Role.ENTERPRISE: _WATCH
        | {_P.ALARM_ACT, _P.ALARM_CLOSE, _P.REGISTRY_EDIT, _P.GRADE_FILE}
        | {_P.DANGER_REPORT, _P.DANGER_RECTIFY, _P.DANGER_VERIFY, _P.RISK_EDIT, _P.CHECK_DO, _P.PERMIT_EDIT}
        | {_P.COMMITMENT_SIGN, _P.INCIDENT_REPORT, _P.PREVENTION_ACT},
        Role.REGULATOR: _WATCH
        | {_P.DANGER_REPORT, _P.DANGER_VERIFY, _P.DANGER_SUPERVISE, _P.CHECK_DO, _P.CATALOGUE_EDIT},
        Role.RESCUE: frozenset({_P.READ}),
        # Separation of duties: who makes accounts touches no alarm, and who reads the audit log makes no accounts.
        Role.ADMIN: frozenset({_P.READ, _P.METRICS, _P.ACCOUNTS_EDIT}),
        Role.AUDITOR: frozenset({_P.READ, _P.KPI_READ, _P.AUDIT_READ}),
    }
)


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose things somebody may see. Both empty: everybody's."""

    enterprises: frozenset[str] = frozenset()
    districts: frozenset[str] = frozenset()
    below: frozenset[str] = field(default=frozenset(), compare=False)
    """Districts that are part of these; filled in by the registry."""

    @property
    def whole(self) -> bool:
        """Nothing is hidden."""
        return not self.enterprises and not self.districts

    def covers(self, enterprise: str, district: str) -> bool:
        """Say whether something of an enterprise in a district may be seen."""
        return (
            self.whole
            or enterprise in self.enterprises
            or (bool(district) and (district in self.districts or district in self.below))
        )

    def hazard_units(self, plant: Plant) -> frozenset[str] | None:
        """Return the hazard units of a plant that may be seen; None: all. ``""`` stands for what is in none."""
        if self.whole:
            return None
        enterprise = plant.enterprise
        seen = {
            unit.id
            for unit in plant.hazard_units.values()
            if self.covers(unit.enterprise or enterprise.id, unit.district or enterprise.district)
        }
        return frozenset(seen | ({""} if self.covers(enterprise.id, enterprise.district) else set()))


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and what of it is allowed."""

    account: str
    name: str
    """As people call them."""
    role: Role | None
    """None: there are no accounts, and everybody may do everything."""
    permissions: frozenset[Permission]
    scope: Scope
    origin: str
    """Network address."""
    must_change_password: bool = False

    def may(self, permission: Permission) -> bool:
        """Say whether something is allowed."""
        return permission in self.permissions
