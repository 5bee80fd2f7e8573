"""The kinds of records, and what each holds. A new kind is a model and a line in `KINDS`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from config.plant.model import InstrumentKind, Text
from gateway.registry.fields import Cas, Code, Day, Item, Latitude, Longitude, Named, Record, Ref, Tonnes, Uscc, Words

__all__ = [
    "KINDS",
    "Area",
    "ChemicalRecord",
    "District",
    "Document",
    "EnterpriseRecord",
    "HazardUnitRecord",
    "Kind",
    "Neighbour",
    "Person",
    "Post",
    "Resource",
    "Responsibility",
    "ResponsibleFor",
    "SiteRecord",
    "TagRecord",
    "VesselRecord",
    "VesselShape",
]

Metres = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, le=100_000_000)]


class District(Named):
    """A district (区域): city, district or town; figures of a lower one count in those above."""

    level: Literal["city", "district", "town"]
    parent: Ref = Field(default="", description="The district it is part of")


class EnterpriseRecord(Named):
    """An enterprise (企业)."""

    uscc: Uscc = Field(default="", description="统一社会信用代码")
    district: Ref = ""
    industry: Words = ""
    address: Words = ""
    latitude_deg: Latitude | None = None
    longitude_deg: Longitude | None = None
    representative: Words = Field(default="", description="法定代表人")
    phone: Words = ""
    state: Literal["operating", "suspended", "closed"] = "operating"


class SiteRecord(Named):
    """A fenced place of an enterprise (厂区)."""

    enterprise: Code
    district: Ref = ""
    address: Words = ""
    latitude_deg: Latitude | None = None
    longitude_deg: Longitude | None = None


class Area(Named):
    """A part of a site (区域)."""

    enterprise: Code = Field(description="Left out in an import: that of the site")
    district: Ref = ""
    site: Code
    use: Literal["production", "storage", "loading", "utility", "other"] = "other"


class HazardUnitRecord(Named):
    """A unit in the sense of GB 18218 (重大危险源单元); its substances and grade are filed apart."""

    enterprise: Code
    district: Ref = ""
    site: Ref = ""
    area: Ref = ""
    use: Literal["production", "storage"] = "storage"
    cas: Cas = Field(default="", description="The substance it is named for")
    latitude_deg: Latitude | None = None
    longitude_deg: Longitude | None = None
    exposed_people: Count | None = Field(default=None, description="Outside the fence within 500 m (GB 18218 alpha)")
    consequence_radius_m: Metres | None = Field(
        default=None, description="How far an accident reaches; from its report"
    )


class VesselShape(StrEnum):
    """What holds a substance (`config.plant.model.VesselKind`, and pipes)."""

    SPHERE = "sphere"
    VERTICAL_TANK = "vertical_tank"
    HORIZONTAL_TANK = "horizontal_tank"
    CYLINDER_STORE = "cylinder_store"
    REACTOR = "reactor"
    TRUCK_TANK = "truck_tank"
    PIPE_SEGMENT = "pipe_segment"


class VesselRecord(Named):
    """A tank, reactor, cylinder store, pipe segment or truck compartment (设备)."""

    enterprise: Code
    district: Ref = ""
    hazard_unit: Ref = ""
    shape: VesselShape
    cas: Cas = ""
    capacity_m3: Metres | None = None
    height_m: Metres | None = Field(
        default=None, description="Inside, up to 100 % level; a lying cylinder: its diameter"
    )
    design_max_t: Tonnes | None = Field(default=None, description="Design maximum inventory")
    density_kg_m3: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = Field(
        default=None, description="Of what is in it, at `density_at_c`"
    )
    density_at_c: Annotated[float, Field(ge=-273.15, le=1000, allow_inf_nan=False)] = 20.0
    expansion_per_k: Annotated[float, Field(ge=0, le=0.01, allow_inf_nan=False)] = Field(
        default=0.0, description="Volumetric thermal expansion of the liquid"
    )
    latitude_deg: Latitude | None = None
    longitude_deg: Longitude | None = None


class TagRecord(Named):
    """A measured quantity (位号); limits and rules are in the plant file alone."""

    id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,128}$")]
    enterprise: Code
    district: Ref = ""
    hazard_unit: Ref = ""
    vessel: Ref = ""
    quantity: Words = ""
    unit: Words = ""
    kind: InstrumentKind = InstrumentKind.OTHER
    calibration_due: Day = Field(default="", description="检定有效期至")


class ChemicalRecord(Named):
    """A substance: what a fire brigade needs to know of it. What is not said here is taken from the catalogue."""

    id: Annotated[Cas, Field(min_length=1, max_length=16)] = Field(description="CAS number")
    aliases: Annotated[tuple[Item, ...], Field(max_length=50)] = ()
    un: Annotated[tuple[Annotated[str, StringConstraints(pattern=r"^[0-9]{4}$")], ...], Field(max_length=20)] = ()
    hazard_class: Words = Field(default="", description="Class or division of UN")
    hazards: Annotated[tuple[Item, ...], Field(max_length=50)] = Field(
        default=(), description="GHS hazard statements, such as H331"
    )
    signal: Literal["", "danger", "warning"] = ""
    isolation_m: Metres | None = Field(default=None, description="Initial isolation, all directions, large spill")
    protect_day_m: Metres | None = Field(default=None, description="Downwind protection by day, large spill")
    protect_night_m: Metres | None = None
    isolation_source: Words = Field(default="", description="Where these distances are from, with edition")
    disposal: Words = Field(default="", description="处置卡: what to do, in Chinese")
    disposal_en: Words = ""
    first_aid: Words = ""
    protection: Words = Field(default="", description="What to wear")
    extinguishing: Words = ""


class Post(Named):
    """A post (岗位)."""

    enterprise: Code
    district: Ref = ""
    duties: Words = ""


class Person(Named):
    """Somebody (人员)."""

    enterprise: Code
    district: Ref = ""
    post: Ref = ""
    phone: Words = ""
    account: Words = Field(default="", description="Name of the account, where there is one")
    certificate: Words = ""
    certificate_until: Day = ""


class ResponsibleFor(StrEnum):
    """The three who answer for a unit (包保责任人, 应急厅〔2021〕12号)."""

    PRINCIPAL = "principal"
    TECHNICAL = "technical"
    OPERATING = "operating"


class Responsibility(Record):
    """A duty that somebody has for a hazard unit (包保责任), and when it was last done."""

    enterprise: Code
    district: Ref = ""
    hazard_unit: Code
    role: ResponsibleFor
    person: Code
    duty: Words = ""
    every_days: Annotated[int, Field(ge=1, le=3660)] | None = Field(default=None, description="None: no fixed period")
    done_on: Day = ""


class Document(Named):
    """A paper with a validity: SDS, emergency plan, disposal card, licence (文件、证照)."""

    enterprise: Code
    district: Ref = ""
    about_kind: Words = Field(default="", description="Kind of the record it is about; empty: the enterprise")
    about: Ref = ""
    sort: Literal["sds", "plan", "disposal_card", "licence", "assessment", "other"]
    number: Words = ""
    issued_on: Day = ""
    valid_until: Day = Field(default="", description="Empty: for good")
    link: Words = ""
    text: Words = ""


class Resource(Named):
    """A team, vehicle, material or device of rescue (救援资源); of no enterprise: everybody's."""

    enterprise: Ref = ""
    district: Ref = ""
    sort: Literal["team", "vehicle", "material", "equipment", "shelter", "hospital", "other"]
    amount: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    unit: Words = ""
    latitude_deg: Latitude
    longitude_deg: Longitude
    contact: Words = ""
    phone: Words = ""
    checked_on: Day = ""


class Neighbour(Named):
    """Who is near a site: an enterprise, a school, people (周边)."""

    enterprise: Code = Field(description="Whose neighbour")
    district: Ref = ""
    site: Ref = ""
    sort: Literal["enterprise", "residential", "school", "hospital", "water", "road", "public", "other"]
    is_enterprise: Ref = Field(default="", description="Its id, where it is an enterprise of this registry")
    people: Count | None = None
    latitude_deg: Latitude
    longitude_deg: Longitude
    contact: Words = ""
    phone: Words = ""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of records.

    Args:
        model: What one holds.
        title: What it is called.
        parent: The field that names what it is part of; empty: of nothing but its enterprise.
        refers: Every field that names another record, and of which kind.
        public: Belongs to nobody and may be read by everybody.
    """

    model: type[Record]
    title: Text
    parent: str
    refers: Mapping[str, str]
    public: bool = False


_OF = {"enterprise": "enterprise", "district": "district"}

KINDS: Mapping[str, Kind] = {
    "district": Kind(District, Text("区域", "district"), "parent", {"parent": "district"}, public=True),
    "enterprise": Kind(EnterpriseRecord, Text("企业", "enterprise"), "", {"district": "district"}),
    "site": Kind(SiteRecord, Text("厂区", "site"), "", _OF),
    "area": Kind(Area, Text("分区", "area"), "site", _OF | {"site": "site"}),
    "hazard-unit": Kind(
        HazardUnitRecord, Text("危险源单元", "hazard unit"), "site", _OF | {"site": "site", "area": "area"}
    ),
    "vessel": Kind(VesselRecord, Text("设备", "vessel"), "hazard_unit", _OF | {"hazard_unit": "hazard-unit"}),
    "tag": Kind(
        TagRecord, Text("位号", "tag"), "hazard_unit", _OF | {"hazard_unit": "hazard-unit", "vessel": "vessel"}
    ),
    "chemical": Kind(ChemicalRecord, Text("化学品", "chemical"), "", {}, public=True),
    "post": Kind(Post, Text("岗位", "post"), "", _OF),
    "person": Kind(Person, Text("人员", "person"), "", _OF | {"post": "post"}),
    "responsibility": Kind(
        Responsibility,
        Text("包保责任", "responsibility"),
        "hazard_unit",
        _OF | {"hazard_unit": "hazard-unit", "person": "person"},
    ),
    "document": Kind(Document, Text("文件证照", "document"), "about", _OF),
    "resource": Kind(Resource, Text("救援资源", "resource of rescue"), "", _OF),
    "neighbour": Kind(
        Neighbour, Text("周边单位", "neighbour"), "site", _OF | {"site": "site", "is_enterprise": "enterprise"}
    ),
}
"""In the order in which an import takes them: what is referred to comes first."""
