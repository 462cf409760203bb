"""The node's API server at the same port on the machine's loopback: bytes go from a socket out there to one in here.

The listening socket was made in the machine's network and handed down; connections are made in the network of who runs
this. Nothing is looked at.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading

_CHUNK = 64 * 1024


def serve(listener: socket.socket, host: str, port: int) -> None:
    """Pass on what comes to `listener` from now on, in a thread that ends with the process."""
    threading.Thread(target=lambda: asyncio.run(_serve(listener, host, port)), name="gateway", daemon=True).start()


async def _serve(listener: socket.socket, host: str, port: int) -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            up_reader, up_writer = await asyncio.open_connection(host, port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_pump(reader, up_writer), _pump(up_reader, writer))
        for one in (writer, up_writer):
            one.close()

    server = await asyncio.start_server(connected, sock=listener)
    await server.serve_forever()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await reader.read(_CHUNK):
            writer.write(chunk)
            await writer.drain()
    with contextlib.suppress(OSError, RuntimeError):
        writer.write_eof()
