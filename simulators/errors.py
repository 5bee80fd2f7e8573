"""Errors of the `simulators` room.

SimulatorError
 +-- ScenarioError       a scenario file is wrong, or does not fit its plant; carries every problem found
 +-- ReplayError         a recording or its map cannot be used; carries every problem found
 +-- EncodingError       a tag whose source cannot carry what it is asked to carry
"""

from __future__ import annotations

from config.errors import Problem

__all__ = ["EncodingError", "ReplayError", "ScenarioError", "SimulatorError"]


class SimulatorError(Exception):
    """Base of every error this room raises."""


class ScenarioError(SimulatorError):
    """A scenario cannot be played. All its problems are reported together."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


class ReplayError(SimulatorError):
    """A recording cannot be replayed. All its problems are reported together."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


class EncodingError(SimulatorError):
    """A tag's source cannot carry what it is asked to carry."""
