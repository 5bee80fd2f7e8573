"""The state of an engine as bytes, and back; refused with a clear error when it does not fit the rules.

Layout: four magic bytes, version (u16), CRC-32 of the rest (u32), then MessagePack of `_Body`. Columns are
little-endian arrays; of the [condition, row] tables only the cells that differ from a fresh state are written, each
with its own rule, so that a later restore can tell which rules changed.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import Final, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from alerting.errors import SnapshotError
from alerting.rings import CELL, EMPTY, Rings
from alerting.rules import DEV, NOBODY, SLOTS, STALE, WINDOWED_CONDITIONS, Rules
from alerting.state import IDLE, State
from config.plant.model import CONDITIONS

__all__ = ["VERSION", "Reset", "pack_state", "unpack_state", "unpack_unchanged"]

VERSION: Final = 2
_MAGIC: Final = b"HZAS"
_HEADER: Final = struct.Struct("<4sHI")

_COLUMNS: Final = ("clock_ms", "received_ms", "heard_ms", "value", "quality", "stale")
_TABLES: Final = ("active", "pending", "onset_ms", "held_ms", "changed_ms")


G = TypeVar("G", bound=np.generic)


class _Body(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    digest: str
    """Of the rules, as far as the snapshot has rows."""
    names: list[str]
    conditions: list[str]
    latest_ms: int
    columns: dict[str, bytes]
    cells: bytes
    """u32 positions in a flattened [row, condition] table (so that appended rows do not move them)."""
    tables: dict[str, bytes]
    """State of these cells."""
    reference: bytes
    """What DEV compares with, of these cells; NaN for other conditions."""
    rule: dict[str, bytes]
    """Rule of these cells: what has to be the same for the state to go on."""
    windows: dict[str, bytes]
    """Windows with a sample in them: ``row`` (u32), ``slot``, ``open``, ``cell``, and what has to be the same."""


@dataclass(frozen=True, slots=True, eq=False)
class Reset:
    """Alarms that were active under a rule that changed; the engine no longer knows them. Same length m."""

    tag: NDArray[np.int32]
    condition: NDArray[np.uint8]
    """Position in `config.plant.model.CONDITIONS`."""
    onset_ms: NDArray[np.int64]

    def __len__(self) -> int:
        """Return the number of alarms."""
        return len(self.tag)


def pack_state(rules: Rules, state: State) -> bytes:
    """Return the state as bytes."""
    used = state.active | (state.pending != IDLE) | (state.changed_ms != 0)
    row, condition = np.nonzero(used.T)
    body = _Body(
        digest=rules.digest,
        names=list(rules.names),
        conditions=[str(name) for name in CONDITIONS],
        latest_ms=state.latest_ms,
        columns={name: _to_bytes(getattr(state, name)) for name in _COLUMNS},
        cells=_to_bytes((row * len(CONDITIONS) + condition).astype(np.uint32)),
        tables={name: _to_bytes(getattr(state, name)[condition, row]) for name in _TABLES},
        reference=_to_bytes(np.where(condition == DEV, state.reference[row], np.nan)),
        rule={name: _to_bytes(column) for name, column in _rule_of(rules, condition, row).items()},
        windows=_pack_windows(rules, state.rings),
    )
    payload = msgspec.msgpack.encode(body)
    return _HEADER.pack(_MAGIC, VERSION, zlib.crc32(payload)) + payload


def unpack_state(rules: Rules, payload: bytes) -> State:
    """Return the state as it was; rows the rules have beyond it are fresh.

    Raises:
        SnapshotError: It is damaged, of another version, or of other rules.
    """
    body = _open(payload)
    rows = _check_names(rules, body)
    if body.digest != rules.digest_of(rows):
        raise SnapshotError(
            f"snapshot of the rules {body.digest[:12]}, but the rules of its {rows} tags now are "
            f"{rules.digest_of(rows)[:12]}: restore it with the rules it was taken under, or as changed rules"
        )
    state, condition, row = _columns(rules, body, rows)
    _fill(state, body, condition, row, np.ones(len(row), np.bool_))
    _fill_windows(rules, state.rings, body)
    return state


def unpack_unchanged(rules: Rules, payload: bytes) -> tuple[State, Reset]:
    """Return the state of the conditions whose rule is the same, and the active alarms of the others.

    Raises:
        SnapshotError: It is damaged, of another version, or its tags are not the first rows of the rules.
    """
    body = _open(payload)
    state, condition, row = _columns(rules, body, _check_names(rules, body))
    same = np.ones(len(row), np.bool_)
    for name, column in _rule_of(rules, condition, row).items():
        old = _from_bytes(body.rule[name], column.dtype)
        same &= (old == column) | (np.isnan(old) & np.isnan(column))
    _fill(state, body, condition, row, same)
    _fill_windows(rules, state.rings, body)
    # A silence is announced once; where STALE starts fresh or is newly enabled the next tick looks again.
    state.stale &= state.active[STALE] | ~rules.enabled[STALE]
    gone = ~same & _from_bytes(body.tables["active"], state.active.dtype)
    onset_ms = _from_bytes(body.tables["onset_ms"], state.onset_ms.dtype)[gone]
    return state, Reset(row[gone].astype(np.int32), condition[gone].astype(np.uint8), onset_ms)


def _open(payload: bytes) -> _Body:
    if len(payload) < _HEADER.size or payload[: len(_MAGIC)] != _MAGIC:
        raise SnapshotError(f"{len(payload)} bytes that are no engine snapshot: it starts with {payload[:8]!r}")
    _, version, checksum = _HEADER.unpack_from(payload)
    if version != VERSION:
        raise SnapshotError(f"snapshot version {version}; this program reads version {VERSION}: replay the log instead")
    if zlib.crc32(payload[_HEADER.size :]) != checksum:
        raise SnapshotError("snapshot damaged: its checksum does not fit; use an older one, or replay the log")
    return msgspec.msgpack.decode(payload[_HEADER.size :], type=_Body)


def _check_names(rules: Rules, body: _Body) -> int:
    """Return the number of rows of the snapshot, all of which the rules must have in the same places."""
    known = [str(name) for name in CONDITIONS]
    if body.conditions != known[: len(body.conditions)]:
        raise SnapshotError(f"snapshot with the conditions {body.conditions}; this program knows {known}")
    rows = len(body.names)
    if rows > rules.count:
        raise SnapshotError(f"snapshot of {rows} tags; the rules have only {rules.count}: rows are never taken away")
    for row, (was, now) in enumerate(zip(body.names, rules.names, strict=False)):
        if was != now:
            raise SnapshotError(f"snapshot has the tag {was!r} in row {row}, the rules have {now!r}: rows never change")
    return rows


def _columns(rules: Rules, body: _Body, rows: int) -> tuple[State, NDArray[np.int64], NDArray[np.int64]]:
    """Return a state with the columns of the snapshot, and condition and row of its cells."""
    state = State.fresh(rules.count, len(rules.ringed))
    # Only clocks later than this are ever brought forward, so fresh rows must not be forgotten.
    state.latest_ms = body.latest_ms if rows == rules.count else state.latest_ms
    for name in _COLUMNS:
        column = getattr(state, name)
        column[:rows] = _from_bytes(body.columns[name], column.dtype)
    row, condition = np.divmod(_from_bytes(body.cells, np.dtype(np.uint32)).astype(np.int64), len(body.conditions))
    return state, condition, row


def _fill(
    state: State, body: _Body, condition: NDArray[np.int64], row: NDArray[np.int64], wanted: NDArray[np.bool_]
) -> None:
    """Write the wanted cells of the snapshot into the tables of the state."""
    condition, row = condition[wanted], row[wanted]
    for name in _TABLES:
        table = getattr(state, name)
        table[condition, row] = _from_bytes(body.tables[name], table.dtype)[wanted]
    compared = condition == DEV
    state.reference[row[compared]] = _from_bytes(body.reference, state.reference.dtype)[wanted][compared]
    alive = state.active | (state.pending != IDLE)
    alive[STALE] = False
    state.busy[:] = alive.any(axis=0)


def _rule_of(
    rules: Rules, condition: NDArray[np.int64], row: NDArray[np.int64]
) -> dict[str, NDArray[np.float64] | NDArray[np.int64] | NDArray[np.bool_]]:
    """Return what decides the state of each cell."""
    return {
        "limit": rules.limit[condition, row],
        "deadband": rules.deadband[condition, row],
        "on_delay_ms": rules.on_delay_ms[condition, row],
        "off_delay_ms": rules.off_delay_ms[condition, row],
        "enabled": rules.enabled[condition, row],
        "allowance_ms": np.where(condition == STALE, rules.stale_after_ms[row], rules.hold_ms[row]),
        "window_ms": np.where(np.isin(condition, WINDOWED_CONDITIONS), rules.window_ms[row], 0),
        "partner": np.where(condition == DEV, rules.partners[0][row], NOBODY),
        "other_partner": np.where(condition == DEV, rules.partners[1][row], NOBODY),
    }


def _pack_windows(rules: Rules, rings: Rings) -> dict[str, bytes]:
    """Return the windows that hold something."""
    ring = np.flatnonzero(rings.slot != EMPTY)
    row = rules.ringed.take(ring)
    return {
        "row": _to_bytes(row.astype(np.uint32)),
        "slot": _to_bytes(rings.slot[ring]),
        "open": rings.open[ring].tobytes(),
        "cell": rings.cell[ring].tobytes(),
    } | {name: _to_bytes(column) for name, column in _window_rule_of(rules, row).items()}


def _fill_windows(rules: Rules, rings: Rings, body: _Body) -> None:
    """Take the windows whose width and range are the same; the others fill anew."""
    row = _from_bytes(body.windows["row"], np.dtype(np.uint32)).astype(np.int64)
    ring = rules.ring.take(row)
    same = ring != NOBODY
    for name, column in _window_rule_of(rules, row).items():
        same &= _from_bytes(body.windows[name], column.dtype) == column
    ring = ring[same]
    rings.slot[ring] = _from_bytes(body.windows["slot"], rings.slot.dtype)[same]
    rings.open[ring] = np.frombuffer(body.windows["open"], CELL)[same]
    rings.cell[ring] = np.frombuffer(body.windows["cell"], CELL).reshape(-1, SLOTS)[same]


def _window_rule_of(rules: Rules, row: NDArray[np.int64]) -> dict[str, NDArray[np.float64] | NDArray[np.int64]]:
    return {
        "window_ms": rules.window_ms.take(row),
        "range_low": rules.range_low.take(row),
        "range_high": rules.range_high.take(row),
    }


def _from_bytes(column: bytes, dtype: np.dtype[G]) -> NDArray[G]:
    return np.frombuffer(column, dtype.newbyteorder("<")).astype(dtype, copy=False)


def _to_bytes(array: NDArray[np.generic]) -> bytes:
    return array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
