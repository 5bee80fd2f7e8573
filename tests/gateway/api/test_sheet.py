"""The story on one page: all of it that fits, nothing of it twice as long, nothing as markup."""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.access.roles import Role
from gateway.story import pdf as pdf_module
from gateway.story.lines import LINES, Line
from gateway.story.pdf import font_name
from gateway.story.plan import PARTS
from gateway.story.sheet import COLUMNS, LABEL_UNITS, PAGE_LINES, TEXT_UNITS, cut, width, wrapped
from tests.gateway.api.people import ACME, BRAVO, House, make_house
from tests.gateway.api.test_context import HIDDEN
from tests.gateway.api.world import T0, World, client_of
from tests.support.browser import CHROMIUM, chromium
from tests.support.town import register_town, write

EVIL = "<script>alert('1')</script>&\"'"


@pytest.fixture
def world(house: House) -> World:
    return house.world


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    for one in make_house(tmp_path):
        one.world.healthy()
        one.world.register()
        one.world.show(**{"T-1__LEVEL": 9.5, "GD-1": 0.5})
        register_town(one.world.place.registry)
        one.world.raise_alarm("own")
        one.world.raise_alarm("concealed", "GD-1")
        yield one


@pytest.fixture
async def client(house: House) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(house.world.api()) as one:
        one.headers.update(house.token(Role.ENTERPRISE, ACME))
        yield one


@pytest.fixture(autouse=True)
def readers_own_font(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Write Chinese as text, whatever fonts this machine has: an embedded font writes numbers of glyphs."""
    monkeypatch.setattr(pdf_module, "FONT_FILES", ())
    font_name.cache_clear()
    yield
    font_name.cache_clear()


def _streams(content: bytes) -> list[bytes]:
    found = re.findall(rb"stream\r?\n(.*?)\r?\n?endstream", content, re.DOTALL)
    return [zlib.decompress(base64.a85decode(one.strip().removesuffix(b"~>"))) for one in found]


def _words(content: bytes) -> str:
    """Return the text of a PDF: literal strings of UCS-2, as `UniGB-UCS2-H` reads them."""
    escaped = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}

    def plain(match: re.Match[bytes]) -> bytes:
        sign = match[1]
        return bytes([int(sign, 8)]) if sign.isdigit() else escaped.get(sign, sign)

    literals = [
        re.sub(rb"\\([0-7]{1,3}|.)", plain, literal, flags=re.DOTALL)
        for stream in _streams(content)
        for literal in re.findall(rb"\(((?:\\.|[^\\()])*)\)\s*Tj", stream, re.DOTALL)
    ]
    return "\n".join(one.decode("utf-16-be") for one in literals)


def _fill(world: World) -> None:
    """Let every part have much more than fits."""
    long = "很长的名称" * 20
    write(
        world.place.registry,
        ("vessel", {"id": "T-1", "name_zh": EVIL + long[:90], "enterprise": "acme", "hazard_unit": "meoh",
                    "shape": "sphere"}),
        *(("person", {"id": f"acme.p{n}", "name_zh": long, "enterprise": "acme", "phone": "1" * 30})
          for n in range(20)),
        *(("responsibility", {"id": f"acme.x{n}", "enterprise": "acme", "hazard_unit": "meoh", "role": "technical",
                              "person": f"acme.p{n}"}) for n in range(20)),
        *(("document", {"id": f"acme.d{n}", "name_zh": long, "enterprise": "acme", "about": "meoh", "sort": "sds"})
          for n in range(20)),
        *(("resource", {"id": f"r{n}", "name_zh": long, "sort": "team", "latitude_deg": 36.85, "longitude_deg": 118.05})
          for n in range(20)),
        ("chemical", {"id": "67-56-1", "name_zh": "甲醇", "disposal": long * 5 + EVIL, "disposal_en": "run " * 200,
                      "first_aid": long, "protection": long, "extinguishing": long, "isolation_m": 100,
                      "hazards": ["H225"] * 40, "isolation_source": long}),
    )  # fmt: skip
    for number in range(30):
        world.raise_alarm(f"more-{number}", "T-1.TEMP", condition="H", tier=2, raised_ms=T0 - number)
    row = {"condition": "H", "kind": "shelved", "since_ms": T0, "until_ms": T0 + 9, "reason": long, "permit": ""}
    more = {"rule": "", "by": "li", "ended_ms": None, "ended_by": None, "ended_why": None}
    world.put("inhibition", *({"id": f"i{n}", "tag": "T-1.TEMP", **row, **more} for n in range(20)))


def test_every_part_has_a_place_and_both_halves_fit() -> None:
    placed = [*COLUMNS[0], *COLUMNS[1]]
    assert sorted(placed) == sorted(PARTS) == sorted(LINES)
    for column in COLUMNS:
        assert sum(column.values()) + len(column) <= PAGE_LINES


@given(st.text(), st.integers(2, 200))
def test_what_is_cut_fits_and_says_so(text: str, units: int) -> None:
    short = cut(text, units)
    assert width(short) <= units
    plain = " ".join(text.split())
    assert short == plain or short.endswith("…")


@given(st.text(), st.text(), st.integers(1, 6))
def test_a_line_takes_no_more_room_than_it_may(label: str, text: str, most: int) -> None:
    lines = list(wrapped(Line(label, text, most)))
    assert 1 <= len(lines) <= most
    assert all(width(one.text) <= TEXT_UNITS and width(one.label) <= LABEL_UNITS for one in lines)
    if not lines[-1].text.endswith("…"):
        joined = "".join(one.text for one in lines).replace(" ", "")
        assert joined == "".join(" ".join(text.split()).split(" ")), "nothing is lost between the lines"


async def test_the_pdf_is_one_page_with_the_words(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/v1/alarms/own/sheet.pdf")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf")
    assert answer.headers["content-disposition"] == 'inline; filename="own.pdf"'
    assert len(re.findall(rb"/Type\s*/Page\b", answer.content)) == 1
    words = _words(answer.content)
    for one in (
        "1号罐液位",
        "测试化工有限公司 Test Chemicals",
        "张三 Zhang San 13800000001",
        "甲醇 methanol",
        "切断火源",
    ):
        assert one in words
    assert "相关报警 related alarms" in words


async def test_the_same_story_is_the_same_file(client: httpx.AsyncClient) -> None:
    first, second = [(await client.get("/api/v1/alarms/own/sheet.pdf")).content for _ in range(2)]
    assert first == second


async def test_too_much_is_cut_with_a_count_and_stays_one_page(world: World, client: httpx.AsyncClient) -> None:
    _fill(world)
    answer = await client.get("/api/v1/alarms/own/sheet.pdf")
    assert len(re.findall(rb"/Type\s*/Page\b", answer.content)) == 1
    words = _words(answer.content)
    assert re.search(r"… 另有 \d+ 行 \d+ more", words)
    html = (await client.get("/api/v1/alarms/own/sheet.html")).text
    assert len(re.findall(r"<dt>", html)) + len(re.findall(r"<h2>", html)) <= 2 * PAGE_LINES


async def test_what_to_do_has_the_room_that_others_leave(world: World, client: httpx.AsyncClient) -> None:
    card = {"disposal": "先撤离再切断。" * 22 + "末句", "disposal_en": "go upwind, then shut it. " * 11 + "last"}
    rest = {"first_aid": "移至空气新鲜处", "protection": "正压呼吸器", "extinguishing": "抗溶泡沫", "isolation_m": 100}
    write(world.place.registry, ("chemical", {"id": "67-56-1", "name_zh": "甲醇", **card, **rest}))
    html = (await client.get("/api/v1/alarms/own/sheet.html")).text
    for one in ("末句", "last", "移至空气新鲜处", "正压呼吸器", "抗溶泡沫"):
        assert one in html


async def test_nothing_in_the_page_is_markup_of_somebody(world: World, client: httpx.AsyncClient) -> None:
    _fill(world)
    answer = await client.get("/api/v1/alarms/own/sheet.html")
    assert answer.status_code == 200
    assert "<script" not in answer.text
    assert "&lt;script&gt;alert(" in answer.text
    assert "script-src 'self'" in answer.headers["content-security-policy"]


async def test_the_page_and_the_file_say_the_same(client: httpx.AsyncClient) -> None:
    html = (await client.get("/api/v1/alarms/own/sheet.html")).text
    words = _words((await client.get("/api/v1/alarms/own/sheet.pdf")).content)
    said = re.findall(r"<d[td]>([^<]+)</d[td]>", html)
    assert len(said) > 20
    plain = [one.replace("&#39;", "'").replace("&gt;", ">").replace("&lt;", "<").replace("&amp;", "&") for one in said]
    assert [one for one in plain if one not in words] == []


@pytest.mark.parametrize("form", ["sheet.html", "sheet.pdf"])
async def test_the_sheet_shows_nobody_anything_of_others(house: House, client: httpx.AsyncClient, form: str) -> None:
    answer = await client.get(f"/api/v1/alarms/own/{form}")
    text = answer.text if form == "sheet.html" else _words(answer.content)
    assert [one for one in HIDDEN if one in text] == []
    for name in ("concealed", "absent"):
        assert (await client.get(f"/api/v1/alarms/{name}/{form}")).status_code == 404
    bravo = house.token(Role.ENTERPRISE, BRAVO)
    assert (await client.get(f"/api/v1/alarms/own/{form}", headers=bravo)).status_code == 404
    assert (await client.get(f"/api/v1/alarms/concealed/{form}", headers=bravo)).status_code == 200


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
async def test_the_page_fits_on_paper(world: World, client: httpx.AsyncClient, tmp_path: Path) -> None:
    _fill(world)
    html = (await client.get("/api/v1/alarms/own/sheet.html")).text
    style = (Path(pdf_module.__file__).parents[1] / "api/static/sheet.css").read_text(encoding="utf-8")
    page = tmp_path / "sheet.html"
    page.write_text(re.sub(r"<link[^>]*>", lambda _: f"<style>{style}</style>", html), encoding="utf-8")
    with chromium(tmp_path / "profile") as tab:
        tab.open(page.as_uri(), 900, 1300)
        tab.until("document.readyState === 'complete'")
        tab.evaluate("columns = [...document.querySelectorAll('.columns > div')]")
        tab.evaluate("box = one => one.getBoundingClientRect()")
        assert tab.evaluate("columns.every(one => box(one).bottom <= box(document.querySelector('footer')).top)")
        assert tab.evaluate("document.querySelector('main').getBoundingClientRect().height <= 297 * 96 / 25.4")
        assert tab.evaluate("columns.every(one => one.scrollWidth <= one.clientWidth)")
