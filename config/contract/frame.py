"""Frames: the columnar JSON in which an edge sends samples (design 5.2).

The strict reading of one frame lives here and is what both sides mean by a frame. The gateway reads many frames
at once in `gateway.ingest.decode`, bound to this definition by a property test.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

import msgspec

from config.contract.quality import REASON_NAMES
from config.contract.topics import is_tag_name
from config.errors import FrameError

__all__ = [
    "MAX_FRAME_BYTES",
    "MAX_SAMPLES",
    "SCHEMA",
    "Epoch",
    "Frame",
    "TimeMs",
    "check_frame",
    "decode_frame",
    "encode_frame",
]

SCHEMA = 1
MAX_SAMPLES = 10_000
MAX_FRAME_BYTES = 4 * 1024 * 1024
"""10 000 samples with the longest tag names take under 2 MiB; twice that is room, more is rubbish."""

LATEST_TIME_MS = 1 << 47
"""Year 6429: a time beyond this is no time. (Being far ahead of the gateway is another matter: CLOCK_SUSPECT.)"""

_POSITION = re.compile(r"0|[1-9][0-9]{0,3}")

Epoch = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{8,64}$")]
TimeMs = Annotated[int, msgspec.Meta(ge=0, le=LATEST_TIME_MS)]


class Frame(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Samples of one edge, column by column, in the order they were read."""

    schema: Literal[1]
    epoch: Epoch
    """Random id made together with the edge's outbox."""
    seq: Annotated[int, msgspec.Meta(ge=1, le=(1 << 53) - 1)]
    """Rises by one per frame of an epoch, from 1, without gaps."""
    sent_ms: TimeMs
    """Edge clock, UTC, when the frame was made (not when it was resent)."""
    tags: list[str]
    times_ms: list[TimeMs]
    """Source time, UTC."""
    values: list[float | None]
    """Canonical unit of the tag's quantity; null when there is no number."""
    quality: list[Annotated[int, msgspec.Meta(ge=0, le=2)]]
    """0 good, 1 uncertain, 2 bad."""
    reasons: dict[str, str] = {}
    """Sparse: position in the frame (decimal) -> a name of `config.contract.quality.Reason` in lower case."""
    oldest: bool = False
    """The edge holds nothing older in this epoch: whatever is missing below ``seq`` was kept by a gateway
    before, or was shed (``shed_samples``), and will never come."""
    shed_samples: Annotated[int, msgspec.Meta(ge=0, le=(1 << 53) - 1)] = 0
    """With ``oldest``: samples of this epoch the edge had to shed so far, in all."""


_decoder = msgspec.json.Decoder(Frame)
_encoder = msgspec.json.Encoder()


def encode_frame(frame: Frame) -> bytes:
    """Return the frame as it goes on the wire."""
    return _encoder.encode(frame)


def decode_frame(payload: bytes) -> Frame:
    """Read one frame strictly.

    Raises:
        FrameError: With the reason ``too_large``, ``not_json``, ``not_finite``, ``bad_shape``, ``bad_length`` or
            ``bad_tag``.
    """
    if len(payload) > MAX_FRAME_BYTES:
        raise FrameError("too_large", f"{len(payload)} bytes, at most {MAX_FRAME_BYTES} are allowed")
    try:
        frame = _decoder.decode(payload)
    except msgspec.ValidationError as error:
        raise FrameError("bad_shape", str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise FrameError(_why_not_json(payload), str(error)) from None
    check_frame(frame)
    return frame


def check_frame(frame: Frame) -> None:
    """Check what the types of a frame cannot say.

    Raises:
        FrameError: Unequal or forbidden lengths, a tag name of the wrong form, an unknown reason.
    """
    lengths = {len(frame.tags), len(frame.times_ms), len(frame.values), len(frame.quality)}
    if len(lengths) != 1:
        raise FrameError(
            "bad_length",
            f"tags {len(frame.tags)}, times_ms {len(frame.times_ms)}, values {len(frame.values)}, "
            f"quality {len(frame.quality)} must be equal",
        )
    count = lengths.pop()
    if not 1 <= count <= MAX_SAMPLES:
        raise FrameError("bad_length", f"{count} samples, 1-{MAX_SAMPLES} are allowed")
    for tag in frame.tags:
        if not is_tag_name(tag):
            raise FrameError("bad_tag", f"tag {tag[:140]!r} must match [A-Za-z0-9._-]{{1,128}}")
    check_reasons(frame.reasons, count)


def check_reasons(reasons: dict[str, str], count: int) -> None:
    """Check the sparse reasons of a frame of ``count`` samples.

    Raises:
        FrameError: A position outside the frame or a reason that is not known.
    """
    for position, reason in reasons.items():
        if not (_POSITION.fullmatch(position) and int(position) < count):
            raise FrameError("bad_shape", f"reasons: {position[:140]!r} is no position below {count}")
        if reason not in REASON_NAMES:
            raise FrameError("bad_shape", f"reasons: {reason[:140]!r} is none of {', '.join(REASON_NAMES)}")


def _why_not_json(payload: bytes) -> str:
    """Tell NaN and Infinity (which are not JSON, but are often sent) from other rubbish."""
    tokens = (b"NaN", b"Infinity")
    return "not_finite" if any(token in payload for token in tokens) else "not_json"
