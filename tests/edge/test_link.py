"""One connection: what it promises beyond aiomqtt."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable

import pytest

from config.settings import BrokerAddress
from edge.errors import LinkError
from edge.link import Link, Will, connected
from edge.retry import Backoff
from tests.support.edges import Sensors
from tests.support.servers import Broker
from tests.support.waiting import eventually_async


def address(broker: Broker) -> BrokerAddress:
    return BrokerAddress(host=broker.host, port=broker.port)


async def test_messages_come_in_order_with_all_that_is_known_of_them(broker: Broker) -> None:
    with Sensors(broker) as sensors:
        sensors.publish("a/kept", "old", retain=True)
        await eventually_async(lambda: not sensors.waiting)
        async with connected(address(broker), "one", asyncio.Event(), clean=True) as link:
            assert await link.subscribe([("a/#", 1)]) == []
            (old,) = await link.receive()
            assert (old.topic, old.payload, old.qos, old.retained, old.dup) == ("a/kept", b"old", 1, True, False)
            for number in range(20):
                sensors.publish("a/b", str(number))
            got: list[bytes] = []
            while len(got) < 20:
                got += [arrival.payload for arrival in await link.receive()]
            assert got == [str(number).encode() for number in range(20)]


async def test_an_acknowledgement_never_reaches_another_connection(impatient: Broker) -> None:
    with Sensors(impatient) as sensors:
        async with connected(address(impatient), "one", asyncio.Event(), clean=False) as first:
            await first.subscribe([("a/b", 1)])
            sensors.publish("a/b", "1")
            (stale,) = await first.receive()
        async with connected(address(impatient), "one", asyncio.Event(), clean=False) as second:
            await second.subscribe([("a/b", 1)])
            first.ack(stale)
            async with asyncio.timeout(10):
                (again,) = await second.receive()
            assert (again.payload, again.dup) == (b"1", True)
            second.ack(again)


async def test_a_lost_connection_is_noticed_by_everyone(broker: Broker) -> None:
    async with connected(address(broker), "one", asyncio.Event(), clean=True) as link:
        await asyncio.to_thread(broker.kill)
        with pytest.raises(LinkError, match="lost"):
            async with asyncio.timeout(5):
                await link.receive()
        assert not link.alive
        with pytest.raises(LinkError, match="lost"):
            link.send("a/b", b"x")
        with pytest.raises(LinkError):
            await link.publish("a/b", b"x")
        with pytest.raises(LinkError):
            await link.subscribe([("a/b", 1)])


async def test_the_will_is_published_when_we_vanish(broker: Broker) -> None:
    async with connected(address(broker), "one", asyncio.Event(), clean=True, will=Will("a/will", b"gone")) as link:
        sock = link._paho.socket()
        assert isinstance(sock, socket.socket)
        sock.shutdown(socket.SHUT_RDWR)
    async with connected(address(broker), "two", asyncio.Event(), clean=True) as other:
        await other.subscribe([("a/will", 1)])
        async with asyncio.timeout(5):
            (will,) = await other.receive()
    assert (will.payload, will.retained) == (b"gone", True)


async def test_a_broker_that_is_not_there_is_an_error_that_says_so() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        nobody = BrokerAddress(port=silent.getsockname()[1])
        with pytest.RaisesGroup(pytest.RaisesExc(LinkError, match=f"connect to 127.0.0.1:{nobody.port}")):
            async with connected(nobody, "one", asyncio.Event(), clean=True):
                pytest.fail("connected to nobody")


async def test_stopping_ends_the_wait_for_a_broker_that_never_answers() -> None:
    stop = asyncio.Event()
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        asyncio.get_running_loop().call_later(0.1, stop.set)
        with pytest.raises(LinkError, match="stopped"):
            async with asyncio.timeout(2), connected(BrokerAddress(port=mute.getsockname()[1]), "x", stop, clean=True):
                pytest.fail("connected to a mute one")


@pytest.mark.parametrize(
    "call",
    [
        lambda link: link.subscribe([("a", 1)]),
        lambda link: link.unsubscribe("a"),
        lambda link: link.publish("a", b""),
    ],
)
async def test_a_cancellation_that_comes_with_the_answer_is_not_forgotten(
    broker: Broker, monkeypatch: pytest.MonkeyPatch, call: Callable[[Link], Awaitable[object]]
) -> None:
    async def forgetful(*_: object, **__: object) -> tuple[int, ...]:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            return (1,)
        raise AssertionError

    async def asked(link: Link) -> None:
        await call(link)

    async with connected(address(broker), "one", asyncio.Event(), clean=True) as link:
        for name in ("subscribe", "unsubscribe", "publish"):
            monkeypatch.setattr(link._client, name, forgetful)
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(asked(link))
            await asyncio.sleep(0)
            task.cancel()
        assert task.cancelled()


def test_waits_grow_to_their_bound_and_are_never_nothing() -> None:
    backoff = Backoff(0.2, 5.0)
    bounds = [min(5.0, 0.2 * 2**tries) for tries in range(12)]
    for bound_s in bounds:
        assert 0.02 <= backoff.next_s() <= bound_s
    backoff.reset()
    assert backoff.next_s() <= 0.2
