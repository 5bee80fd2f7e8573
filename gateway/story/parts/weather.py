"""Wind and temperature, from a weather station of the plant."""

from __future__ import annotations

from pydantic import Field

from gateway.api.models import Model
from gateway.story.case import Case
from gateway.story.parts.tag import latest
from gateway.story.telling import Said, partial, said

__all__ = ["WeatherContent", "tell_weather", "wind_of"]

_KMH_PER_M_S = 3.6


class WeatherContent(Model):
    """The weather; null: not measured, or not good."""

    wind_from_deg: float | None = Field(description="Where it blows from, degrees from north")
    wind_m_s: float | None
    temperature_c: float | None
    humidity_percent: float | None
    tags: tuple[str, ...] = Field(description="Where it is measured")
    oldest_ms: int | None = Field(description="Time of the oldest of these values")


def tell_weather(case: Case) -> Said[WeatherContent]:
    """Tell of the weather."""
    values, tags, times = _measured(case)
    content = WeatherContent(
        wind_from_deg=values.get("wind_from"),
        wind_m_s=_m_s(values),
        temperature_c=values.get("temperature"),
        humidity_percent=values.get("humidity"),
        tags=tuple(tags),
        oldest_ms=min(times, default=None),
    )
    if not tags:
        return partial(None, "没有可用的气象站位号", "no tag of a weather station can be read here")
    if content.wind_from_deg is None or content.wind_m_s is None:
        return partial(content, "风向或风速未知", "direction or speed of the wind are not known")
    return said(content)


def wind_of(case: Case) -> tuple[float | None, float | None]:
    """Return where the wind blows from, and its speed in m/s; None: not known."""
    values, *_ = _measured(case)
    return values.get("wind_from"), _m_s(values)


def _m_s(values: dict[str, float]) -> float | None:
    speed_kmh = values.get("wind_speed")
    return None if speed_kmh is None else round(speed_kmh / _KMH_PER_M_S, 2)


def _measured(case: Case) -> tuple[dict[str, float], list[str], list[int]]:
    """Return canonical values, tags and times of what is measured well and may be seen."""
    around = case.sources.surroundings
    values, tags, times = {}, [], []
    for role, candidates in around.weather.items():
        for tag in candidates:
            now = latest(case, tag.name) if around.sees(case.scope, tag.hazard_unit) else None
            if now is None or now.canonical_value is None or now.stale or now.quality == "bad":
                continue
            values[role] = now.canonical_value
            tags.append(tag.name)
            times.append(now.time_ms)
            break
    return values, tags, times
