"""How a hidden danger comes in: what is said of it, and where it is."""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, insert, select

from gateway.access.roles import Scope
from gateway.dangers.model import Danger
from gateway.dangers.states import Grade, Source, State
from gateway.errors import BadRequestError
from gateway.records.danger_tables import danger_reporter
from gateway.records.dialects import storable
from gateway.records.schema import alarm
from gateway.records.transaction import using
from gateway.registry.where import Spot, Where

__all__ = ["Found", "Intake", "Reporter", "name_of", "new_danger", "seal"]


@dataclass(frozen=True, slots=True)
class Reporter:
    """Who called 12350; sealed."""

    name: str
    phone: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """A hidden danger as somebody reports it."""

    title: str
    source: Source
    text: str = ""
    tag: str = ""
    vessel: str = ""
    hazard_unit: str = ""
    site: str = ""
    enterprise: str = ""
    district: str = ""
    """Only what was reported to 12350 may have nothing but this."""
    alarm_id: str = ""
    place: str = ""
    latitude_deg: float | None = None
    longitude_deg: float | None = None
    seen_ms: int | None = None
    """When it was noticed; None: when it is reported."""
    risk_id: str = ""
    finding: str = ""
    reporter: Reporter | None = None
    """Of REPORT_12350 only."""

    def digest(self) -> str:
        """Return a short name for everything said."""
        return sha256(msgspec.json.encode(asdict(self))).hexdigest()


def name_of(account: str, key: str) -> str:
    """Return the id of a new danger: the same for the same key of the same account."""
    token = sha256(f"{account}\n{key}".encode()).hexdigest() if key else secrets.token_hex(16)
    return f"HD{token[:24].upper()}"


def new_danger(name: str, source: Source, state: State, title: str, now_ms: int, **more: Any) -> Danger:  # noqa: ANN401 - fields of Danger
    """Return a danger of which nothing is known but what is given."""
    blank: dict[str, Any] = dict.fromkeys(Danger.__slots__, "")
    blank |= dict.fromkeys(("version", "events", "urgency", "extended", "reopened", "level"), 0)
    for field in Danger.__slots__:
        if field.endswith("_ms") or field in {"latitude_deg", "longitude_deg", "plan", "recurring"}:
            blank[field] = None
    known = {"id": name, "version": 1, "source": source, "grade": Grade.NONE, "state": state, "hands": ()}
    return Danger(**{**blank, **known, "title": title, "found_ms": now_ms, **more})


def seal(connection: Connection, danger_id: str, reporter: Reporter, now_ms: int) -> None:
    """Keep who reported a danger, apart from it."""
    row = {"name": storable(reporter.name)[:128], "phone": storable(reporter.phone)[:64]}
    more = {"text": storable(reporter.text), "danger_id": danger_id, "sealed_ms": now_ms}
    connection.execute(insert(danger_reporter), row | more)


class Intake:
    """Finds out where a new danger is and whose it is.

    Args:
        reader: Of the alarms.
        where: Of all places.
    """

    def __init__(self, reader: Engine, where: Where) -> None:
        self._reader = reader
        self._where = where

    def locate(self, found: Found, scope: Scope) -> tuple[Spot, str]:
        """Return the place of something found, and the condition of the alarm it is about.

        Raises:
            BadRequestError: Something named does not exist (or may not be seen), or nothing says whose it is.
        """
        if found.reporter is not None and found.source is not Source.REPORT_12350:
            raise BadRequestError("reporter: allowed with source report_12350 only")
        spot, condition = self._spot(found, scope)
        if not spot.enterprise:
            if found.source is not Source.REPORT_12350:
                raise BadRequestError(
                    "enterprise: one of alarm_id, tag, vessel, hazard_unit, site, enterprise is needed（须指明地点）"
                )
            if not scope.covers("", spot.district):
                raise BadRequestError("district: one you may see is needed where no enterprise is named")
        return spot, condition

    def _spot(self, found: Found, scope: Scope) -> tuple[Spot, str]:
        said = Spot(found.tag, found.vessel, found.hazard_unit, found.site, found.enterprise, found.district)
        if not found.alarm_id:
            return self._where.spot(said, scope), ""
        asked = select(alarm).where(alarm.c.alarm_id == found.alarm_id)
        with using(self._reader, "reading alarms") as connection:
            row = connection.execute(asked).mappings().first()
        spot = None if row is None else self._where.of_alarm(row, scope)
        if row is None or spot is None:
            raise BadRequestError(f"alarm_id: there is no alarm {found.alarm_id!r}（不存在）")
        for name, value in asdict(said).items():
            if value and value != getattr(spot, name) and name != "district":
                raise BadRequestError(f"{name}: alarm {found.alarm_id} is not there but at {getattr(spot, name)!r}")
        return spot, row["condition"]
