"""Log rows: the committed order of everything the engine has seen, samples and time alike.

A row of samples is kept as numpy columns (ADR 0003): what the engine evaluated is what a replay evaluates and what
history stores, and nobody parses JSON a second time.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from alerting.batch import Batch
from gateway.errors import RecordsError

__all__ = ["Kind", "LogRow", "decode_samples", "encode_samples"]


class Kind(IntEnum):
    """What a row of the log is."""

    SAMPLES = 1
    TICK = 2
    """The gateway's clock, once a second: time is part of the input."""
    START = 3
    """A gateway process took over: the silence before it was not the sensors'."""
    BACKLOG = 4
    """Samples of an earlier epoch: stored and evaluated in retrospect, never seen by the engine."""


@dataclass(frozen=True, slots=True)
class LogRow:
    """A row of the table `log`."""

    position: int
    kind: Kind
    received_ms: int
    samples: int = 0
    payload: bytes = b""


_SAMPLE_BYTES = 8 + 8 + 4 + 1 + 1


def encode_samples(batch: Batch, disposition: NDArray[np.uint8]) -> bytes:
    """Return the payload of a row of samples: time, value, tag, quality, disposition, column after column."""
    return b"".join(
        (
            batch.time_ms.astype("<i8", copy=False).tobytes(),
            batch.value.astype("<f8", copy=False).tobytes(),
            batch.tag.astype("<i4", copy=False).tobytes(),
            batch.quality.tobytes(),
            disposition.tobytes(),
        )
    )


def decode_samples(payload: bytes) -> tuple[Batch, NDArray[np.uint8]]:
    """Read what `encode_samples` wrote: the batch, quality as assessed, and the disposition of each sample.

    Raises:
        RecordsError: The payload is damaged.
    """
    count, rest = divmod(len(payload), _SAMPLE_BYTES)
    if rest:
        raise RecordsError(f"log row of {len(payload)} bytes: not a multiple of {_SAMPLE_BYTES}, the row is damaged")
    return (
        Batch(
            time_ms=np.frombuffer(payload, "<i8", count, 0),
            value=np.frombuffer(payload, "<f8", count, 8 * count),
            tag=np.frombuffer(payload, "<i4", count, 16 * count),
            quality=np.frombuffer(payload, np.uint8, count, 20 * count),
        ),
        np.frombuffer(payload, np.uint8, count, 21 * count),
    )
