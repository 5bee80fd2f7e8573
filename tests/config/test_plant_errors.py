from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.errors import PlantError, Problem
from config.plant.load import DEMO_PLANT, load_plant, read_plant
from tests.support.plants import MINI_PLANT, plant_text, write_plant


def problems_of(text: str) -> list[Problem]:
    with pytest.raises(PlantError) as caught:
        read_plant(text, "plant.yaml")
    return list(caught.value.problems)


def line_of(text: str, part: str) -> int:
    """Return the line of the first thing written like that."""
    return text[: text.index(part)].count("\n") + 1


def changed(old: str, new: str, text: str = MINI_PLANT) -> str:
    assert text.count(old) >= 1, old
    return text.replace(old, new, 1)


def the_problem(text: str) -> Problem:
    (problem,) = problems_of(text)
    return problem


def test_one_wrong_key_among_500_tags_is_found_with_its_line(tmp_path: Path) -> None:
    path = write_plant(tmp_path, 500)
    text = path.read_text(encoding="utf-8")
    head, tail = text.split("  T00321.LEVEL:\n")
    path.write_text(f"{head}  T00321.LEVEL:\n" + tail.replace("period:", "perod:", 1), encoding="utf-8")
    with pytest.raises(PlantError) as caught:
        load_plant(path)
    (problem,) = caught.value.problems
    assert (problem.file, problem.line) == (str(path), line_of(path.read_text(encoding="utf-8"), "perod"))
    assert problem.key == "tags.T00321.LEVEL.perod"
    assert problem.found == "unknown key 'perod'"
    assert problem.allowed.startswith("did you mean 'period'? one of description,")
    assert str(caught.value).startswith(f"{path}:{problem.line}: tags.T00321.LEVEL.perod: ")


def test_five_errors_of_every_kind_come_together_in_the_order_of_the_file() -> None:
    head, *tags = plant_text(500).split("\n  T0")
    tags[9] = changed("kind:", "knd:", tags[9])
    tags[99] = changed("quantity: level", "quantity: levle", tags[99])
    tags[249] = changed("edge: edge-a", "edge: edge-z", tags[249])
    tags[332] = changed("H: 8", "H: 12", tags[332])
    tags[499] = changed("0500.LEVEL", "0499.LEVEL", tags[499])
    text = "\n  T0".join([head, *tags])
    found = [(problem.line, problem.key) for problem in problems_of(text) if "HH" not in problem.key]
    assert found == [
        (line_of(text, "knd"), "tags.T00010.LEVEL.knd"),
        (line_of(text, "levle"), "tags.T00100.LEVEL.quantity"),
        (line_of(text, "edge-z"), "tags.T00250.LEVEL.edge"),
        (line_of(text, "H: 12"), "tags.T00333.LEVEL.limits.H.limit"),
        (text[: text.rindex("T00499")].count("\n") + 1, "tags.T00499.LEVEL"),
    ]


def test_500_tags_load_within_a_second() -> None:
    text = plant_text(500)
    read_plant(text, "warm-up")
    began = time.perf_counter()
    plant = read_plant(text, "plant.yaml")
    assert time.perf_counter() - began < 1
    assert len(plant.tags) == 500


@pytest.mark.parametrize(
    ("old", "new", "key", "found", "allowed"),
    [
        ("version: 1", "version: 2", "version", "2", "one of 1"),
        ("id: mini", "id: Mini", "site.id", "'Mini'", "an id of the form [a-z0-9._-]{1,64}"),
        ("id: acme", "id: a/b", "enterprise.id", "'a/b'", "an id of the form"),
        ("latitude_deg: 36.85", "latitude_deg: 96.85", "site.latitude_deg", "96.85", "less than or equal to 90"),
        ("latitude_deg: 36.85", "latitude_deg: '36'", "site.latitude_deg", "'36'", "a number"),
        ("latitude_deg: 36.85", "latitude_deg: .nan", "site.latitude_deg", "nan", "a finite number"),
        ('zh: "测试厂", ', "", "site.name.zh", "the key is missing", "'zh' is required"),
        ('zh: "测试厂"', "zh: ''", "site.name.zh", "''", "text that is not empty"),
        ("cas: 67-56-1}\n  cl2", "cas: 67-56-2}\n  cl2", "hazard_units.meoh.cas", "'67-56-2'", "with its check digit"),
        ("cas: 67-56-1}\n  cl2", "cas: 58-08-2}\n  cl2", "hazard_units.meoh.cas", "unknown substance 58-08-2", "catal"),
        ("hazard_unit: meoh", "hazard_unit: meo", "vessels.T-1.hazard_unit", "unknown hazard unit", "'meoh'? one"),
        (" hazard_unit: meoh,", "", "vessels.T-1.hazard_unit", "the key is missing", "but a truck tank"),
        ("kind: vertical_tank", "kind: vertical_tnk", "vessels.T-1.kind", "'vertical_tnk'", "'vertical_tank'? one of"),
        ("kind: vertical_tank", "kind: truck_tank, cas: 67-56-1", "vessels.T-1.hazard_unit", "'meoh'", "none for"),
        ("height_m: 10", "height_m: 0", "vessels.T-1.height_m", "0", "greater than 0"),
        ("kind: direct", "kind: drect", "edges.edge-b.kind", "'drect'", "did you mean 'direct'?"),
        ("edge-a: {name", "Edge-A: {name", "edges.Edge-A", "'Edge-A'", "[a-z0-9._-]{1,64}"),
        ("cas: 67-56-1, edge: edge-a", "cas: 67-56-1, edge: a", "vehicles.TRUCK-1.edge", "unknown edge 'a'", "edge-a"),
        ('plate: "鲁C·T0001"', "plate: 1234", "vehicles.TRUCK-1.plate", "1234", "text (quote a number"),
        ("T-1.LEVEL:", "T-1 LEVEL:", "tags.T-1 LEVEL", "'T-1 LEVEL'", "[A-Za-z0-9._-]{1,128}"),
        ("    vessel: T-1", "    vessel: T-2", "~vessel", "unknown vessel 'T-2'", "did you mean 'T-1'?"),
        ("vehicle: TRUCK-1", "vehicle: TRUCK-2", "tags.TRUCK-1.SPEED.vehicle", "unknown vehicle", "'TRUCK-1'?"),
        ("    vessel: T-1", "    vessel: T-1\n    hazard_unit: cl2", "~hazard_unit", "'cl2'", "'meoh', the"),
        ("    vessel: T-1", "    vessel: T-1\n    cas: 1-2", "~cas", "'1-2'", "a CAS number"),
        ("    vessel: T-1", "    template: x", "~template", "unknown template 'x'", "none is defined"),
        ("unit: m\n", "unit: kPa\n", "~unit", "'kPa'", "known are m, cm, mm"),
        ("    unit: m\n", "", "~unit", "the key is missing", "here or in a template"),
        ("    edge: edge-a\n", "", "~edge", "the key is missing", "here or in a template"),
        ("range: [0, 10]", "range: [10, 0]", "~range", "10 to 0", "low < high"),
        ("range: [0, 10]", "range: [0]", "~range", "[0]", "a list of at least 2"),
        ("range: [0, 10]", "range: 10", "~range", "10", "a list"),
        ("period: 1s", "period: 1", "~period", "1", 'a duration with its unit, such as "500ms"'),
        ("period: 1s", "period: 0s", "~period", "0 ms", "more than 0"),
        ("period: 1s", "period: 0.5ms", "~period", "'0.5ms'", "whole milliseconds"),
        ("period: 1s", "period: 1s\n    hold: 900ms", "~hold", "900 ms", "at least the period of 1000"),
        ("period: 1s", "period: 1s\n    stale_after: 1s", "~stale_after", "1000 ms", "more than the period"),
        ("H: {limit: 8,", "H: {limit: 9.5,", "~limits.HH.limit", "9 m", "above H at 9.5 m"),
        ("LL: {limit: 1,", "LL: {limit: 2.2,", "~limits.L.limit", "2 m", "above LL at 2.2 m"),
        ("HH: {limit: 9,", "HH: {limit: 11,", "~limits.HH.limit", "11 m", "within the range 0 to 10 m"),
        ("deadband: 0.25", "deadband: 1", "~limits.HH.deadband", "1 m", "less than 1 m"),
        ("deadband: 0.25", "deadband: -1", "~limits.HH.deadband", "-1", "greater than or equal to 0"),
        ("STALE: {tier: yellow}", "STALE: {tier: pink}", "~limits.STALE.tier", "'pink'", "red (1), orange"),
        ("STALE: {tier: yellow}", "STALE: 4", "~limits.STALE.limit", "limit 4", "STALE has no limit"),
        ("STALE: {tier: yellow}", "STAL: true", "~limits.STAL", "unknown key 'STAL'", "'STALE'?"),
        ("STALE: {tier: yellow}", "STALE: no", "~limits.STALE", "'no'", "false to switch it off"),
        ("H: {limit: 40,", "H: {", "tags.T-1.TEMP.limits.H.limit", "no limit", "a limit in degC"),
        ("range: [0, 5]", "range: [0, 0.5]", "tags.GD-1.limits.HH.limit", "0.678081 ppm, the default by", "0 to 0.5"),
        ('"1号罐液位"', '"{tga}"', "~description.zh", "the placeholder {tga}", "one of {site}, "),
        ("plant/{site}/{tag}", "plant/#", "~source.topic", "'plant/#'", "without the wildcards"),
        ("plant/{site}/{tag}", "$SYS/x", "~source.topic", "'$SYS/x'", "not below $"),
        ("plant/{site}/{tag}", "hazard/v1/x", "~source.topic", "'hazard/v1/x'", "not below hazard/v1/"),
        ('topic: "plant/{site}/{tag}", ', "", "~source.topic", "the key is missing", "a source has a topic"),
        ("quality_path: q}", "quality_path: q, unit: bar}", "~source.unit", "'bar'", "known are m, cm, mm"),
        ("quality_path: q}", "quality_path: q, scale: 0}", "~source.scale", "0", "not 0"),
        ("quality_path: q}", "quality_path: q, qos: 3}", "~source.qos", "3", "less than or equal to 2"),
        ("format: number}", "format: number, path: v}", "tags.T-1.TEMP.source.path", "a path", "the number itself"),
        ("current_loop: true}", "current_loop: true, unit: ppm}", "tags.GD-1.source.unit", "'ppm'", "span the range"),
        ("current_loop: true}", "current_loop: 1}", "tags.GD-1.source.current_loop", "1", "true or false"),
        ("edge: edge-b", "edge: edge-b\n    source: {topic: x}", "tags.PLAIN.PRESS.source", "a source", "direct edge"),
    ],
)  # fmt: skip
def test_every_error_says_where_it_is_what_was_found_and_what_is_allowed(
    old: str, new: str, key: str, found: str, allowed: str
) -> None:
    text = changed(old, new)
    key = key.replace("~", "tags.T-1.LEVEL.")
    problem = next(problem for problem in problems_of(text) if problem.key == key)
    assert problem.found.startswith(found)
    assert allowed in problem.allowed
    if "missing" not in found and "default by" not in found:
        first = MINI_PLANT[: MINI_PLANT.index(old)].count("\n") + 1
        assert first - 1 <= problem.line <= first + new.count("\n"), "where it was changed, or the limit beside it"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    unit: m\n", ""),
        ("kind: vertical_tank", "knd: vertical_tank"),
        ("name: {zh", "nam: {zh"),
        ("L: {limit: 2", "L: {limmit: 2"),
    ],
)
def test_one_mistake_is_one_problem(old: str, new: str) -> None:
    the_problem(changed(old, new))


def test_two_tags_must_not_read_the_same_place() -> None:
    text = changed('"plant/{site}/{tag}", format: number', '"plant/mini/T-1.LEVEL", path: v')
    problem = the_problem(text)
    assert (problem.line, problem.key) == (line_of(text, "plant/mini/T-1.LEVEL"), "tags.T-1.TEMP.source.topic")
    assert problem.allowed == "a place of its own: T-1.LEVEL reads the same"


def test_an_error_in_a_template_is_reported_once_at_the_template() -> None:
    tags = "".join(f"  A{number}: {{template: t}}\n" for number in range(40))
    template = (
        'templates:\n  t:\n    description: {zh: "x", en: "x"}\n    kind: other\n    quantity: level\n    unit: mn\n'
        "    range: [0, 5]\n    period: 1s\n    edge: edge-q\n    source: {topic: same}\n"
    )
    text = MINI_PLANT.replace("tags:\n", f"{template}tags:\n{tags}")
    found = [(problem.key, problem.line) for problem in problems_of(text)]
    assert found == [("templates.t.unit", line_of(text, "unit: mn")), ("templates.t.edge", line_of(text, "edge-q"))]


def test_a_broken_site_does_not_hide_the_other_errors() -> None:
    text = changed("kind: direct", "kind: drect", changed("id: mini", "id: 5"))
    assert [problem.key for problem in problems_of(text)] == ["site.id", "edges.edge-b.kind"]


def test_a_vessel_that_cannot_be_read_is_still_known_to_its_tags() -> None:
    assert the_problem(changed("capacity_m3: 100", "capacity_m3: x")).key == "vessels.T-1.capacity_m3"


@pytest.mark.parametrize("text", ["", "# nothing\n", "x", "- a\n- b\n", "5"])
def test_a_file_that_is_no_mapping(text: str) -> None:
    problem = the_problem(text)
    assert problem.line == 1
    assert "a mapping with the keys version, enterprise" in problem.allowed


def test_missing_sections_are_named() -> None:
    assert [problem.key for problem in problems_of("version: 1\n")] == ["enterprise", "site"]


def test_a_syntax_error_has_its_line() -> None:
    problem = the_problem(changed("    range: [0, 10]", "    range: [0, 10"))
    assert problem.line in (line_of(MINI_PLANT, "range: [0, 10]"), line_of(MINI_PLANT, "range: [0, 10]") + 1)
    assert problem.found.startswith("not YAML")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(PlantError, match=r"none\.yaml:0: \(file\): No such file or directory; a readable YAML file"):
        load_plant(tmp_path / "none.yaml")


def test_a_file_that_is_not_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "gbk.yaml"
    path.write_bytes(MINI_PLANT.encode("gbk"))
    with pytest.raises(PlantError, match=r"gbk\.yaml:2: \(syntax\): the byte 0x\w\w is not UTF-8; text saved as UTF-8"):
        load_plant(path)


def test_a_byte_order_mark_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "bom.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + MINI_PLANT.encode())
    assert load_plant(path).site.id == "mini"


LINES = DEMO_PLANT.read_text(encoding="utf-8").splitlines()
SCRAPS = st.sampled_from(
    ["", "x", "5", "- 5", "[", "{", "a: 5", "    limits: {H: x}", "tags: 5", "\t", "&a *a", "site: []"]
)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(LINES) - 1), st.integers(0, 10), SCRAPS, st.integers(1, 3))
def test_whatever_is_done_to_a_file_ends_in_a_plant_or_in_problems_with_lines(
    at: int, indent: int, scrap: str, removed: int
) -> None:
    lines = [*LINES[:at], " " * indent + scrap, *LINES[at + removed :]]
    try:
        read_plant("\n".join(lines), "f")
    except PlantError as error:
        lines_named = [problem.line for problem in error.problems]
    else:
        lines_named = [1]
    assert lines_named
    assert all(1 <= line <= len(lines) + 1 for line in lines_named)
