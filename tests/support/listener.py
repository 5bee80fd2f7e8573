"""A subscriber that keeps all it is given."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import aiomqtt

from config.settings import BrokerAddress

__all__ = ["listening"]


@contextlib.asynccontextmanager
async def listening(broker: BrokerAddress, pattern: str = "plant/#") -> AsyncIterator[list[tuple[str, bytes]]]:
    """Collect (topic, payload) of all that is published; subscribed before the body runs."""
    heard: list[tuple[str, bytes]] = []
    async with aiomqtt.Client(broker.host, broker.port) as client:
        await client.subscribe(pattern, qos=1)

        async def collect() -> None:
            async for message in client.messages:
                assert isinstance(message.payload, bytes)
                heard.append((str(message.topic), message.payload))

        async with asyncio.TaskGroup() as group:
            collecting = group.create_task(collect())
            yield heard
            collecting.cancel()
