"""`hazgate demo`: the product at work, on one machine, in one command."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Annotated, Never

import typer

from hazgate.arguments import http_address, wrong_use

__all__ = ["run"]

_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run(
    seconds: Annotated[
        float | None,
        typer.Option(help="Play so long, then judge. Not given: until Ctrl-C; with --report or --json: the scenario."),
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write what came of it to this file (JSON).")] = None,
    data: Annotated[Path | None, typer.Option(help="Data directory, kept; else a temporary one.")] = None,
    http: Annotated[
        str, typer.Option(help="Address of API and live page; a free port is taken when it is busy.")
    ] = "127.0.0.1:8080",
    seed: Annotated[int | None, typer.Option(help="Instead of the scenario's own.", min=0)] = None,
    scenario: Annotated[str, typer.Option(help="Name of a shipped scenario, or a file.")] = "demo",
    json_: Annotated[bool, typer.Option("--json", help="Answer in JSON, without a picture.")] = False,
) -> None:
    """演示：代理、网关、边缘、模拟器一次启动。 Start broker, gateway, edges and a simulator, and watch them work.

    Exit 0: everything kept, every alarm right, or ended by Ctrl-C (then nothing is judged). Exit 1: something was lost,
    missed or false, or did not run.
    """
    for number in _ENDING:
        signal.signal(number, _end_at_once)
    host, port = http_address(http)
    if host not in _LOOPBACK:
        wrong_use(f"--http {http}: the demo has no accounts and shows itself to this machine only: {_LOOPBACK}")
    if seconds is not None and not seconds >= 1.0:
        wrong_use(f"--seconds {seconds:g}: at least 1")
    if report is not None and not report.absolute().parent.is_dir():
        wrong_use(f"--report {report}: there is no directory {report.absolute().parent}")
    judged = seconds is not None or report is not None or json_
    if judged and data is not None and (data / "gateway").exists():
        wrong_use(
            f"--data {data} holds an earlier demo, whose alarms may still be active, so nothing could be judged: "
            "choose a new directory, or play without --seconds, --report and --json"
        )
    from hazgate.demo.show import Wish, play_demo  # noqa: PLC0415 - takes a second; wrong use is told before

    wish = Wish(
        scenario=scenario, seconds=seconds, report=report, data=data, host=host, port=port, seed=seed, as_json=json_
    )

    async def main() -> int:
        stop = asyncio.Event()
        for number in _ENDING:
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        return await play_demo(wish, stop)

    raise typer.Exit(asyncio.run(main()))


def _end_at_once(_number: int, _frame: object) -> Never:
    """End while the program is still being loaded."""
    typer.echo("已停止 Stopped by you: nothing had been started yet.")
    raise SystemExit(0)
