"""Constructs what prevents: one service for each thing, and the loop that keeps their time."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.prevention.around import Around
from gateway.prevention.commitments import Commitments
from gateway.prevention.credit import Credit
from gateway.prevention.findings import Findings
from gateway.prevention.joint import Joint
from gateway.prevention.live import Surroundings
from gateway.prevention.means import Means
from gateway.prevention.permits import Permits
from gateway.prevention.ports import Dangers, OverdueChecks, TurnsIntoDanger
from gateway.prevention.reports import Reports
from gateway.prevention.restricted import Restricted
from gateway.prevention.rounds import Rounds

__all__ = ["Ports", "Prevention", "make_prevention"]


@dataclass(frozen=True, slots=True)
class Prevention:
    """Everything that prevents."""

    permits: Permits
    commitments: Commitments
    findings: Findings
    joint: Joint
    restricted: Restricted
    credit: Credit
    reports: Reports
    rounds: Rounds
    """Keeps time; runs where the pipeline runs."""


@dataclass(frozen=True, slots=True)
class Ports:
    """What other rooms do for this one; None: nothing yet."""

    dangers: Dangers | None = None
    checks: OverdueChecks | None = None
    reporting: TurnsIntoDanger | None = None


NO_PORTS = Ports()


def make_prevention(means: Means, ports: Ports = NO_PORTS) -> Prevention:
    """Put it together."""
    permits = Permits(means)
    commitments = Commitments(means, Surroundings(means, permits, ports.dangers, ports.checks))
    joint = Joint(means, Around(means))
    reports = Reports(means)
    turns = {"permits": permits.turn, "commitments": commitments.turn, "joint": joint.turn, "reports": reports.turn}
    findings = Findings(means, ports.reporting)
    return Prevention(
        permits=permits,
        commitments=commitments,
        findings=findings,
        joint=joint,
        restricted=Restricted(means),
        credit=Credit(means),
        reports=reports,
        rounds=Rounds(turns, means.clock),
    )
