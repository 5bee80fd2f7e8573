from __future__ import annotations

import json
from html.parser import HTMLParser

import httpx
import pytest
from sqlalchemy import create_engine

from config.contract.quality import Quality, Reason, pack
from config.plant.load import read_plant
from gateway.api.words import pick_language, words
from gateway.records.queries import Queries
from tests.gateway.api.world import World, client_of
from tests.support.plants import MINI_PLANT

EVIL = "<img src=x onerror=alert(1)>'\"&</script><b>"


class Elements(HTMLParser):
    """Collects the elements of a page and their texts."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


async def page(client: httpx.AsyncClient, path: str = "/", **headers: str) -> str:
    response = await client.get(path, headers={"Accept-Language": "en", **headers})
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/html")
    return response.text


async def test_everything_is_there_without_scripts(world: World, client: httpx.AsyncClient) -> None:
    world.healthy(samples_per_s=12.5)
    world.raise_alarm("one", tier=1)
    world.clear_alarm(world.raise_alarm("two", "T-1.TEMP", condition="H", value=41.0, limit=40.0, tier=3))
    world.show(**{"T-1.LEVEL": 9.5, "PLAIN.PRESS": 1250.0})
    html = await page(client)
    text = " ".join(" ".join(Elements(html).texts).split())
    for wanted in ("Test site", "Tank 1 level HIGH HIGH", "9.5 / 9 m", "Methanol tank farm", "Lately cleared", "12.5",
                   "it is no safety function", "1.25", "MPa", "Edge A", "Hazmat vehicles"):  # fmt: skip
        assert wanted in text
    assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in html


async def test_both_addresses_show_it(client: httpx.AsyncClient) -> None:
    assert "Test site" in await page(client, "/basic")


async def test_stale_and_bad_are_never_shown_as_normal(world: World, client: httpx.AsyncClient) -> None:
    world.show(**{"T-1.TEMP": 20.0, "GD-1": 0.1})
    world.show(**{"T-1.LEVEL": (float("nan"), pack(Quality.BAD, Reason.OVER_RANGE))})
    values = world.board.values
    assert values is not None
    values.stale[list(values.names).index("T-1.TEMP")] = True
    world.raise_alarm("stale", "T-1.TEMP", condition="H")
    html = await page(client)
    assert '<td class="c-present num" data-f="present">STALE</td>' in html
    rows = {
        attributes["data-tag"]: (attributes["class"] or "").split()
        for tag, attributes in Elements(html).tags
        if tag == "tr" and "data-tag" in attributes
    }
    assert "q-bad" in rows["T-1.LEVEL"]
    assert "q-stale" in rows["T-1.TEMP"]
    assert "q-good" in rows["GD-1"]
    assert "q-none" in rows["TRUCK-1.SPEED"]


@pytest.mark.parametrize(
    ("changes", "words_"),
    [
        ({"beat_monotonic_s": 1.0}, "Processing stands still"),
        ({"broker_connected": False}, "The broker is disconnected"),
        ({"records_ok": False}, "new data is not kept"),
        ({"replayed": False}, "alarms are incomplete"),
    ],
)
async def test_what_is_wrong_with_the_gateway_is_said_loudly(
    world: World, client: httpx.AsyncClient, changes: dict[str, object], words_: str
) -> None:
    world.healthy()
    assert 'class="banner"' not in await page(client)
    world.healthy(**changes)
    html = await page(client)
    assert html.count('class="banner"') == 1
    assert words_ in html


async def test_values_are_shown_even_when_the_alarms_cannot_be_read(world: World) -> None:
    world.queries = Queries(create_engine("sqlite:////nowhere/records.sqlite"))
    world.show(**{"T-1.LEVEL": 7.25})
    async with client_of(world.api()) as client:
        response = await client.get("/?lang=en")
    assert response.status_code == 503
    assert "Alarm records cannot be read" in response.text
    assert "7.25" in response.text
    assert "No active alarms" not in " ".join(
        line for line in response.text.splitlines() if "hidden" not in line and "script" not in line
    )


class TestLanguage:
    @pytest.mark.parametrize(
        ("asked", "accepted", "found"),
        [
            (None, "", "zh"),
            (None, "en-GB,en;q=0.9", "en"),
            (None, "zh-TW,en;q=0.8", "zh"),
            (None, "fr,en;q=0.5,zh;q=0.1", "en"),
            (None, "fr, de", "zh"),
            ("en", "zh", "en"),
            ("zh", "en", "zh"),
            ("xx", "en", "en"),
        ],
    )
    def test_is_the_one_asked_for_else_accepted_else_chinese(
        self, asked: str | None, accepted: str, found: str
    ) -> None:
        assert pick_language(asked, accepted) == found

    async def test_the_page_says_which_it_speaks(self, client: httpx.AsyncClient) -> None:
        chinese = await client.get("/")
        assert '<html lang="zh-CN">' in chinese.text
        assert chinese.headers["content-language"] == "zh-CN"
        assert "当前报警" in chinese.text
        english = await client.get("/?lang=en")
        assert '<html lang="en">' in english.text
        assert "Active alarms" in english.text
        assert "当前报警" not in english.text

    def test_both_have_the_same_words(self) -> None:
        assert set(words("zh")) == set(words("en"))


async def test_texts_of_the_plant_cannot_become_markup(world: World) -> None:
    world.plant = read_plant(
        MINI_PLANT.replace('"1号罐液位"', json.dumps(EVIL)).replace('"Tank 1 level"', json.dumps(EVIL)), "evil"
    )
    world.healthy()
    world.raise_alarm("one")
    world.clear_alarm(world.raise_alarm("two"))
    world.put("edge_status", {"edge": "<i>evil</i>", "received_ms": 1, "online": True, "since_ms": 1, "payload": "{}"})
    world.show(**{"T-1.LEVEL": 1.0})
    async with client_of(world.api()) as client:
        elements = Elements(await page(client))
    assert not [tag for tag, _ in elements.tags if (tag in {"img", "b", "i"} and tag == "img") or tag == "i"]
    assert not [name for _, attributes in elements.tags for name in attributes if name.startswith("on")]
    assert any(EVIL in text for text in elements.texts)


async def test_there_is_nothing_inline_the_policy_would_block(client: httpx.AsyncClient) -> None:
    for tag, attributes in Elements(await page(client)).tags:
        assert tag != "style"
        assert "style" not in attributes
        if tag == "script":
            assert attributes.get("src") or attributes["type"] == "application/json"


async def test_everything_the_page_needs_is_served(client: httpx.AsyncClient) -> None:
    needed = {
        address
        for _, attributes in Elements(await page(client)).tags
        for address in (attributes.get("src"), attributes.get("href"))
        if address and address.startswith("/static/")
    }
    assert needed >= {"/static/page.js", "/static/page.css"}
    for address in needed | {"/static/worker.js", "/static/source.js", "/static/sparks.js", "/static/text.js"}:
        assert (await client.get(address)).status_code == 200
