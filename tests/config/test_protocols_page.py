"""The examples of docs/protocols.md are what the code reads."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from config.contract.alarms import LocalAlarm
from config.contract.frame import decode_frame
from config.contract.messages import AlarmState, EdgeStatus, Kept, decode, decode_point

PAGE = Path(__file__).parents[2] / "docs" / "protocols.md"
EXAMPLES = re.findall(r"```json (\w+)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
READ: dict[str, Callable[[bytes], object]] = {
    "frame": decode_frame,
    "point": decode_point,
    "kept": lambda payload: decode(payload, Kept),
    "status": lambda payload: decode(payload, EdgeStatus),
    "localalarm": lambda payload: decode(payload, LocalAlarm),
    "alarm": lambda payload: decode(payload, AlarmState),
}


def test_the_page_shows_every_kind_of_message() -> None:
    assert {kind for kind, _ in EXAMPLES} == set(READ)


@pytest.mark.parametrize(("kind", "text"), EXAMPLES)
def test_an_example_is_read_strictly(kind: str, text: str) -> None:
    assert READ[kind](text.encode()) is not None
