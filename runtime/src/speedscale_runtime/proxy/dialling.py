"""Open a connection to an address so that we would know it again if the kernel brought it back to us.

Used by `dialled` in transparent mode. The loop's own `create_connection` tells a socket's address only once it is
connected; a redirected connection may be accepted before that.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Callable
from typing import Any

from .destination import Address, Own

Pair = tuple[Address, Address]


async def connect(loop: Any, target: Address, protocol: Callable[[], Any], own: Own) -> tuple[Any, Pair]:
    """Return the protocol of a new connection, and its entry in `own`; OSError. `target` is an IP address."""
    family = socket.AF_INET6 if ":" in target[0] else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    pair: Pair | None = None
    try:
        code = sock.connect_ex(target)
        if code not in (0, errno.EINPROGRESS):
            raise OSError(code, os.strerror(code))
        pair = own.add(sock.getsockname(), target)
        if code:
            await _writable(loop, sock)
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                raise OSError(code, os.strerror(code))
        _, made = await loop.create_connection(protocol, sock=sock)
    except BaseException:
        if pair is not None:
            own.remove(pair)
        sock.close()
        raise
    return made, pair


async def _writable(loop: Any, sock: socket.socket) -> None:
    ready: asyncio.Future[None] = loop.create_future()

    def note() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_writer(sock, note)
    try:
        await ready
    finally:
        loop.remove_writer(sock)
