"""What can go wrong with the system itself, how bad that is, and when it becomes an alarm.

Such an alarm has no tag of the plant: it is kept under a name like ``SYS.RECORDS_FULL`` or ``SYS.EDGE_OFFLINE.edge-a``,
with the condition SYSTEM, and stays until acknowledged: nobody shall miss that the gateway was blind for an hour.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from config.contract.messages import EdgeStatus
from config.plant.model import Condition, ConditionRule, EdgeKind, Plant, Text, Tier

__all__ = ["FAULTS", "Fault", "Finding", "Trouble", "Watch", "description_of", "edge_of", "fault_of", "rule_of"]

_PREFIX = "SYS."


@dataclass(frozen=True, slots=True)
class Fault:
    """A kind of trouble."""

    text: Text
    tier: Tier
    after_ms: int
    """It must last so long to become an alarm."""
    lasts_ms: int = 0
    """It counts as going on for so long after it was last seen."""


FAULTS: Mapping[str, Fault] = {
    "RECORDS_FULL": Fault(
        Text("记录库磁盘已满，数据滞留边缘", "records disk full, readings wait at the edges"), Tier.RED, 0
    ),
    "HISTORY_BEHIND": Fault(Text("历史库无法写入", "history cannot be written"), Tier.ORANGE, 60_000),
    "EDGE_OFFLINE": Fault(Text("边缘代理离线", "edge agent offline"), Tier.ORANGE, 60_000),
    "EDGE_SHEDS": Fault(Text("边缘暂存已满，正在舍弃数据", "edge outbox full, readings are shed"), Tier.RED, 0, 60_000),
    "EDGE_CANNOT_KEEP": Fault(Text("边缘无法存盘", "edge cannot keep readings"), Tier.RED, 10_000),
    "CLOCK_JUMPED": Fault(Text("网关时钟跳变", "gateway clock jumped"), Tier.YELLOW, 0, 600_000),
    "NOTIFY_SELF_TEST": Fault(
        Text("通知自检未通过", "self test of notifications has not come through"), Tier.ORANGE, 0
    ),
    "NOTIFY_FAILED": Fault(Text("通知未能送达", "a notification was not delivered"), Tier.ORANGE, 0),
    "NOTIFY_BEACON": Fault(Text("声光报警器失联", "beacon does not answer"), Tier.ORANGE, 30_000),
    "NOTIFY_STUCK": Fault(Text("通知停滞", "notifications stand still"), Tier.RED, 0),
}
"""Name -> fault."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that is wrong now."""

    fault: str
    """A name of `FAULTS`."""
    since_ms: int
    """Gateway clock."""
    detail: str = ""
    """What is known about the cause."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What somebody who looks after something found: `Watch.see` takes it."""

    fault: str
    """A name of `FAULTS`."""
    wrong: bool
    detail: str = ""


def fault_of(name: str) -> Fault | None:
    """Return the fault behind the name of an alarm, or None when it is no alarm of the system."""
    return FAULTS.get(_kind(name)) if name.startswith(_PREFIX) else None


def edge_of(name: str) -> str:
    """Return the edge an alarm of the system is about; empty when it is the gateway."""
    return name.removeprefix(_PREFIX).partition(".")[2]


def description_of(name: str, plant: Plant) -> Text | None:
    """Return what an alarm of the system is about, in words; None when it is no such alarm."""
    fault = fault_of(name)
    edge = plant.edges.get(edge_of(name))
    if fault is None or edge is None:
        return None if fault is None else fault.text
    return Text(f"{edge.name.zh} {fault.text.zh}", f"{edge.name.en}: {fault.text.en}")


def rule_of(trouble: Trouble) -> ConditionRule:
    """Return the trouble as a rule, of which alarm rows are made."""
    return ConditionRule(
        condition=Condition.SYSTEM,
        tier=FAULTS[trouble.fault].tier,
        limit=math.nan,
        deadband=0.0,
        on_delay_ms=FAULTS[trouble.fault].after_ms,
        off_delay_ms=0,
        enabled=True,
        basis=trouble.detail,
        latch=False,
    )


def _kind(name: str) -> str:
    return name.removeprefix(_PREFIX).partition(".")[0]


class Watch:
    """Gathers what is wrong, and says what of it is worth an alarm.

    Args:
        plant: Its edge agents are expected to be there.
        open_alarms: Rows of the alarm table; troubles an earlier process has alarmed go on until they are over.
        now_ms: Gateway clock.
    """

    def __init__(self, plant: Plant, open_alarms: Iterable[Mapping[str, Any]] = (), now_ms: int = 0) -> None:
        self._agents = {edge.id for edge in plant.edges.values() if edge.kind is EdgeKind.AGENT}
        self._troubles: dict[str, Trouble] = {
            row["tag"]: Trouble(_kind(row["tag"]), row["onset_ms"], row["basis"])
            for row in open_alarms
            if row["state"] == "active" and fault_of(row["tag"])
        }
        self._seen_ms: dict[str, int] = dict.fromkeys(self._troubles, now_ms)

    def see(self, fault: str, now_ms: int, *, wrong: bool, detail: str = "", edge: str = "") -> None:
        """Note that something is wrong, or is not.

        Args:
            fault: A name of `FAULTS`.
            now_ms: Gateway clock.
            wrong: Whether it is.
            detail: What is known about the cause.
            edge: Where; empty for the gateway.
        """
        name = f"{_PREFIX}{fault}.{edge}" if edge else f"{_PREFIX}{fault}"
        if wrong:
            known = self._troubles.get(name)
            self._troubles[name] = Trouble(fault, known.since_ms if known else now_ms, detail)
            self._seen_ms[name] = now_ms
        elif name in self._troubles and now_ms - self._seen_ms[name] >= FAULTS[fault].lasts_ms:
            del self._troubles[name]

    def hear(self, edge: str, status: EdgeStatus, now_ms: int) -> None:
        """Take what an edge agent says about itself (or its will says for it)."""
        if edge not in self._agents:
            return
        self.see("EDGE_OFFLINE", now_ms, wrong=not status.online, edge=edge)
        if status.online:
            self.see("EDGE_SHEDS", now_ms, wrong="outbox_full" in status.faults, edge=edge)
            self.see("EDGE_CANNOT_KEEP", now_ms, wrong="outbox" in status.faults, edge=edge)

    def troubles(self, now_ms: int) -> dict[str, Trouble]:
        """Return what is worth an alarm now, by the name under which it is alarmed."""
        for name, trouble in list(self._troubles.items()):
            lasts_ms = FAULTS[trouble.fault].lasts_ms
            if lasts_ms and now_ms - self._seen_ms[name] >= lasts_ms:
                del self._troubles[name]
        return {
            name: trouble
            for name, trouble in self._troubles.items()
            if now_ms - trouble.since_ms >= FAULTS[trouble.fault].after_ms
        }
