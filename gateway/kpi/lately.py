"""The KPIs of the last 24 h for those who ask again and again: computed at most every five minutes."""

from __future__ import annotations

import threading
from typing import Final

from alerting.rates import DAY_MS
from gateway.kpi.compute import KpiReport, Kpis

__all__ = ["Lately"]

_FRESH_MS: Final = 300_000


class Lately:
    """Remembers the last report. Thread-safe.

    Args:
        kpis: Computes.
    """

    def __init__(self, kpis: Kpis) -> None:
        self._kpis = kpis
        self._lock = threading.Lock()
        self._report: KpiReport | None = None

    def report(self, now_ms: int) -> KpiReport:
        """Return the KPIs of the 24 h before now, or before a moment at most five minutes ago.

        Raises:
            RecordsError: The records cannot be read.
        """
        with self._lock:
            known = self._report
            if known is None or not 0 <= now_ms - known.to_ms < _FRESH_MS:
                known = self._report = self._kpis.report(max(0, now_ms - DAY_MS), now_ms, now_ms)
            return known
