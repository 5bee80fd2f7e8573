"""The example of docs/notification.md is a duty file that loads, with its channels."""

from __future__ import annotations

import re
from pathlib import Path

from config.duty.channels import read_channels
from config.duty.load import read_duty

PAGE = Path(__file__).parents[2] / "docs" / "notification.md"


def test_the_example_loads() -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    duty = read_duty(example, "duty.yaml")
    assert sorted(duty.ladders) == ["normal", "urgent"]
    assert list(read_channels(duty.channels)) == ["room"]
    assert duty.handling.acknowledge_ms[1] == 180_000
    assert duty.handling.re_alarm_ms[1] == 1_800_000, "what is left out stays as it is"
