"""`hazgate edge`: one edge agent, from the sensors of its plant to the broker of the gateway; and how it does."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from config.clock import SystemClock
from config.errors import UnitError
from config.settings import EdgeSettings
from edge.app import run_edge
from edge.errors import EdgeError, UnknownDriverError, UnknownEdgeError
from edge.report import FRESH_S, read_report
from hazgate.arguments import BrokerPassword, PlantFile, broker_address, read_plant, wrong_use
from hazgate.edge_status import as_json, as_text
from hazgate.logs import log_for_operators

__all__ = ["app"]

app = typer.Typer(help="运行边缘代理 · Run an edge agent.")

_DEFAULT = EdgeSettings(edge="edge", data_dir=Path())


@app.command("status")
def status(
    data: Annotated[Path, typer.Option(help="Data directory of the agent.")],
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """显示边缘代理状态。 Say how an agent does: links, what waits, backlog, its own alarms. Exit 1: it does not run."""
    try:
        report = read_report(data)
    except EdgeError as error:
        typer.echo(f"hazgate edge status: {error}", err=True)
        raise typer.Exit(1) from error
    age_s = (SystemClock().wall_ms() - report.written_ms) / 1000
    runs = age_s < FRESH_S
    typer.echo(as_json(report, age_s) if json else as_text(report, age_s))
    if not runs:
        raise typer.Exit(1)


@app.callback(invoke_without_command=True)
def run(
    context: typer.Context,
    *,
    edge: Annotated[str, typer.Option(help="Which edge of the plant this is.")] = "",
    data: Annotated[Path | None, typer.Option(help="Data directory; the outbox lies in it.")] = None,
    plant: PlantFile = "demo",
    plant_broker: Annotated[
        str, typer.Option(help="Where the sensors publish: [mqtt://][user@]host[:port], mqtts://..[?ca=FILE] for TLS.")
    ] = "mqtt://127.0.0.1:1883",
    plant_broker_password_file: Annotated[Path | None, typer.Option(help="File with the password for it.")] = None,
    broker: Annotated[str, typer.Option(help="Where the gateway listens, likewise.")] = "mqtt://127.0.0.1:1883",
    broker_password_file: BrokerPassword = None,
    frame_max_samples: Annotated[int, typer.Option(help="A frame is closed at so many samples.")] = (
        _DEFAULT.frame_max_samples
    ),
    frame_max_delay_ms: Annotated[int, typer.Option(help="... or when its first sample is this old.")] = (
        _DEFAULT.frame_max_delay_ms
    ),
    outbox_max_bytes: Annotated[int, typer.Option(help="Beyond this the oldest frames are shed.")] = (
        _DEFAULT.outbox_max_bytes
    ),
    resend_after_s: Annotated[float, typer.Option(help="Resend when nothing is confirmed for so long.")] = (
        _DEFAULT.resend_after_s
    ),
    window_frames: Annotated[int, typer.Option(help="Frames sent and not yet confirmed, at most.")] = (
        _DEFAULT.window_frames
    ),
    live_window_s: Annotated[
        float, typer.Option(help="What waited longer is backlog: live data goes first, backlog behind it.")
    ] = _DEFAULT.live_window_s,
    backlog_samples_per_s: Annotated[float, typer.Option(help="How fast a backlog is sent, at most.")] = (
        _DEFAULT.backlog_samples_per_s
    ),
) -> None:
    """运行边缘代理：读取、归一、暂存、上送。 Run an edge agent: read, normalize, keep, send."""
    if context.invoked_subcommand:
        return
    if not edge or data is None:
        wrong_use("edge: --edge NAME and --data DIR are needed (or: hazgate edge status --data DIR)")
    described = read_plant(plant)
    try:
        settings = EdgeSettings(
            edge=edge,
            data_dir=data,
            plant_broker=broker_address(plant_broker, plant_broker_password_file),
            uplink_broker=broker_address(broker, broker_password_file),
            frame_max_samples=frame_max_samples,
            frame_max_delay_ms=frame_max_delay_ms,
            outbox_max_bytes=outbox_max_bytes,
            resend_after_s=resend_after_s,
            window_frames=window_frames,
            live_window_s=live_window_s,
            backlog_samples_per_s=backlog_samples_per_s,
        )
    except ValidationError as error:
        first = error.errors()[0]
        wrong_use(f"--{str(first['loc'][0]).replace('_', '-')} {first['input']}: {first['msg']}")

    log_for_operators()

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        await run_edge(settings, described, SystemClock(), stop)

    try:
        asyncio.run(main())
    except (UnknownEdgeError, UnknownDriverError, UnitError) as error:
        wrong_use(str(error))
    except EdgeError as error:
        typer.echo(f"hazgate edge: {error}", err=True)
        raise typer.Exit(1) from error
