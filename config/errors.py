"""Errors of the `config` room.

ConfigError
 +-- PlantError          a plant description (or another site file) is wrong; carries every problem found
 +-- UnitError           a unit or a conversion that does not exist
 +-- CertificateError    a certificate or key that cannot be used
 +-- ContractError       something that is not allowed on the wire
      +-- TopicError     an MQTT topic that is not one of ours
      +-- FrameError     a frame that breaks a rule; carries the reason it is counted under
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "CertificateError",
    "ConfigError",
    "ContractError",
    "FrameError",
    "PlantError",
    "Problem",
    "TopicError",
    "UnitError",
]


class ConfigError(Exception):
    """Base of every error this room raises."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a site file: where it is, what was found, what is allowed."""

    file: str
    line: int
    """1-based; 0 when the problem has no single place."""
    key: str
    """Dotted path, e.g. ``tags[12].limits.HH.tier``."""
    found: str
    allowed: str

    def __str__(self) -> str:
        """Render as ``file:line: key: found …; allowed: …``."""
        return f"{self.file}:{self.line}: {self.key}: {self.found}; {self.allowed}"


class PlantError(ConfigError):
    """A site file is wrong. All its problems are reported together."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


class UnitError(ConfigError):
    """A unit that is not known, or a conversion that has no meaning."""


class CertificateError(ConfigError):
    """A certificate or a private key cannot be read, or they do not belong together."""


class ContractError(ConfigError):
    """Something that is not allowed on the wire."""


class TopicError(ContractError):
    """An MQTT topic that is not one of ours."""


class FrameError(ContractError):
    """A frame that breaks a rule of the wire contract.

    Attributes:
        reason: The constant it is counted under, e.g. ``not_json``.
    """

    def __init__(self, reason: str, detail: str) -> None:
        self.reason = reason
        super().__init__(f"{reason}: {detail}")
