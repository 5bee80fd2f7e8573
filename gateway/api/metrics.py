"""The gateway's figures for Prometheus, read from board and records when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.api.context import Context
from gateway.api.live_views import edge_said
from gateway.errors import RecordsError
from gateway.kpi.now import DeskNow
from gateway.ledger import Count
from gateway.records.queries import Row

__all__ = ["metrics_registry"]

OTHER_EDGES = "other"
"""Edges the plant does not have are counted together: nobody on the broker may invent label values."""

_log = structlog.get_logger(__name__)


_OF_EDGES = {
    "outbox_frames": "Frames that wait at the edge",
    "outbox_bytes": "What they take on its disk",
    "backlog_frames": "Of which are of an earlier outage, behind the live ones",
    "local_alarms": "Alarms active by the edge's own judgement",
}
"""Field of an edge's status -> what it says."""

_OF_DESKS: tuple[tuple[str, str, Callable[[DeskNow], int]], ...] = (
    ("alarm_flood", "1 while alarms flood: more than 10 in 10 min, until fewer than 5", lambda one: bool(one.flood)),
    ("alarms_last_10_minutes", "Alarms annunciated in the last 10 min", lambda one: one.last_10_min),
    ("chattering_alarms", "Alarms raised 3 times within 60 s, lately", lambda one: one.chattering_count),
    ("standing_alarms", "Alarms active for more than 24 h", lambda one: one.standing_count),
)


class _GatewayCollector(Collector):
    """Makes every figure anew for each scrape, so there is no second set of counters that could disagree."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def collect(self) -> Iterator[Metric]:
        yield from self._from_board()
        yield from self._from_feed()
        yield from self._from_records()
        yield from self._from_now()
        yield from self._from_duty()
        yield from self._from_notifier()
        yield from self._from_grades()

    def _from_board(self) -> Iterator[Metric]:
        health = self._context.feed.health()
        yield InfoMetricFamily("hazgate_build", "What runs here", value={"version": health.software})
        for name, text, value in (
            ("pipeline_alive", "1 while the pipeline went round within the last 10 s", health.pipeline_alive),
            ("replayed", "1 when the log has been replayed", health.replayed),
            ("broker_connected", "1 while the broker is connected", health.broker_connected),
            ("records_ok", "1 while the records take writes", health.records_ok),
            ("history_ok", "1 while history takes writes", health.history_ok),
            ("log_position", "Last row of the log", health.log_position),
            ("history_lag_rows", "Rows of the log that history has not taken yet", health.history_lag),
            ("samples_per_second", "Samples kept per second, lately", health.samples_per_s),
            ("plant_tags", "Tags of the plant description", len(self._context.plant.tags)),
        ):
            yield GaugeMetricFamily(f"hazgate_{name}", text, value=float(value))
        if health.beat_age_ms is not None:
            text = "Since the pipeline last went round"
            yield GaugeMetricFamily("hazgate_pipeline_beat_age_seconds", text, value=health.beat_age_ms / 1000)
        yield CounterMetricFamily("hazgate_samples", "Samples kept since start", value=float(health.samples))
        delay = GaugeMetricFamily(
            "hazgate_delay_seconds", "From source time to committed, over the last samples", labels=["quantile"]
        )
        delay.add_metric(["0.5"], health.delay_p50_ms / 1000)
        delay.add_metric(["0.99"], health.delay_p99_ms / 1000)
        yield delay
        values = self._context.board.values
        if values is not None:
            stale = int((values.stale | (values.time_ms < 0)).sum())
            yield GaugeMetricFamily("hazgate_stale_tags", "Tags without a fresh value", value=stale)

    def _from_feed(self) -> Iterator[Metric]:
        feed = self._context.feed
        yield GaugeMetricFamily("hazgate_stream_clients", "Open live streams", value=feed.clients)
        yield CounterMetricFamily(
            "hazgate_stream_overflows",
            "Times a client fell behind and was sent a snapshot instead",
            value=feed.overflows,
        )
        yield CounterMetricFamily("hazgate_stream_failures", "Rounds of the stream that failed", value=feed.failures)

    def _from_duty(self) -> Iterator[Metric]:
        try:
            figures = self._context.desk.duty.figures()
        except RecordsError as error:
            _log.warning("metrics_records_unavailable", error=str(error))
            return
        yield GaugeMetricFamily("hazgate_notifications_queued", "Messages still to be sent", value=figures.queued)
        waits_ms = 0 if figures.oldest_queued_ms is None else self._context.clock.wall_ms() - figures.oldest_queued_ms
        text = "How long the oldest of them has waited"
        yield GaugeMetricFamily("hazgate_notifications_oldest_queued_seconds", text, value=max(waits_ms, 0) / 1000)
        kept = GaugeMetricFamily(
            "hazgate_notifications_kept", "Messages in the records, by what became of them", labels=["channel", "state"]
        )
        for (channel, state), count in sorted(figures.counts.items()):
            kept.add_metric([channel, state], count)
        yield kept
        delay = GaugeMetricFamily(
            "hazgate_notification_delay_seconds", "From alarmed to sent, over the last alarms", labels=["quantile"]
        )
        for quantile, value in (("0.5", figures.delay_p50_ms), ("0.99", figures.delay_p99_ms)):
            if value is not None:
                delay.add_metric([quantile], value / 1000)
        yield delay

    def _from_notifier(self) -> Iterator[Metric]:
        text = "Words that an alarm is over, or overdue, for which there was nobody to tell"
        untold = CounterMetricFamily("hazgate_notifications_untold", text, labels=["event"])
        for event, count in self._context.board.untold().items():
            untold.add_metric([event], count)
        yield untold

    def _from_grades(self) -> Iterator[Metric]:
        try:
            crossed, partly = self._context.place.standings.figures()
        except RecordsError as error:
            _log.warning("metrics_records_unavailable", error=str(error))
            return
        text = "Times an operational grade crossed a band; see docs/grading.md"
        yield CounterMetricFamily("hazgate_grade_crossings", text, value=float(crossed))
        text = "Hazard units whose live inventory is not complete"
        yield GaugeMetricFamily("hazgate_grades_incomplete", text, value=float(partly))

    def _from_records(self) -> Iterator[Metric]:
        try:
            active = self._context.queries.active_by_tier()
            edges = self._context.queries.edges()
        except RecordsError as error:
            _log.warning("metrics_records_unavailable", error=str(error))
            yield GaugeMetricFamily("hazgate_records_readable", "1 while the records can be read", value=0)
            return
        yield GaugeMetricFamily("hazgate_records_readable", "1 while the records can be read", value=1)
        alarms = GaugeMetricFamily(
            "hazgate_active_alarms", "Open alarms that are told; tier 1 is the worst", labels=["tier"]
        )
        for tier, count in active.items():
            alarms.add_metric([str(tier)], count)
        yield alarms
        known = self._context.plant.edges
        counts: dict[tuple[str, str], int] = {}
        for edge, counted in edges.counts.items():
            for fate in Count:
                key = (edge if edge in known else OTHER_EDGES, fate.value)
                counts[key] = counts.get(key, 0) + counted.get(fate.value, 0)
        ledger = CounterMetricFamily("hazgate_ledger", "What became of frames and samples", labels=["edge", "fate"])
        for labels, total in counts.items():
            ledger.add_metric(list(labels), total)
        yield ledger
        online = GaugeMetricFamily("hazgate_edge_online", "1 while the edge says it is online", labels=["edge"])
        for edge, status in edges.statuses.items():
            if edge in known:
                online.add_metric([edge], float(status["online"]))
        yield online
        yield from _of_edges({edge: status for edge, status in edges.statuses.items() if edge in known})

    def _from_now(self) -> Iterator[Metric]:
        """Tell what operators have before them; labels are desks, which the configuration names, and our own KPIs."""
        now_ms = self._context.clock.wall_ms()
        try:
            now = self._context.now.report(now_ms)
            lately = self._context.lately.report(now_ms)
        except RecordsError as error:
            _log.warning("metrics_records_unavailable", error=str(error))
            return
        for name, text, value in _OF_DESKS:
            gauge = GaugeMetricFamily(f"hazgate_{name}", text, labels=["desk"])
            for desk in now.desks:
                gauge.add_metric([desk.desk], float(value(desk)))
            yield gauge
        yield GaugeMetricFamily("hazgate_first_out_groups", "Hazard units with open alarms", value=len(now.first_out))
        text = "Times the state of the moment was lost and read anew from the records"
        yield CounterMetricFamily("hazgate_kpi_now_failures", text, value=self._context.now.failures)
        text = "Of the last 24 h, at most five minutes old; see docs/kpi.md. Absent where there is no value"
        kpis = GaugeMetricFamily("hazgate_kpi", text, labels=["kpi", "version", "desk"])
        for desk_lately in lately.desks:
            for one in desk_lately.kpis:
                if one.figure.value is not None:
                    kpis.add_metric([one.id, str(one.version), desk_lately.desk], one.figure.value)
        yield kpis


def _of_edges(statuses: Mapping[str, Row]) -> Iterator[Metric]:
    said = {edge: status for edge, row in statuses.items() if (status := edge_said(row)) is not None}
    for name, text in _OF_EDGES.items():
        gauge = GaugeMetricFamily(f"hazgate_edge_{name}", text, labels=["edge"])
        for edge, status in said.items():
            gauge.add_metric([edge], float(getattr(status, name)))
        yield gauge


def metrics_registry(context: Context) -> CollectorRegistry:
    """Return a registry of this gateway's own; nothing is shared with other gateways of the process."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_GatewayCollector(context))
    return registry
