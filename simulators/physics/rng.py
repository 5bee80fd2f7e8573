"""One tree of random generators per seed, so that adding a tag never changes what the others draw."""

from __future__ import annotations

import zlib

import numpy as np

__all__ = ["branch"]


def branch(seed: int, label: str) -> np.random.Generator:
    """Return the generator that belongs to ``label`` under ``seed``; the same for the same two, everywhere.

    Args:
        seed: Seed of the whole run, >= 0.
        label: What draws from it, e.g. ``wind`` or ``tag/LT-101``.
    """
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, zlib.crc32(label.encode())])))
