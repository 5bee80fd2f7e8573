"""Load a duty file: everything wrong in it is reported at once, each with file, line, key, found and allowed."""

from __future__ import annotations

from pathlib import Path

from config.duty.build import build_duty
from config.duty.document import DutyDocument
from config.duty.model import Duty
from config.errors import PlantError, Problem
from config.plant.findings import Findings, read_model
from config.plant.yaml_lines import read_yaml

__all__ = ["load_duty", "read_duty"]


def load_duty(path: Path) -> Duty:
    """Load what a duty file says.

    Raises:
        PlantError: With every problem found.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise PlantError((Problem(str(path), 0, "(file)", reason or "", "a readable YAML file, UTF-8"),)) from None
    return read_duty(text, str(path))


def read_duty(text: str, file: str) -> Duty:
    """Read the text of a duty file.

    Args:
        text: YAML.
        file: Name used in problems.

    Raises:
        PlantError: With every problem found.
    """
    lined = read_yaml(text, file)
    findings = Findings(file, lined)
    if lined.value is None and lined.problems:
        raise PlantError(findings.problems)
    document = read_model(lined, findings, DutyDocument)
    duty = None if document is None else build_duty(document, findings)
    if duty is None or findings.problems:
        raise PlantError(findings.problems)
    return duty
