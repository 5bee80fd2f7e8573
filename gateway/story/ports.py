"""The other rooms that have something to tell; a gateway may be without any of them."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.dangers.desk import Dangers
from gateway.grading.book import GradeBook
from gateway.prevention.app import Prevention
from gateway.risks.book import Risks

__all__ = ["Others"]


@dataclass(frozen=True, slots=True)
class Others:
    """What they know; None: there is no such room, and its part is empty."""

    grades: GradeBook | None = None
    dangers: Dangers | None = None
    risks: Risks | None = None
    prevention: Prevention | None = None
