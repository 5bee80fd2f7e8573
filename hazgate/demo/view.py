"""The demo on a terminal: figures, active alarms by tier, and the story so far."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rich.console import Group
from rich.layout import Layout
from rich.panel import Panel
from rich.table import Table
from rich.text import Text as Line

from config.plant.model import Condition, Plant, Tier
from gateway.display import number_text
from gateway.messages import CONDITION_NAMES, TIER_NAMES
from hazgate.demo.answers import AlarmItem
from hazgate.demo.picture import Moment, Picture
from hazgate.demo.report import judge_alarms
from simulators.scenario import Scenario

__all__ = ["Terms", "clock_text", "moment_line", "plain_figures", "plain_moment", "render"]

_CHIP = {1: "bold white on red3", 2: "bold black on dark_orange", 3: "bold black on yellow1", 4: "bold white on blue3"}
_INK = {1: "red1", 2: "dark_orange", 3: "yellow1", 4: "dodger_blue1"}
_QUIET_CHIP = "grey62 on grey23"
_BARS = "▁▂▃▄▅▆▇█"
_WIDE = 110
"""From this width on there is room for the trend and longer words."""
_HEAD, _FOOT = 7, 2
_FRAME = 3
"""Lines of a panel's border and heading."""
_STORY_LINES = 6
_FLAT = 0.02
"""A change of less than this part of the limit is not worth drawing."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What stays the same during a demo."""

    plant: Plant
    scenario: Scenario
    seed: int
    seconds: float | None
    """None: until Ctrl-C."""
    page: str
    """Address of the live page."""
    data_dir: str
    note: str = ""
    """Something to be known, such as that another port was taken."""


def render(terms: Terms, picture: Picture, processes: Mapping[str, bool], now_ms: int, size: tuple[int, int]) -> Layout:
    """Draw everything.

    Args:
        terms: What stays the same.
        picture: What is known now.
        processes: Name -> whether it runs (an edge: whether the gateway hears it).
        now_ms: UTC.
        size: Columns and lines of the terminal.
    """
    columns, lines = size
    wide = columns >= _WIDE
    room = max(2 * _FRAME + 2, lines - _HEAD - _FOOT)
    wanted = max(1, len(picture.alarms)) + _FRAME
    alarm_lines = min(wanted, room - _FRAME - min(_STORY_LINES, room // 4))
    layout = Layout()
    layout.split_column(
        Layout(_head(terms, picture, processes, wide=wide), size=_HEAD),
        Layout(_alarms(picture, now_ms, alarm_lines - _FRAME, wide=wide), size=alarm_lines),
        Layout(_story(picture, room - alarm_lines - 2)),
        Layout(_foot(terms), size=_FOOT),
    )
    return layout


def _head(terms: Terms, picture: Picture, processes: Mapping[str, bool], *, wide: bool) -> Panel:
    site = terms.plant.site.name
    name = f"{site.zh} {site.en}" if wide else site.zh
    return Panel(
        Group(_chips(picture), _flow(picture), _kept(picture), _verdict(picture, terms.scenario), _running(processes)),
        title=Line.assemble((" HazGate ", "bold white on dark_green"), f" 演示 demo · {name} "),
        title_align="left",
        subtitle=_elapsed(terms, picture),
        subtitle_align="right",
        border_style="cyan",
        padding=(0, 1),
    )


def _chips(picture: Picture) -> Line:
    counts = Counter(alarm.tier for alarm in picture.alarms.values())
    line = Line(no_wrap=True)
    for tier, name in TIER_NAMES.items():
        count = counts[int(tier)]
        line.append(f" {int(tier)} {name.zh} {name.en.upper()} ", _CHIP[int(tier)] if count else _QUIET_CHIP)
        line.append(f" {count}   ", f"bold {_INK[int(tier)]}" if count else "dim")
    return line


def _verdict(picture: Picture, scenario: Scenario) -> Line:
    """Judge what is due by now."""
    progress = picture.progress
    if progress is None:
        return Line("")
    verdict = judge_alarms(scenario, list(picture.run.values()), progress.started_ms, progress.at_ms / 1000)
    missed, false = len(verdict.missed), len(verdict.false)
    total = sum(demand.count for demand in scenario.expect.must_raise)
    return Line.assemble(
        *("评判 verdict  应报 due ", (f"{verdict.expected}", "bold"), f"/{total}"),
        *(" · 漏报 missed ", (f"{missed}", "bold red" if missed else "bold green")),
        *(" · 误报 false ", (f"{false}", "bold red" if false else "bold green")),
    )


def _flow(picture: Picture) -> Line:
    health = picture.health
    if health is None:
        return Line("等待网关 waiting for the gateway …", "yellow")
    lag = (f"{health.history_lag}", "green") if health.history_ok else ("历史库故障 history fails", "red")
    return Line.assemble(
        *("样本 samples ", (f"{health.samples_per_s:.0f}/s", "bold")),
        *(" · 延迟 delay p50 ", (f"{health.delay_p50_ms:.0f}", "bold")),
        *(" p99 ", (f"{health.delay_p99_ms:.0f}", "bold"), " ms · 历史滞后 lag ", lag),
    )


def _kept(picture: Picture) -> Line:
    progress = picture.progress
    lost = picture.given_up
    line = Line.assemble(
        *("发出 sent ", (f"{progress.samples if progress else 0:,}", "bold")),
        *(" → 留存 kept ", (f"{picture.kept:,}", "bold")),
        *(" · 在途 in flight ", (f"{picture.in_flight}", "cyan")),
        *(" · 丢失 lost ", (f"{lost}", "bold red" if lost else "bold green")),
    )
    if progress and not progress.connected:
        line.append(" · 传感器未连上 sensors not connected", "yellow")
    return line


def _running(processes: Mapping[str, bool]) -> Line:
    line = Line(no_wrap=True)
    for name, up in processes.items():
        line.append("● " if up else "○ ", "green" if up else "yellow")
        line.append(f"{name}  ", "" if up else "dim")
    return line


def _elapsed(terms: Terms, picture: Picture) -> Line:
    if picture.progress is None:
        return Line(" 启动中 starting … ", "yellow")
    at_s = picture.progress.at_ms / 1000
    if terms.seconds is None:
        return Line(f" {clock_text(at_s)} ", "bold")
    done = min(1.0, at_s / terms.seconds)
    bar = round(20 * done)
    return Line.assemble(
        *(" ", ("━" * bar, "green"), ("━" * (20 - bar), "grey35")),
        *(f" {clock_text(at_s)}", f" / {clock_text(terms.seconds)} "),
    )


def _alarms(picture: Picture, now_ms: int, lines: int, *, wide: bool) -> Panel:
    alarms = sorted(picture.alarms.values(), key=lambda alarm: (alarm.tier, -alarm.raised_ms, alarm.tag))
    body: Table | Line = Line("无报警，一切正常 No active alarm, all is well", "green")
    hidden = len(alarms) - lines
    if alarms:
        body = _table(picture, alarms[:lines], now_ms, wide=wide)
    worst = min((alarm.tier for alarm in alarms), default=0)
    return Panel(
        body,
        title=f" 当前报警 active alarms {len(alarms)} · 累计 raised {len(picture.run)} ",
        title_align="left",
        subtitle=f" … 还有 {hidden} 条 more " if hidden > 0 else None,
        subtitle_align="right",
        border_style=_INK.get(worst, "green"),
        padding=(0, 1),
    )


def _table(picture: Picture, alarms: Iterable[AlarmItem], now_ms: int, *, wide: bool) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), expand=True, header_style="dim", show_edge=False)
    table.add_column("等级 tier", no_wrap=True, min_width=9)
    table.add_column("位号 tag", no_wrap=True)
    table.add_column("报警 alarm", no_wrap=True)
    table.add_column("现值 now", no_wrap=True, justify="right")
    table.add_column("限值 limit", no_wrap=True, justify="right")
    if wide:
        table.add_column("趋势 trend", no_wrap=True)
        table.add_column("说明 what", no_wrap=True, overflow="ellipsis", ratio=1)
    table.add_column("时长 age", no_wrap=True, justify="right")
    for alarm in alarms:
        name = CONDITION_NAMES[Condition(alarm.condition)]
        trend = picture.trends.get(alarm.tag, ())
        now = next(reversed(trend), None) if trend else None
        table.add_row(
            Line(f" {alarm.tier} {TIER_NAMES[Tier(alarm.tier)].zh} ", _CHIP[alarm.tier]),
            Line(alarm.tag, "bold"),
            f"{name.zh} {name.en}",
            f"{number_text(now)} {alarm.unit}" if alarm.limit is not None else number_text(now),
            "" if alarm.limit is None else f"{number_text(alarm.limit)} {alarm.unit}",
            *((Line(_spark(trend, alarm.limit), _INK[alarm.tier]), alarm.description.zh) if wide else ()),
            clock_text((now_ms - alarm.raised_ms) / 1000),
        )
    return table


def _spark(values: Iterable[float | None], limit: float | None) -> str:
    """Draw values as small bars from their lowest to their highest; a gap where there was none.

    What is small beside the limit is drawn flat: noise is no trend.
    """
    listed = list(values)
    known = [value for value in listed if value is not None]
    if not known:
        return ""
    top = len(_BARS) - 1
    span = max(max(known) - min(known), _FLAT * abs(limit or 0.0)) or 1.0
    low = (max(known) + min(known) - span) / 2
    return "".join(" " if value is None else _BARS[round((value - low) / span * top)] for value in listed)


def _story(picture: Picture, lines: int) -> Panel:
    start_ms = picture.progress.started_ms if picture.progress else 0
    moments = sorted(picture.moments, key=lambda moment: moment.at_ms)[-max(1, lines) :]
    body = Group(*(moment_line(moment, start_ms) for moment in moments)) if moments else Line("…", "dim")
    return Panel(body, title=" 经过 what happens ", title_align="left", border_style="grey50", padding=(0, 1))


def moment_line(moment: Moment, start_ms: int) -> Line:
    """Return a line of the story."""
    line = Line(no_wrap=True, overflow="ellipsis")
    line.append(f"{clock_text((moment.at_ms - start_ms) / 1000)}  ", "dim")
    if moment.tier:
        rising = moment.kind in ("raised", "tier_raised")
        mark = "▲" if rising else "▽"
        line.append(f" {mark} {moment.tier} {TIER_NAMES[Tier(moment.tier)].zh} ", _CHIP[moment.tier])
        style = "" if rising else "dim"
        line.append(f" {moment.text.zh} · {moment.text.en}", style)
        return line
    style = "bold magenta" if moment.kind == "trouble" else "cyan"
    line.append(f"{'⚡' if moment.kind == 'trouble' else '→ '} {moment.text.zh} · {moment.text.en}", style)
    return line


def _foot(terms: Terms) -> Group:
    first = Line.assemble(
        *(" 实时页面 live page ", (f"{terms.page}/", "bold underline"), f"   API {terms.page}/api/v1"),
        (f"   {terms.note}", "yellow"),
        no_wrap=True,
    )
    return Group(
        first,
        Line(f" 数据 data {terms.data_dir} · 种子 seed {terms.seed} · Ctrl-C 结束 ends", "dim", no_wrap=True),
    )


def clock_text(seconds: float) -> str:
    """Write a duration as minutes and seconds."""
    whole = max(0, int(seconds))
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes:02}:{rest:02}"


def plain_figures(picture: Picture) -> str:
    """Return the figures in one line, for where there is no terminal."""
    counts = Counter(alarm.tier for alarm in picture.alarms.values())
    tiers = " ".join(f"{name.zh}{int(tier)}:{counts[int(tier)]}" for tier, name in TIER_NAMES.items())
    health, sent = picture.health, picture.progress.samples if picture.progress else 0
    flow = (
        f"{health.samples_per_s:.0f}/s p50 {health.delay_p50_ms:.0f} p99 {health.delay_p99_ms:.0f} ms"
        if health
        else "-"
    )
    at = clock_text(picture.progress.at_ms / 1000) if picture.progress else "--:--"
    online = sum(bool(edge.online) for edge in picture.edges)
    return (
        f"{at} {flow} | sent {sent} kept {picture.kept} in flight {picture.in_flight} lost {picture.given_up}"
        f" | {tiers} | edges {online}/{len(picture.edges)}"
    )


def plain_moment(moment: Moment, start_ms: int) -> str:
    """Return a line of the story without colours."""
    return moment_line(moment, start_ms).plain
