"""Beginning again at SIGHUP: a new process in the place of this one, with what the files say now."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Never

import structlog

from config.duty.channels import read_channels
from config.duty.load import load_duty
from config.errors import PlantError
from config.plant.load import load_plant
from config.settings import GatewaySettings
from gateway.app import https_context
from gateway.errors import GatewayError
from hazgate.arguments import plant_path

__all__ = ["Files", "begin_again", "may_begin_again"]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Files:
    """What a new process would read."""

    plant: str
    duty: Path | None


def may_begin_again(files: Files, settings: GatewaySettings) -> bool:
    """Say whether a new process would start: plant and duty file and certificate are right; why not is logged."""
    return _is_right(files.plant) and _is_agreed(files.duty) and _can_be_shown(settings)


def begin_again() -> Never:
    """Put a new process in the place of this one, which has come to its end."""
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "hazgate", *sys.argv[1:]])  # noqa: S606 - ourselves


def _can_be_shown(settings: GatewaySettings) -> bool:
    try:
        https_context(settings)
    except GatewayError as error:
        log.error("certificate_refused", reason=str(error))
        return False
    return True


def _is_agreed(duty: Path | None) -> bool:
    """Say whether a duty file, if there is one, could be read; its mistakes are logged."""
    if duty is None:
        return True
    try:
        read_channels(load_duty(duty).channels)
    except (PlantError, ValueError) as error:
        problems = [str(one) for one in error.problems] if isinstance(error, PlantError) else [str(error)]
        log.error("duty_refused", duty=str(duty), problems=problems[:20], total=len(problems))
        return False
    log.info("duty_taken", duty=str(duty))
    return True


def _is_right(plant: str) -> bool:
    """Say whether a plant file could be read; its mistakes are logged."""
    path = plant_path(plant)
    try:
        load_plant(path)
    except (PlantError, OSError) as error:
        problems = [str(one) for one in error.problems] if isinstance(error, PlantError) else [str(error)]
        log.error("plant_refused", plant=str(path), problems=problems[:20], total=len(problems))
        return False
    log.info("plant_taken", plant=str(path))
    return True
