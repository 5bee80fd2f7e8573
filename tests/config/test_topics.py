from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.contract.topics import (
    EdgeTopic,
    Kind,
    alarm_topic,
    edge_topic,
    is_edge_id,
    is_tag_name,
    parse_edge_topic,
    point_topic,
    subscriptions,
)
from config.errors import TopicError

IDS = st.text("abcxyz019._-", min_size=1, max_size=64)
KINDS = st.sampled_from([kind for kind in Kind if kind is not Kind.POINTS])


@given(IDS, IDS, KINDS)
def test_a_topic_of_an_edge_is_read_back(site: str, edge: str, kind: Kind) -> None:
    assert parse_edge_topic(edge_topic(site, edge, kind)) == EdgeTopic(site, edge, kind)


@given(IDS, IDS, st.text("ABCabc019._-", min_size=1, max_size=128))
def test_a_topic_of_a_point_is_read_back(site: str, edge: str, tag: str) -> None:
    assert parse_edge_topic(point_topic(site, edge, tag)) == EdgeTopic(site, edge, Kind.POINTS, tag)


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "hazard/v1",
        "hazard/v1/s/e",
        "hazard/v2/s/e/telemetry",
        "hazard/v1/s/e/telemetry/more",
        "hazard/v1/s/e/points",
        "hazard/v1/s/e/points/",
        "hazard/v1/s/e/points/a b",
        "hazard/v1/S/e/telemetry",
        "hazard/v1/s//telemetry",
        "hazard/v1/s/e/telemetri",
        "/hazard/v1/s/e/telemetry",
        "hazard/v1/s/e/points/t/more",
        "hazard/v1/s\n/e/telemetry",
    ],
)
def test_other_topics_are_refused(topic: str) -> None:
    with pytest.raises(TopicError, match="topic"):
        parse_edge_topic(topic)


@pytest.mark.parametrize(("text", "edge", "tag"), [("a", True, True), ("A", False, True), ("", False, False)])
def test_ids(text: str, edge: bool, tag: bool) -> None:  # noqa: FBT001  table of cases
    assert (is_edge_id(text), is_tag_name(text)) == (edge, tag)


def test_ids_have_a_longest_form_and_no_newline() -> None:
    assert is_edge_id("a" * 64)
    assert not is_edge_id("a" * 65)
    assert is_tag_name("a" * 128)
    assert not is_tag_name("a" * 129)
    assert not is_tag_name("a\n")


def test_a_gateway_hears_everything_edges_say_and_nothing_it_says_itself() -> None:
    heard = subscriptions("demo")
    said_by_edges = [edge_topic("demo", "+", kind) for kind in (Kind.TELEMETRY, Kind.BACKLOG, Kind.STATUS)]
    assert {*said_by_edges, point_topic("demo", "+", "+")} <= set(heard)
    assert all("kept" not in topic for topic in subscriptions())


def test_alarm_states_have_a_topic_of_their_own() -> None:
    assert alarm_topic("demo", "a1") == "hazard/v1/demo/alarms/a1"
