"""Files taken in whole or not at all: every fault named, formulas not run, what was exported changes nothing."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook, load_workbook
from pydantic import ValidationError

from config.settings import RecordsAddress
from gateway.access.roles import Scope
from gateway.commands import By
from gateway.errors import ConflictError
from gateway.records import audit
from gateway.records.database import open_desk, open_reader, open_writer
from gateway.records.registry_tables import registry_staged
from gateway.registry import checking
from gateway.registry import importing as importing_module
from gateway.registry.bulk import Bulk
from gateway.registry.cells import columns, neutral, plain, sheet_name
from gateway.registry.importing import File, Importing, Outcome
from gateway.registry.kinds import KINDS
from gateway.registry.reading import read_table, read_workbook
from gateway.registry.store import Draft, Registry, Wanted
from gateway.registry.writing import records_of, template, to_table, to_workbook
from tests.gateway.api.world import T0, SetClock

ALL = Scope()
ANN = By("ann", "10.0.0.1")


class Desk:
    """A registry, and hands that take files in."""

    def __init__(self, folder: Path, address: RecordsAddress | None = None) -> None:
        open_writer(folder, address).dispose()
        self.engine, self.reader = open_desk(folder, address), open_reader(folder, address)
        self.clock = SetClock()
        self.registry = Registry(self.engine, self.reader, self.clock)
        self.importing = Importing(self.registry, Bulk(self.engine, self.clock))
        self.count = 0

    def close(self) -> None:
        self.engine.dispose()
        self.reader.dispose()

    def take(self, content: bytes, kind: str = "", scope: Scope = ALL, *, dry_run: bool = False) -> Outcome:
        self.count += 1
        file = File(f"{self.count:032}", [(content, kind)], scope, ANN, "test", dry_run)
        return self.importing.take(file, lambda *_: None)

    def put(self, kind: str, name: str, **fields: object) -> None:
        body = KINDS[kind].model.model_validate({"id": name, "name_zh": name, **fields}).model_dump(mode="json")
        self.registry.write([Draft(kind, body)], ANN, "test")

    def export(self) -> bytes:
        return to_workbook((kind, records_of(self.registry, kind, ALL, Wanted())) for kind in KINDS)


@pytest.fixture
def desk(tmp_path: Path, records_address: RecordsAddress | None) -> Iterator[Desk]:
    desk = Desk(tmp_path, records_address)
    yield desk
    desk.close()


@pytest.fixture
def lasting(tmp_path: Path) -> Iterator[Desk]:
    """One for many examples."""
    desk = Desk(tmp_path)
    yield desk
    desk.close()


def book(**sheets: list[list[Any]]) -> bytes:
    made = Workbook()
    made.remove(made["Sheet"])
    for kind, lines in sheets.items():
        sheet = made.create_sheet(sheet_name(kind.replace("_", "-")))
        for line in lines:
            sheet.append(line)
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


PLANT: dict[str, list[list[Any]]] = {
    "enterprise": [["编号 id", "名称 name_zh"], ["acme", "甲企业"]],
    "site": [["id", "name_zh", "enterprise"], ["acme.s", "一厂", "acme"]],
    "hazard_unit": [["id", "name_zh", "site"], ["acme.u", "罐区", "acme.s"]],
    "vessel": [
        ["id", "name_zh", "hazard_unit", "shape", "capacity_m3"],
        ["acme.t1", "1号罐", "acme.u", "sphere", 1000],
    ],
    "person": [["id", "name_zh", "enterprise", "phone"], ["acme.li", "李", "acme", 13800000000]],
}


def test_rows_refer_to_each_other_and_are_filled_in_from_each_other(desk: Desk) -> None:
    outcome = desk.take(book(**PLANT))
    assert (outcome.faults, outcome.written) == ((), True)
    assert outcome.kinds["vessel"] == {"created": 1, "changed": 0, "unchanged": 0}
    vessel = desk.registry.get("vessel", "acme.t1", ALL)
    assert vessel is not None
    assert (vessel.enterprise, vessel.parent, vessel.by, vessel.why) == ("acme", "acme.u", "ann", "test")
    person = desk.registry.get("person", "acme.li", ALL)
    assert person is not None
    assert person.body["phone"] == "13800000000"
    with desk.reader.begin() as connection:
        assert [(row["act"], row["account"]) for row in audit.rows(connection)] == [("registry.import", "ann")]
        assert connection.execute(registry_staged.select()).all() == []


def test_all_faults_are_told_at_once_with_sheet_row_and_column_and_nothing_is_written(desk: Desk) -> None:
    outcome = desk.take(
        book(
            enterprise=[["id", "name_zh", "uscc"], ["acme", "甲", "91350211M000100Y4X"], ["bad id", "", ""]],
            vessel=[
                ["id", "name_zh", "enterprise", "shape", "capacity_m3", "hazard_unit"],
                ["v1", "罐", "acme", "cube", 5, ""],
                ["v2", "罐", "acme", "sphere", "many", "nowhere"],
                ["v2", "罐", "acme", "sphere", 1, ""],
                ["v3", "罐", "nobody", "sphere", "=1+1", ""],
                ["", "罐", "acme", "sphere", 1, ""],
            ],
            person=[["id", "name_zh", "colour"], ["p", "人", "red"]],
        )
    )
    told = {(fault.sheet.split()[-1], fault.row, fault.column) for fault in outcome.faults}
    assert told == {
        ("enterprise", 2, "uscc"), ("enterprise", 3, "id"), ("enterprise", 3, "name_zh"), ("vessel", 2, "shape"),
        ("vessel", 3, "capacity_m3"), ("vessel", 4, "id"), ("vessel", 5, "capacity_m3"), ("vessel", 6, "id"),
        ("person", 1, "colour"),
    }  # fmt: skip
    assert all(fault.zh and fault.en for fault in outcome.faults)
    assert outcome.fault_count == len(outcome.faults)
    assert not outcome.written
    assert [desk.registry.find(kind, ALL) for kind in KINDS] == [[] for _ in KINDS]


def test_a_dry_run_says_what_would_change_and_changes_nothing(desk: Desk) -> None:
    desk.take(book(**PLANT))
    changed = book(
        person=[["id", "phone"], ["acme.li", "+86 1"]], post=[["id", "name_zh", "enterprise"], ["acme.p", "岗", "acme"]]
    )
    outcome = desk.take(changed, dry_run=True)
    assert outcome.kinds == {
        "post": {"created": 1, "changed": 0, "unchanged": 0},
        "person": {"created": 0, "changed": 1, "unchanged": 0},
    }
    fields = {one["id"]: one["fields"] for one in outcome.changes}
    assert fields["acme.li"] == [{"field": "phone", "before": "13800000000", "after": "+86 1"}]
    person = desk.registry.get("person", "acme.li", ALL)
    assert person is not None
    assert person.version == 1
    assert desk.registry.find("post", ALL) == []


def test_what_has_no_column_stays_and_an_empty_cell_empties(desk: Desk) -> None:
    desk.take(book(**PLANT))
    desk.clock.now_ms += 1000
    desk.take(book(vessel=[["id", "name_zh"], ["acme.t1", "一号罐"]]))
    desk.clock.now_ms += 1000
    desk.take(book(vessel=[["id", "capacity_m3"], ["acme.t1", None]]))
    versions = desk.registry.history("vessel", "acme.t1", ALL)
    assert [(one.name, one.body["capacity_m3"], one.since_ms, one.until_ms < 10**14) for one in versions] == [
        ("1号罐", 1000.0, T0, True),
        ("一号罐", 1000.0, T0 + 1000, True),
        ("一号罐", None, T0 + 2000, False),
    ]


def test_who_sees_a_part_imports_that_part_only(desk: Desk) -> None:
    desk.put("enterprise", "acme")
    desk.put("enterprise", "bravo")
    desk.put("person", "bravo.wu", enterprise="bravo")
    acme = Scope(frozenset({"acme"}))
    heads = ["id", "name_zh", "enterprise"]
    outcome = desk.take(
        book(person=[heads, ["bravo.wu", "x", "acme"], ["bravo.no", "x", "acme"], ["acme.li", "x", "bravo"]]),
        scope=acme,
    )
    assert [(one.row, one.column, one.found) for one in outcome.faults] == [
        (2, "id", "bravo.wu"),
        (3, "id", "bravo.no"),
        (4, "enterprise", "bravo"),
        (4, "enterprise", "bravo"),
    ]
    first, second = outcome.faults[:2]
    assert (first.zh, first.en) == (second.zh, second.en)
    assert desk.take(book(person=[heads, ["acme.li", "x", "acme"]]), scope=acme).written


@pytest.mark.parametrize("other", ["acme.li", "acme.new"], ids=["changed", "created"])
def test_somebody_elses_change_meanwhile_undoes_all_of_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    desk.take(book(**PLANT))
    check = checking.check

    def meanwhile(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - of another function
        checked = check(*args, **kwargs)
        desk.put("person", other, enterprise="acme", phone="9")
        return checked

    monkeypatch.setattr(importing_module, "check", meanwhile)
    with pytest.raises(ConflictError):
        desk.take(
            book(
                person=[
                    ["id", "name_zh", "enterprise", "phone"],
                    ["acme.li", "李", "acme", "5"],
                    ["acme.new", "新", "acme", "6"],
                ],
                post=[["id", "name_zh", "enterprise"], ["acme.p", "岗", "acme"]],
            )
        )
    person = desk.registry.get("person", other, ALL)
    assert person is not None
    assert person.body["phone"] == "9"
    assert desk.registry.find("post", ALL) == []
    with desk.reader.begin() as connection:
        left = connection.execute(registry_staged.select()).all()
    assert len(left) == 3, "cleared when the same import begins again"


def test_a_record_that_was_removed_comes_back_by_a_file(desk: Desk) -> None:
    desk.take(book(**PLANT))
    desk.registry.write([Draft("person", {"id": "acme.li"}, gone=True)], ANN, "left")
    desk.take(book(person=[["id", "name_zh", "enterprise"], ["acme.li", "李", "acme"]]))
    assert [one.gone for one in desk.registry.history("person", "acme.li", ALL)] == [False, True, False]
    assert len(desk.registry.find("person", ALL)) == 1


# --- files nobody should trust ---------------------------------------------------------------------------------------


def packed(**parts: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in parts.items():
            file.writestr(f"{name}.xml", content)
    return out.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"PK\x03\x04 and nothing else",
        packed(a=b"<x/>"),
        packed(a=bytes(140 << 20)),
        packed(a=b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>'),
        packed(**{f"p{number}": b"" for number in range(300)}),
        book(enterprise=[["id"]])[:-200],
    ],
    ids=["cut", "no workbook", "bomb", "entities", "parts", "torn"],
)
def test_what_is_no_workbook_is_refused_with_a_reason(content: bytes) -> None:
    reading = read_workbook(content)
    assert reading.rows == []
    assert len(reading.faults) == 1


def test_a_row_far_down_does_not_keep_anybody_waiting() -> None:
    made = book(person=[["id", "name_zh"], ["p", "人"]])
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(made)) as old, zipfile.ZipFile(out, "w") as new:
        for part in old.infolist():
            content = old.read(part)
            if "sheet1" in part.filename:
                content = content.replace(b'r="2"', b'r="900000000"').replace(b'"A2"', b'"A900000000"')
            new.writestr(part, content)
    assert read_workbook(out.getvalue()).rows == []


def test_tables_of_chinese_spreadsheets_are_read() -> None:
    text = "编号 id,名称 name_zh\r\nacme.li,李\r\n"
    for encoding in ("utf-8", "utf-8-sig", "gb18030"):
        reading = read_table(text.encode(encoding), "person")
        assert [dict(row.said) for row in reading.rows] == [{"id": "acme.li", "name_zh": "李"}]
    assert read_table(b'id,name_zh\n"a', "person").faults != []


@given(st.text())
def test_no_exported_text_is_a_formula_and_every_one_comes_back(text: str) -> None:
    assert not neutral(text).startswith(("=", "+", "-", "@", "\t", "\r"))
    assert plain(neutral(text)) == text


def test_the_template_reads_as_nothing_and_offers_the_choices() -> None:
    reading = read_workbook(template())
    assert (reading.rows, reading.faults) == ([], [])
    sheet = load_workbook(io.BytesIO(template()))[sheet_name("vessel")]
    offered = {one.formula1 for one in sheet.data_validations.dataValidation}
    assert f'"{",".join(columns("vessel")["shape"].choices)}"' in offered
    assert sheet["A1"].value == "编号 id"


# --- export, import ---------------------------------------------------------------------------------------------------

words = st.one_of(
    st.text(max_size=12), st.sampled_from(["=1+1", "+86 1", "-", "@x", "'=x", "'", "a;b", "[1]", "#N/A", "1e5"])
)
numbers = st.floats(allow_nan=False, allow_infinity=False)


def value_of(kind: str, name: str) -> st.SearchStrategy[Any]:
    column = columns(kind)[name]
    if column.choices:
        return st.sampled_from(column.choices)
    if name in ("latitude_deg", "longitude_deg"):
        return st.floats(-90, 90)
    return {"text": words, "number": st.one_of(st.none(), numbers), "list": st.lists(words, max_size=3)}[column.sort]


def bodies(kind: str, **fixed: object) -> st.SearchStrategy[dict[str, Any]]:
    names = [name for name in columns(kind) if name not in fixed and name not in ("id", *KINDS[kind].refers)]
    return st.fixed_dictionaries({name: value_of(kind, name) for name in names}).map(lambda said: {**said, **fixed})


def valid(kind: str, name: str, said: dict[str, Any]) -> Draft:
    """Leave out what the model does not take; what remains is as strange as records may be."""
    while True:
        try:
            return Draft(kind, KINDS[kind].model.model_validate({**said, "id": name}).model_dump(mode="json"))
        except ValidationError as error:
            for one in error.errors():
                if one["loc"][0] == "name_zh":
                    said["name_zh"] = "名"
                else:
                    said.pop(str(one["loc"][0]), None)


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
@given(
    st.fixed_dictionaries(
        {
            "enterprise": bodies("enterprise"),
            "hazard-unit": bodies("hazard-unit", enterprise="acme"),
            "vessel": bodies("vessel", enterprise="acme", hazard_unit="acme.x"),
            "person": bodies("person", enterprise="acme"),
            "document": bodies("document", enterprise="acme", about_kind="", about=""),
            "resource": bodies("resource"),
        }
    ),
    bodies("chemical"),
)
def test_what_is_exported_and_read_in_again_changes_nothing(
    lasting: Desk, said: dict[str, dict[str, Any]], chemical: dict[str, Any]
) -> None:
    drafts = [valid(kind, "acme" if kind == "enterprise" else "acme.x", one) for kind, one in said.items()]
    drafts.append(valid("chemical", "67-56-1", chemical))
    lasting.registry.write(drafts, ANN, "test")
    outcome = lasting.take(lasting.export())
    assert (outcome.faults, outcome.written) == ((), False), outcome.changes
    for kind in said:
        table = to_table(kind, records_of(lasting.registry, kind, ALL, Wanted()))
        outcome = lasting.take(table, kind)
        assert (outcome.faults, outcome.written) == ((), False), outcome.changes
        for line in csv.reader(io.StringIO(table.decode("utf-8-sig"), newline="")):
            assert [cell for cell in line if cell[:1] in tuple("=+@\t\r")] == []
            assert [cell for cell in line if cell[:1] == "-" and not is_number(cell)] == []


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
