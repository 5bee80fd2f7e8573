"""From a duty file to who is told over what: the options of the commands that run a gateway."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from config.clock import SystemClock
from config.duty.channels import read_channels
from config.duty.load import load_duty
from config.errors import PlantError
from gateway.app import OnDuty
from gateway.errors import GatewayError
from gateway.notify.channels.registry import channel_of
from hazgate.arguments import wrong_use

__all__ = ["BaseUrl", "DutyFile", "read_on_duty"]

DutyFile = Annotated[
    Path | None,
    typer.Option("--duty", help="Duty file (YAML): people, rosters, ladders, channels; see `hazgate duty check`."),
]
BaseUrl = Annotated[str, typer.Option(help="Address of this gateway as people reach it, for links in messages.")]


def read_on_duty(file: Path | None, base_url: str) -> OnDuty:
    """Read a duty file and make its channels; what is wrong is printed with file and line, then exit 2."""
    if file is None:
        return OnDuty(base_url=base_url)
    try:
        duty = load_duty(file)
    except PlantError as error:
        for problem in error.problems:
            typer.echo(str(problem), err=True)
        raise typer.Exit(2) from error
    clock = SystemClock()
    try:
        channels = {name: channel_of(settings, clock) for name, settings in read_channels(duty.channels).items()}
    except (GatewayError, ValueError) as error:
        wrong_use(f"{file}: channels: {error}")
    return OnDuty(duty, channels, base_url)
