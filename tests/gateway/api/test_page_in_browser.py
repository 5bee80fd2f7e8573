"""The live page in a real browser: what a duty officer sees while things happen."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

import pytest

from config.plant.load import read_plant
from gateway.live import AlarmNotice
from tests.gateway.api.world import World, served
from tests.support.browser import CHROMIUM, Page, chromium
from tests.support.plants import MINI_PLANT
from tests.support.waiting import eventually

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (apt-get install chromium)")

EVIL = "<img src=x onerror=document.title='owned'>"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with chromium(tmp_path_factory.mktemp("profile")) as page:
        yield page


class Running:
    """A gateway served from a thread of its own, so that the test may drive the browser."""

    address = ""

    def __init__(self, world: World, port: int = 0) -> None:
        self._world = world
        self._port = port
        self._ready = threading.Event()
        self._stop: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End the server; harmless when it has ended."""
        if self._thread.is_alive() and self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        async with served(self._world.api(), self._port) as (self.address, _):
            self._ready.set()
            await self._stop.wait()


@contextmanager
def shown(world: World, browser: Page, path: str = "/?lang=en") -> Iterator[Running]:
    world.healthy()
    if not world.registered:
        world.register()
    with Running(world) as gateway:
        browser.complaints.clear()
        browser.open(gateway.address + path)
        browser.until("document.querySelector('#link.live') !== null")
        yield gateway
        browser.open("about:blank")


def text(selector: str) -> str:
    return f"document.querySelector({selector!r})?.textContent.trim() ?? ''"


def test_a_new_alarm_appears_is_announced_and_goes_when_it_clears(world: World, browser: Page) -> None:
    with shown(world, browser):
        assert browser.evaluate("document.getElementById('no-active').hidden") is False
        row = world.raise_alarm("one", tier=1, tell=True)
        browser.until("document.querySelectorAll('#active tr').length === 1")
        assert "1" in str(browser.evaluate(text("#active .chip")))
        assert browser.evaluate(text("#active [data-f=trigger]")) == "9.5 / 9 m"
        browser.until(f"{text('#announce')}.includes('Tank 1 level HIGH HIGH')")
        browser.until(text('[data-count="1"] b') + " === '1'")
        browser.until("document.title.startsWith('(1')")
        browser.until("document.querySelector('tr[data-tag=\"T-1.LEVEL\"]').classList.contains('tier-1')")
        world.clear_alarm(row, tell=True)
        browser.until("document.querySelectorAll('#active tr').length === 0")
        browser.until("document.querySelectorAll('#cleared tr').length === 1")
        assert browser.complaints == []


def test_the_worst_and_newest_alarm_is_on_top(world: World, browser: Page) -> None:
    world.raise_alarm("orange", tier=2)
    with shown(world, browser):
        world.raise_alarm("blue", tier=4, tell=True)
        world.raise_alarm("red", tier=1, tell=True)
        browser.until("document.querySelectorAll('#active tr').length === 3")
        order = browser.evaluate("[...document.querySelectorAll('#active tr')].map(row => row.dataset.alarm).join()")
        assert order == "red,orange,blue"


def test_a_rise_moves_up_says_why_and_an_acknowledgement_is_shown(world: World, browser: Page) -> None:
    row = world.raise_alarm("one", tier=2)
    with shown(world, browser):
        assert browser.evaluate("document.querySelector('#active [data-f=risen]').hidden") is True
        rise = {"rule": "gas", "when": "k_of_n", "from": 2, "to": 1, "at_ms": 9, "others": [["GD-1", "HH"]], "count": 2}
        risen = {**row, "tier": 1, "version": 2, "rise": rise}
        world.hub.tell(AlarmNotice(2, "tier_raised", risen))
        browser.until(f"{text('#active [data-f=why]')}.includes('tier Orange → Red: several points')")
        browser.until(f"{text('#announce')}.includes('rule gas')")
        assert browser.evaluate("document.querySelector('#active tr').classList.contains('tier-1')") is True
        acknowledged = {**risen, "version": 3, "acknowledged_ms": 10, "acknowledged_by": "Li"}
        world.hub.tell(AlarmNotice(3, "acknowledged", acknowledged))
        browser.until("document.querySelector('#active [data-f=acknowledged]').hidden === false")
        world.hub.tell(AlarmNotice(4, "latched", {**acknowledged, "version": 4, "state": "latched", "cleared_ms": 11}))
        browser.until("document.querySelector('#active [data-f=latched]').hidden === false")
        assert browser.complaints == []


def test_values_follow_and_stale_ones_say_so(world: World, browser: Page) -> None:
    world.register()
    world.history.rows[0] = [(world.clock.now_ms - 1000 * i, float(i % 7), 0) for i in range(1, 60)]
    world.show(**{"T-1.LEVEL": 5.0})
    with shown(world, browser):
        value = 'tr[data-tag="T-1.LEVEL"] [data-f=value]'
        browser.until(f"{text(value)} === '5'")
        world.clock.now_ms += 1000
        world.show(**{"T-1.LEVEL": 6.25})
        browser.until(f"{text(value)} === '6.25'")
        browser.until("document.querySelector('tr[data-tag=\"T-1.LEVEL\"] .line').getAttribute('d').length > 200")
        values = world.board.values
        assert values is not None
        world.clock.now_ms += 1000
        world.show()
        assert world.board.values is not None
        world.board.values.stale[0] = True
        browser.until("document.querySelector('tr[data-tag=\"T-1.LEVEL\"]').classList.contains('q-stale')")
        assert browser.evaluate(text('tr[data-tag="T-1.LEVEL"] [data-f=quality]')) == "STALE"
        world.raise_alarm("one", tier=1, tell=True)
        browser.until(text("#active [data-f=present]") + " === 'STALE'")
        assert browser.complaints == []


def test_a_stream_that_stalls_is_itself_an_alarm_and_it_recovers_alone(world: World, browser: Page) -> None:
    with shown(world, browser) as gateway:
        gateway.stop()
        browser.until("document.body.classList.contains('stalled')")
        assert "cannot be trusted" in str(browser.evaluate(text(".banner")))
        world.raise_alarm("meanwhile", tier=1)
        with Running(world, int(gateway.address.rpartition(":")[2])):
            browser.until("document.querySelector('#active tr[data-alarm=meanwhile]') !== null", 20)
            browser.until("!document.body.classList.contains('stalled')")
            browser.until("document.querySelector('.banner') === null")


def test_trouble_of_the_gateway_is_said_and_taken_back(world: World, browser: Page) -> None:
    with shown(world, browser):
        world.healthy(broker_connected=False)
        browser.until(f"{text('.banner')}.includes('broker is disconnected')")
        world.healthy()
        browser.until("document.querySelector('.banner') === null")


def test_texts_cannot_become_markup_in_the_script_either(world: World, browser: Page) -> None:
    world.plant = read_plant(MINI_PLANT.replace("Tank 1 level", EVIL), "evil.yaml")
    with shown(world, browser):
        world.raise_alarm("one", tier=1, tell=True)
        browser.until(f"{text('#active [data-f=description]')}.includes('<img')")
        browser.until(f"{text('#announce')}.includes('<img')")
        assert browser.evaluate("document.images.length") == 0
        assert "owned" not in str(browser.evaluate("document.title"))


def test_seven_tabs_share_one_stream(world: World, browser: Page) -> None:
    with shown(world, browser) as gateway:
        others = [browser.another() for _ in range(6)]
        try:
            for tab in others:
                tab.open(gateway.address + "/?lang=en")
            for tab in [browser, *others]:
                tab.until("document.querySelector('#link.live') !== null")
            world.raise_alarm("one", tier=1, tell=True)
            for tab in [browser, *others]:
                tab.until("document.querySelectorAll('#active tr').length === 1")
        finally:
            for tab in others:
                tab.close()


def test_it_says_the_same_without_scripts(world: World, browser: Page) -> None:
    world.healthy()
    world.raise_alarm("one", tier=1)
    with Running(world) as gateway:
        tab = browser.another()

        def told() -> bool:
            html = tab.html()
            return "Tank 1 level" in html and "refreshed every 5 s" in html

        tab.without_scripts()
        tab.open(gateway.address + "/?lang=en")
        try:
            eventually(told, 10)
        finally:
            tab.close()


def test_a_backlog_is_shown_with_its_end_and_a_trouble_of_the_system_in_words(world: World, browser: Page) -> None:
    said = {"online": True, "at_ms": 1, "outbox_frames": 120, "backlog_frames": 100, "backlog_eta_s": 95}
    world.put(
        "edge_status",
        {"edge": "edge-a", "received_ms": 1, "online": True, "since_ms": 1, "payload": json.dumps(said)},
    )
    world.raise_alarm("f" * 16, "SYS.EDGE_OFFLINE.edge-b", condition="SYSTEM", tier=2, limit=None, value=None, basis="")
    with shown(world, browser):
        browser.until(
            "document.querySelector('[data-edge=edge-a] [data-f=outbox]').textContent === '120 (backlog 100 · 1:35)'"
        )
        browser.until("document.body.textContent.includes('Plain sensors: edge agent offline')")
        assert not browser.complaints
