"""How an edge agent does, in words and as JSON."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from edge.report import FRESH_S, EdgeReport

__all__ = ["as_json", "as_text"]


def as_json(report: EdgeReport, age_s: float) -> str:
    """Return the report as JSON, with whether the agent runs."""
    told: dict[str, Any] = {"running": age_s < FRESH_S, "age_s": round(age_s, 1), **msgspec.to_builtins(report)}
    return msgspec.json.format(msgspec.json.encode(told), indent=2).decode()


def as_text(report: EdgeReport, age_s: float) -> str:
    """Return the report as lines for an operator, Chinese with English beside it."""
    status = report.status
    runs = "运行中 runs" if age_s < FRESH_S else f"未运行 does not run (last seen {age_s:.0f} s ago)"
    share = 100 * status.outbox_bytes / report.max_bytes
    lines = [
        f"边缘 edge         {report.edge}: {runs}, pid {report.pid}",
        f"传感侧 plant side {_link(connected=report.plant_connected)}",
        f"上行 uplink       {_link(connected=report.uplink_connected)}",
        f"暂存 outbox       {status.outbox_frames} frames, {status.outbox_bytes / 1e6:.1f} MB, {share:.1f} % full"
        + (f", oldest {_moment(report.oldest_ms)}" if report.oldest_ms else ""),
        f"历元 epoch        {status.epoch}: made {status.made_frames} frames, kept {status.kept_frames}",
    ]
    if report.backlog_epochs:
        eta = "unknown" if status.backlog_eta_s is None else f"{status.backlog_eta_s} s"
        lines.append(
            f"积压 backlog      {status.backlog_frames} frames of {report.backlog_epochs} earlier epochs, done in {eta}"
        )
    if status.shed_samples:
        lines.append(f"舍弃 shed         {status.shed_samples} samples of this epoch: the outbox was full")
    lines += [f"故障 fault        {name}: {error}" for name, error in sorted(report.faults.items())]
    for alarm in sorted(report.alarms, key=lambda one: (one.tier, one.raised_ms)):
        cut = " (断网期间 while cut off)" if alarm.cut else ""
        lines.append(
            f"本地报警 alarm    {alarm.tier} {alarm.text_zh} / {alarm.text_en} {_moment(alarm.raised_ms)}{cut}"
        )
    if not report.alarms:
        lines.append("本地报警 alarms   none")
    return "\n".join(lines)


def _link(*, connected: bool) -> str:
    return "已连接 connected" if connected else "断开 cut off"


def _moment(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(sep=" ", timespec="seconds")
