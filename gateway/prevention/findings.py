"""Findings of inspections (巡检发现): sent once or often, late or at once, with photos named by content."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from sqlalchemy import Connection, and_, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from config.prevention import at
from gateway.access.roles import Scope
from gateway.commands import By
from gateway.errors import BadRequestError, ConflictError, NotFoundError
from gateway.prevention.means import Means
from gateway.prevention.spots import spot_of
from gateway.records import audit
from gateway.records.audit import Entry
from gateway.records.dialects import storable
from gateway.records.prevention_tables import finding, finding_photo
from gateway.records.transaction import using
from gateway.registry.store import seen_by
from gateway.shift.attachments import MOST_BYTES, kind_of

if TYPE_CHECKING:
    from gateway.prevention.ports import TurnsIntoDanger

__all__ = ["Finding", "FindingFilter", "Findings", "Said", "Taken"]

_PHOTO_KINDS = ("image/jpeg", "image/png")


@dataclass(frozen=True, slots=True)
class Said:
    """What a terminal says, to the letter."""

    client_id: str
    found_ms: int
    text: str
    severity: str = ""
    hazard_unit: str = ""
    vessel: str = ""
    tag: str = ""
    latitude_deg: float | None = None
    longitude_deg: float | None = None
    accuracy_m: float | None = None
    photos: tuple[str, ...] = ()
    """SHA-256 of the content of each; the contents follow."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A finding."""

    id: str
    enterprise: str
    district: str
    hazard_unit: str
    vessel: str
    tag: str
    found_ms: int
    received_ms: int
    by: str
    danger_id: str | None
    said: Said
    missing: tuple[str, ...]
    """Photos that were announced and have not come."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of one item of a batch."""

    client_id: str
    result: Literal["kept", "same", "refused"]
    finding_id: str | None
    missing: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True)
class FindingFilter:
    """Which findings are wanted; what is None is not asked."""

    enterprise: str | None = None
    hazard_unit: str | None = None
    vessel: str | None = None


class Findings:
    """The findings. Any thread may use it.

    Args:
        means: Records, clock, registry.
        reporting: Makes hidden dangers of them; None: nobody does.
    """

    def __init__(self, means: Means, reporting: TurnsIntoDanger | None = None) -> None:
        self._means = means
        self._reporting = reporting

    def take(self, said: Sequence[Said], scope: Scope, by: By) -> list[Taken]:
        """Keep findings, each for itself: one that is refused keeps no other from being kept."""
        return [self._take(one, scope, by) for one in said]

    def _take(self, said: Said, scope: Scope, by: By) -> Taken:
        try:
            return self._keep(said, scope, by)
        except IntegrityError:  # the same terminal, at the same time
            return self._keep(said, scope, by)
        except (BadRequestError, ConflictError) as error:
            return Taken(said.client_id, "refused", None, (), str(error))

    def _keep(self, said: Said, scope: Scope, by: By) -> Taken:
        name, digest, now_ms = _id(by, said.client_id), _hash(said), self._means.clock.wall_ms()
        with using(self._means.reader, "looking for a finding") as connection:
            known = connection.execute(select(finding.c.hash).where(finding.c.id == name)).scalar()
            if known == digest:
                return Taken(said.client_id, "same", name, _missing(connection, name, said), "")
        if known is not None:
            raise ConflictError(
                f"{said.client_id}: the same id was sent with other content before（编号重复且内容不同）"
            )
        ahead_ms = at(self._means.rules.findings, now_ms).ahead_min * 60_000
        if said.found_ms > now_ms + ahead_ms:
            raise BadRequestError(
                f"found: {said.found_ms} is in the future; the terminal's clock is wrong（终端时钟超前）"
            )
        spot = spot_of(self._means, scope, tag=said.tag, vessel=said.vessel, hazard_unit=said.hazard_unit)
        row = {
            "id": name, "enterprise": spot.enterprise, "district": spot.district, "client_id": said.client_id,
            "hazard_unit": spot.hazard_unit, "vessel": spot.vessel, "tag": spot.tag, "found_ms": said.found_ms,
            "received_ms": now_ms, "by": storable(by.account), "hash": digest, "danger_id": None,
            "body": storable(msgspec.json.encode(said).decode()),
        }  # fmt: skip
        with using(self._means.writing, "keeping a finding") as connection:
            connection.execute(insert(finding), row)
            detail = {"hash": digest, "found_ms": said.found_ms}
            audit.append(connection, [Entry(now_ms, by.account, by.origin, "finding.send", name, detail=detail)])
        return Taken(said.client_id, "kept", name, tuple(dict.fromkeys(said.photos)), "")

    def add_photo(self, name: str, digest: str, content: bytes, scope: Scope, by: By) -> Finding:
        """Keep the content of a photo that was announced; the same again changes nothing.

        Raises:
            BadRequestError: Too much, no photo, other content than its hash, or none that was announced.
            NotFoundError: There is no such finding.
        """
        if len(content) > MOST_BYTES:
            raise BadRequestError(f"photo: at most {MOST_BYTES} bytes（照片过大）")
        if sha256(content).hexdigest() != digest:
            raise BadRequestError("photo: the content does not fit its SHA-256（内容与哈希不符）")
        kind, now_ms = kind_of(content), self._means.clock.wall_ms()
        if kind not in _PHOTO_KINDS:
            raise BadRequestError("photo: neither JPEG nor PNG（仅接受 JPEG、PNG）")
        found = self.get(name, scope)
        if digest not in found.said.photos:
            raise BadRequestError(f"photo: finding {name} announced no {digest}（未申报的照片）")
        if digest not in found.missing:
            return found
        row = {"finding_id": name, "sha256": digest, "kind": kind, "content": content, "received_ms": now_ms}
        try:
            with using(self._means.writing, "keeping a photo") as connection:
                connection.execute(insert(finding_photo), {**row, "by": storable(by.account)})
                detail = {"sha256": digest, "kind": kind, "bytes": len(content)}
                audit.append(connection, [Entry(now_ms, by.account, by.origin, "finding.photo", name, detail=detail)])
        except IntegrityError:
            pass  # sent twice at the same time: it is there
        return self.get(name, scope)

    def photo(self, name: str, digest: str, scope: Scope) -> tuple[str, bytes]:
        """Return (media type, content).

        Raises:
            NotFoundError: There is none.
        """
        self.get(name, scope)
        wanted = select(finding_photo.c.kind, finding_photo.c.content).where(
            finding_photo.c.finding_id == name, finding_photo.c.sha256 == digest
        )
        with using(self._means.reader, "reading a photo") as connection:
            row = connection.execute(wanted).first()
        if row is None:
            raise NotFoundError(f"finding {name} has no photo {digest}")
        return row.kind, row.content

    def get(self, name: str, scope: Scope) -> Finding:
        """Return a finding.

        Raises:
            NotFoundError: There is none.
        """
        seen = seen_by(scope, finding.c.enterprise, finding.c.district)
        with using(self._means.reader, "reading a finding") as connection:
            row = connection.execute(select(finding).where(finding.c.id == name, seen)).mappings().first()
            if row is None:
                raise NotFoundError(f"there is no finding {name}（发现不存在）")
            return _read(connection, dict(row))

    def find(self, wanted: FindingFilter, scope: Scope, after: tuple[int, str] | None, limit: int) -> list[Finding]:
        """Return findings, the latest found first."""
        found_ms, name = finding.c.found_ms, finding.c.id
        asked = select(finding).where(seen_by(scope, finding.c.enterprise, finding.c.district))
        for column in FindingFilter.__slots__:
            value = getattr(wanted, column)
            asked = asked if value is None else asked.where(finding.c[column] == value)
        if after is not None:
            asked = asked.where(or_(found_ms < after[0], and_(found_ms == after[0], name < after[1])))
        with using(self._means.reader, "reading findings") as connection:
            rows = connection.execute(asked.order_by(found_ms.desc(), name.desc()).limit(limit)).mappings().all()
            return [_read(connection, dict(row)) for row in rows]

    def to_danger(self, name: str, scope: Scope, by: By) -> Finding:
        """Make a finding a hidden danger, once.

        Raises:
            ConflictError: Nobody keeps hidden dangers here.
            NotFoundError: There is no such finding.
        """
        found, now_ms = self.get(name, scope), self._means.clock.wall_ms()
        if found.danger_id is not None:
            return found
        if self._reporting is None:
            raise ConflictError("hidden dangers are not kept here（未接入隐患治理）")
        danger = self._reporting.take(found, scope, by)
        with using(self._means.writing, "linking a finding") as connection:
            connection.execute(update(finding).where(finding.c.id == name).values(danger_id=danger))
            detail = {"danger": danger}
            audit.append(connection, [Entry(now_ms, by.account, by.origin, "finding.danger", name, detail=detail)])
        return self.get(name, scope)


def _id(by: By, client_id: str) -> str:
    """Return the id of a finding: of this account's terminal, so that nobody meets anybody else's."""
    return sha256(msgspec.json.encode((by.account, client_id))).hexdigest()[:32]


def _hash(said: Said) -> str:
    return sha256(msgspec.json.encode(said, order="sorted")).hexdigest()


def _missing(connection: Connection, name: str, said: Said) -> tuple[str, ...]:
    there = set(connection.execute(select(finding_photo.c.sha256).where(finding_photo.c.finding_id == name)).scalars())
    return tuple(one for one in dict.fromkeys(said.photos) if one not in there)


def _read(connection: Connection, row: Mapping[str, Any]) -> Finding:
    said = msgspec.json.decode(row["body"], type=Said)
    same = {name: row[name] for name in Finding.__slots__ if name not in ("said", "missing")}
    return Finding(**same, said=said, missing=_missing(connection, row["id"], said))
