"""The server sends an answer at once."""

from __future__ import annotations

import socket

from tests.gateway.api.world import World, served


async def test_the_parts_of_an_answer_do_not_wait_for_acknowledgement(world: World) -> None:
    """A socket of `socket.create_server` names no protocol, and asyncio leaves Nagle's algorithm on for those."""
    async with served(world.api()) as (_, server):
        (listening,) = server.servers[0].sockets
        assert listening.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
