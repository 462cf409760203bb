"""The way of one command's items from its thread to the connection: bounded, with back-pressure, cut when nobody takes.

The thread puts, the event loop takes. At most `BUFFER` items wait here, and at most `window` are on their way without
the backend's `ack`. Beyond that the thread waits, and whatever it reads (a log) waits behind it. When nothing moves
for `slow_s` seconds the thread is told so by a Refusal `slow_reader`.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from typing import Any, Final

from speedscale_schemas.inspector import SLOW_READER_S, Reason, Refusal

BUFFER: Final = 256
Item = dict[str, Any]


class Closed(Exception):
    """Nobody wants the items any more: the command ends as it can."""


class Outlet:
    """One command's items; `loop` is where they are taken."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        window: int | None,
        *,
        slow_s: float = SLOW_READER_S,
        buffer: int = BUFFER,
    ) -> None:
        self._loop, self._window, self._slow_s, self._buffer = loop, window, slow_s, buffer
        self._changed = threading.Condition()
        self._items: deque[Item] = deque()
        self._put = self._taken = self._acked = 0
        self._closed = False
        self._wake = asyncio.Event()

    # the thread's side

    def put(self, item: Item) -> None:
        """Hand an item over; waits while too many are on their way. Closed, or Refusal `slow_reader`."""
        with self._changed:
            while not self._closed and self._full():
                if not self._moved():
                    told = f"nothing was taken for {self._slow_s:.0f} s; ask for less, or read faster"
                    raise Refusal(Reason.SLOW_READER, told)
            if self._closed:
                raise Closed
            self._items.append(item)
            self._put += 1
        self._loop.call_soon_threadsafe(self._wake.set)

    def _moved(self) -> bool:
        """Wait until something was taken or acknowledged, or it is closed; False when nothing moves."""
        before = (self._taken, self._acked)
        return self._changed.wait_for(lambda: self._closed or before != (self._taken, self._acked), self._slow_s)

    def _full(self) -> bool:
        return len(self._items) >= self._buffer or (
            self._window is not None and self._put - self._acked >= self._window
        )

    def finish(self) -> None:
        """Say that no more items come; those that wait are still taken."""
        with self._changed:
            self._closed = True
        self._loop.call_soon_threadsafe(self._wake.set)

    # the event loop's side

    async def take(self) -> Item | None:
        """Return the next item; None when there will be none."""
        while True:
            with self._changed:
                if self._items:
                    self._taken += 1
                    self._changed.notify_all()
                    return self._items.popleft()
                if self._closed:
                    return None
                self._wake.clear()
            await self._wake.wait()

    def acked(self, sequence: int) -> None:
        """The reader took all items up to this one; a number that was never sent counts as the newest."""
        with self._changed:
            self._acked = max(self._acked, min(sequence + 1, self._put))
            self._changed.notify_all()

    def close(self) -> None:
        """Throw away what waits and let the thread know at its next item."""
        with self._changed:
            self._closed = True
            self._items.clear()
            self._changed.notify_all()
        self._wake.set()
