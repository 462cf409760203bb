"""Names for IP addresses from the reverse DNS, for what is recorded: in the background, bounded, remembered.

Used by flows of transparent mode whose client said no name (no Host, no SNI). Nothing ever waits for an answer: a
record that is written before it came keeps the address. In a cluster the DNS server knows the Services' addresses.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any

KEPT_MAX = 1024
ASKING_MAX = 8  # look-ups at a time: more than that are not begun
KEEP_S = 300.0
KEEP_NONE_S = 60.0
_NAME = re.compile(r"[0-9A-Za-z_](?:[0-9A-Za-z._-]{0,251}[0-9A-Za-z_])?")

Ask = Callable[[str], Awaitable[str]]


class ReverseNames:
    """What addresses are called."""

    def __init__(self, loop: Any, *, ask: Ask | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        """`ask` returns the name of an address, OSError where it has none; by default the system's resolver does."""
        self._loop = loop
        self._ask = ask or self._system
        self._clock = clock
        self._kept: OrderedDict[str, tuple[str, float]] = OrderedDict()
        self._asking: dict[str, asyncio.Task[None]] = {}

    def known(self, host: str) -> str:
        """Return the name of an address, "" while none is known; a question is then asked, for the next time."""
        found = self._kept.get(host)
        if found is not None and self._clock() < found[1]:
            return found[0]
        if host not in self._asking and len(self._asking) < ASKING_MAX:
            self._asking[host] = self._loop.create_task(self._look_up(host))
        return found[0] if found is not None else ""

    async def _look_up(self, host: str) -> None:
        name = ""
        try:
            with contextlib.suppress(OSError):
                name = (await self._ask(host)).rstrip(".").lower()
            if _NAME.fullmatch(name) is None:
                name = ""
            self._kept[host] = name, self._clock() + (KEEP_S if name else KEEP_NONE_S)
            self._kept.move_to_end(host)
            if len(self._kept) > KEPT_MAX:
                self._kept.popitem(last=False)
        finally:
            del self._asking[host]

    async def _system(self, host: str) -> str:
        name, _ = await self._loop.getnameinfo((host, 0), socket.NI_NAMEREQD)
        return str(name)

    def close(self) -> None:
        """Ask no more."""
        for task in list(self._asking.values()):
            task.cancel()
