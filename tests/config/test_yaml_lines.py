from __future__ import annotations

import math

import pytest

from config.plant.yaml_lines import dotted, read_yaml

TEXT = """\
# a comment
site:
  id: north
  range: [0,
          10]
tags:
  - {name: a, unit: m}
  - name: b
"""


def test_values_are_plain() -> None:
    read = read_yaml(TEXT, "f")
    assert read.problems == []
    assert read.value == {
        "site": {"id": "north", "range": [0, 10]},
        "tags": [{"name": "a", "unit": "m"}, {"name": "b"}],
    }


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ((), 2),
        (("site",), 2),
        (("site", "id"), 3),
        (("site", "range"), 4),
        (("site", "range", 1), 5),
        (("tags", 0, "unit"), 7),
        (("tags", 1, "name"), 8),
        (("site", "missing"), 2),
        (("site", "range", 9), 4),
        (("elsewhere", "x"), 2),
    ],
)
def test_everything_has_its_line(path: tuple[str | int, ...], line: int) -> None:
    assert read_yaml(TEXT, "f").line(path) == line


def test_key_and_value_may_stand_on_different_lines() -> None:
    read = read_yaml("a:\n\n  long\n", "f")
    assert (read.line(("a",), of_key=True), read.line(("a",))) == (1, 3)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("-2.5", -2.5),
        ("1e-3", 1e-3),
        ("1.5E+3", 1500.0),
        (".5", 0.5),
        ("017", "017"),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("0x1F", "0x1F"),
        ("2026-11-22", "2026-11-22"),
        ("7782-50-5", "7782-50-5"),
        ("'1'", "1"),
        ("'1e-3'", "1e-3"),
        ("true", True),
        ("False", False),
        ("yes", "yes"),
        ("off", "off"),
        ("~", None),
        ("", None),
        (".inf", math.inf),
        ("=", "="),
        ("重大", "重大"),
        ("9" * 5000, math.inf),
    ],
)
def test_scalars(text: str, value: object) -> None:
    read = read_yaml(f"a: {text}", "f")
    assert read.problems == []
    assert read.value == {"a": value}
    assert isinstance(read.value, dict)
    assert type(read.value["a"]) is type(value)


def test_keys_are_always_text() -> None:
    assert read_yaml("101: a\nno: b\nnull: c", "f").value == {"101": "a", "no": "b", "null": "c"}


@pytest.mark.parametrize(
    ("text", "line", "found"),
    [
        ("a: 1\nb: 2\na: 3", 3, "'a' is there twice (before on line 1)"),
        ("a: &x [1]\nb: *x", 2, "a YAML alias"),
        ("a: &x {b: *x}", 1, "a YAML alias"),
        ("a: !!python/object:os.system [x]", 1, "the YAML tag 'tag:yaml.org,2002:python/object:os.system'"),
        ("b: 1\na: !special 1", 2, "the YAML tag '!special'"),
        ("a: !!binary aGk=", 1, "the YAML tag 'tag:yaml.org,2002:binary'"),
    ],
)
def test_what_surprises_is_refused_with_its_line(text: str, line: int, found: str) -> None:
    problems = read_yaml(text, "f.yaml").problems
    assert [(problem.file, problem.line, problem.found) for problem in problems] == [("f.yaml", line, found)]


@pytest.mark.parametrize(
    ("text", "line", "allowed"),
    [
        ("a: [1\nb: 2", 2, "check the indentation"),
        ("a:\n\tb: 2", 2, "spaces, never with tabs"),
        ("a: 1\nb\n", 3, "check the indentation"),
        ("a: 'x\n", 2, "check the indentation"),
        ("a: 1\n---\nb: 2", 2, "one document"),
        ("ok: 1\na: \x01", 2, "printable UTF-8"),
        ("a: 1\n? [b]\n: 2", 2, "one document"),
        ("[" * 100_000, 1, "one document"),
        ("- " * 100_000 + "a", 1, "one document"),
    ],
)
def test_a_syntax_error_has_its_line(text: str, line: int, allowed: str) -> None:
    read = read_yaml(text, "f")
    assert read.value is None
    (problem,) = read.problems
    assert problem.line == line
    assert allowed in problem.allowed


def test_an_empty_file_is_nothing() -> None:
    read = read_yaml("# nothing\n", "f")
    assert (read.value, read.problems, read.line(("a",))) == (None, [], 1)


def test_paths_read_well() -> None:
    assert dotted(("tags", "GD-101", "range", 0)) == "tags.GD-101.range[0]"
    assert dotted(()) == "(document)"
