"""What every service of this room is given."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Engine

from config.clock import Clock
from config.plant.model import Plant
from config.prevention import Prevention
from gateway.live import Board
from gateway.registry.store import Registry

__all__ = ["Means"]


@dataclass(frozen=True, slots=True)
class Means:
    """Where services find and keep what they need.

    Args:
        writing: For short transactions beside the pipeline.
        reader: Cannot write.
        clock: Wall.
        registry: Of the records.
        plant: What is watched.
        board: What it reads now.
        rules: Dated figures.
    """

    writing: Engine
    reader: Engine
    clock: Clock
    registry: Registry
    plant: Plant
    board: Board
    rules: Prevention
