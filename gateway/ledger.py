"""The names under which the fate of every frame and sample of an edge is counted.

The sums that must hold, per edge (``/api/v1/ledger`` shows them and whether they do):

- frames: received = kept + duplicate + ahead (not accepted, will be resent) + refused
- samples received in accepted frames and points = stored + duplicate + rejected
- stored = evaluated + late
"""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Count"]


class Count(StrEnum):
    """A column of the loss ledger."""

    FRAMES_RECEIVED = "frames_received"
    FRAMES_KEPT = "frames_kept"
    FRAMES_DUPLICATE = "frames_duplicate"
    """A seq that was durable already; absorbed."""
    FRAMES_AHEAD = "frames_ahead"
    """A seq beyond the next one; not accepted, the edge resends it in order."""
    FRAMES_REFUSED = "frames_refused"
    """Dead-lettered whole."""
    FRAMES_MISSING = "frames_missing"
    """Frames the edge says will never come (kept by an earlier gateway, or shed)."""
    SAMPLES_SHED = "samples_shed"
    """Samples the edge says it had to shed."""
    POINTS_RECEIVED = "points_received"
    SAMPLES_RECEIVED = "samples_received"
    """In accepted frames and readable points."""
    SAMPLES_STORED = "samples_stored"
    """In the log; history follows it."""
    SAMPLES_EVALUATED = "samples_evaluated"
    SAMPLES_LATE = "samples_late"
    SAMPLES_DUPLICATE = "samples_duplicate"
    """Same tag, time and value again; dropped."""
    SAMPLES_REJECTED = "samples_rejected"
    """Unknown tag, or a tag of another edge; dead-lettered one by one."""
    SAMPLES_BAD = "samples_bad"
    """Stored, with bad quality."""
    SAMPLES_SKEWED = "samples_skewed"
    """Source clock more than 2 s ahead of the gateway."""
