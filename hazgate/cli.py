"""`hazgate`: the command line. Each command is one file in `hazgate/commands`, named here once."""

from __future__ import annotations

import importlib
import sys

import typer

__all__ = ["COMMANDS", "build", "main"]

COMMANDS: dict[str, str] = {
    "demo": "演示 · Broker, gateway, edges and a simulator in one go, to be watched.",
    "up": "一条命令运行内置规模 · Run the embedded broker and a gateway.",
    "broker": "Run the embedded MQTT broker · 运行内置消息代理",
    "gateway": "运行网关 · Run a gateway on a broker that is already there.",
    "backtest": "历史回测报警规则 · Compare today's and proposed alarm rules on the stored history.",
    "backup": "备份 · Back a gateway up into one file.",
    "restore": "恢复 · Restore a gateway from a backup.",
    "doctor": "体检 · Look at disk, clock, database, broker and certificates.",
    "user": "账号 · Accounts: list, add, reset, disable (on the records, for when nobody can sign in).",
    "audit": "审计 · Check and export the audit log.",
    "registry": "登记数据 · The registry: import, export, template (workbooks and tables).",
    "bench": "测量性能 · Measure throughput, delays and losses.",
    "edge": "运行边缘代理 · Run an edge agent.",
    "simulate": "模拟传感器 · Play a scenario of a plant, as its sensors would publish it.",
    "replay": "重放历史数据 · Publish recorded data as if sensors sent it.",
    "limits": "建议报警限 · Suggest limits, deadbands and delays from a normal period.",
    "openapi": "输出接口描述 · Print the OpenAPI document of the HTTP interface.",
    "duty": "检查、显示值班文件 · Check and show duty files: rosters, ladders, channels.",
    "config": "检查、显示工厂描述文件 · Check and show plant files, print their JSON Schema.",
}
"""Name -> one line of help. The file ``hazgate/commands/<name>.py`` has either ``app`` (a typer group) or ``run``."""


def build(wanted: str | None) -> typer.Typer:
    """Return the command line with only the wanted command's file imported, so that ``--help`` is quick.

    Args:
        wanted: Name of the command about to run; None imports none.
    """
    root = typer.Typer(
        name="hazgate",
        help="重大危险源物联网监测网关 · IoT monitoring gateway for major hazard sources.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
    )
    root.callback()(lambda: None)
    for name, line in COMMANDS.items():
        if name != wanted:
            root.command(name=name, help=line)(lambda: None)
            continue
        module = importlib.import_module(f"hazgate.commands.{name}")
        if hasattr(module, "app"):
            root.add_typer(module.app, name=name, help=line)
        else:
            root.command(name=name, help=line)(module.run)
    return root


def main() -> None:
    """Run the command named first on the command line. Exit: 0 done, 1 failed, 2 wrong use, 130 interrupted."""
    named = [word for word in sys.argv[1:] if not word.startswith("-")]
    try:
        build(named[0] if named else None)()
    except KeyboardInterrupt:  # while a command's file was being imported; later the command itself sees to it
        sys.exit(130)
