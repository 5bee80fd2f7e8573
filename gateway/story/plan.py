"""The parts of the story. A new part is a file in `gateway.story.parts`, and two lines here."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pydantic import Field

from config.plant.model import Text
from gateway.api.models import Model
from gateway.story.parts.commitment import CommitmentContent, tell_commitment
from gateway.story.parts.contents import ContentsContent, tell_contents
from gateway.story.parts.dangers import DangersContent, tell_dangers
from gateway.story.parts.grades import GradesContent, tell_grades
from gateway.story.parts.history import HistoryContent, tell_history
from gateway.story.parts.inhibited import InhibitedContent, tell_inhibited
from gateway.story.parts.neighbours import NeighboursContent, tell_neighbours
from gateway.story.parts.papers import PapersContent, tell_papers
from gateway.story.parts.people import PeopleContent, tell_people
from gateway.story.parts.permits import PermitsContent, tell_permits
from gateway.story.parts.place import PlaceContent, tell_place
from gateway.story.parts.related import RelatedContent, tell_related
from gateway.story.parts.resources import ResourcesContent, tell_resources
from gateway.story.parts.risks import RisksContent, tell_risks
from gateway.story.parts.standing import StandingContent, tell_standing
from gateway.story.parts.substance import SubstanceContent, tell_substance
from gateway.story.parts.tag import TagContent, tell_tag
from gateway.story.parts.trends import TrendsContent, tell_trends
from gateway.story.parts.weather import WeatherContent, tell_weather
from gateway.story.telling import Part, PartKind

__all__ = ["PARTS", "Parts"]


class Parts(Model):
    """Every part of the story."""

    tag: Part[TagContent] = Field(description="位号 · tag")
    place: Part[PlaceContent] = Field(description="场所 · place")
    contents: Part[ContentsContent] = Field(description="存量 · contents")
    grades: Part[GradesContent] = Field(description="重大危险源分级 · grades of the unit")
    people: Part[PeopleContent] = Field(description="责任人 · who is responsible")
    substance: Part[SubstanceContent] = Field(description="物质与处置 · substance, what to do")
    papers: Part[PapersContent] = Field(description="预案与文件 · plans and papers")
    dangers: Part[DangersContent] = Field(description="隐患 · hidden dangers")
    permits: Part[PermitsContent] = Field(description="特殊作业 · special work")
    risks: Part[RisksContent] = Field(description="风险 · risks")
    commitment: Part[CommitmentContent] = Field(description="安全承诺 · commitment of today")
    standing: Part[StandingContent] = Field(description="管控与信用 · restrictions and credit")
    inhibited: Part[InhibitedContent] = Field(description="搁置与停用 · what is not told")
    related: Part[RelatedContent] = Field(description="相关报警 · related alarms")
    weather: Part[WeatherContent] = Field(description="气象 · weather")
    neighbours: Part[NeighboursContent] = Field(description="周边单位 · neighbours")
    resources: Part[ResourcesContent] = Field(description="救援资源 · resources of rescue")
    history: Part[HistoryContent] = Field(description="历史 · history")
    trends: Part[TrendsContent] = Field(description="近一小时趋势 · the last hour")


PARTS: Mapping[str, PartKind] = MappingProxyType(
    {
        "tag": PartKind(tell_tag, Text("位号", "tag")),
        "place": PartKind(tell_place, Text("场所", "place")),
        "contents": PartKind(tell_contents, Text("存量", "contents")),
        "grades": PartKind(tell_grades, Text("重大危险源分级", "grades of the unit")),
        "people": PartKind(tell_people, Text("责任人", "who is responsible")),
        "substance": PartKind(tell_substance, Text("物质与处置", "substance, what to do")),
        "papers": PartKind(tell_papers, Text("预案与文件", "plans and papers")),
        "dangers": PartKind(tell_dangers, Text("隐患", "hidden dangers")),
        "permits": PartKind(tell_permits, Text("特殊作业", "special work")),
        "risks": PartKind(tell_risks, Text("风险", "risks")),
        "commitment": PartKind(tell_commitment, Text("安全承诺", "commitment of today")),
        "standing": PartKind(tell_standing, Text("管控与信用", "restrictions and credit")),
        "inhibited": PartKind(tell_inhibited, Text("搁置与停用", "what is not told")),
        "related": PartKind(tell_related, Text("相关报警", "related alarms")),
        "weather": PartKind(tell_weather, Text("气象", "weather")),
        "neighbours": PartKind(tell_neighbours, Text("周边单位", "neighbours")),
        "resources": PartKind(tell_resources, Text("救援资源", "resources of rescue")),
        "history": PartKind(tell_history, Text("历史", "history")),
        "trends": PartKind(tell_trends, Text("近一小时趋势", "the last hour")),
    }
)
"""In the order of importance: what comes first is asked first."""
