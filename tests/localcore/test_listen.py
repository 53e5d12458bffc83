"""The listening socket: bodies of answers do not wait for the receipt of their heads."""

from __future__ import annotations

import asyncio
import socket

from localcore.server import HOST, listen


def test_connections_send_at_once() -> None:
    """Proves: what asyncio accepts here has Nagle's delay switched off."""
    seen: list[int] = []

    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = writer.get_extra_info("socket")
        seen.append(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    async def run(listener: socket.socket) -> None:
        async with await asyncio.start_server(accepted, sock=listener):
            reader, writer = await asyncio.open_connection(HOST, listener.getsockname()[1])
            await reader.read()
            writer.close()

    with listen(0) as listener:
        asyncio.run(run(listener))
    assert [bool(delay) for delay in seen] == [True]
