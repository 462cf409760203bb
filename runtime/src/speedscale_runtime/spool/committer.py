"""Group commit: many batches that wait share one fsync.

The server hands records in from the event loop and awaits their durability; one thread writes. The queue is bounded
by the server's limit on bytes in flight, so it needs no bound of its own. An idle spool commits at once; a busy one
waits until `window_s` have passed since the last commit, so that there are few of them, and none waits longer.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence

from .log import SegmentLog
from .records import Record


class Committer:
    """Owns the appending side of `log`; `on_commit` is called in the loop after each commit.

    `each` gives every batch a commit of its own.
    """

    def __init__(
        self,
        log: SegmentLog,
        loop: asyncio.AbstractEventLoop,
        on_commit: Callable[[], None],
        *,
        window_s: float = 0.0,
        each: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log, self._loop, self._on_commit = log, loop, on_commit
        self._window_s, self._each, self._clock = window_s, each, clock
        self._rolling = False
        self._waiting: list[tuple[Record, asyncio.Future[None]]] = []
        self._wake = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="spool", daemon=True)
        self.commits = 0

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    async def append(self, record: Record) -> None:
        """Return when the record is on disk; SpoolFull when it could not be stored."""
        future: asyncio.Future[None] = self._loop.create_future()
        with self._wake:
            self._waiting.append((record, future))
            self._wake.notify()
        await future

    def roll(self) -> None:
        """Begin a new segment although nothing waits, so that the one written to so far can be released."""
        with self._wake:
            self._rolling = True
            self._wake.notify()

    def stop(self) -> None:
        """Write what waits, then end the thread."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join()

    def _run(self) -> None:
        last = float("-inf")
        while True:
            with self._wake:
                while not self._waiting and not self._closing and not self._rolling:
                    self._wake.wait()
                while not self._closing and (left := last + self._window_s - self._clock()) > 0:
                    self._wake.wait(left)
                ended = self._closing and not self._waiting
                rolling, self._rolling = self._rolling, False
                group, self._waiting = self._next(), self._waiting[1:] if self._each else []
            if ended:
                return
            if rolling:
                self._log.rotate()
            self._commit(group)
            last = self._clock()

    def _next(self) -> list[tuple[Record, asyncio.Future[None]]]:
        return self._waiting[:1] if self._each else self._waiting

    def _commit(self, group: list[tuple[Record, asyncio.Future[None]]]) -> None:
        results: Sequence[Exception | None]
        try:
            results = self._log.append([record for record, _ in group])
        except Exception as error:  # whatever it is, nobody may wait for ever
            results = [error] * len(group)
        self.commits += 1
        self._loop.call_soon_threadsafe(self._resolve, [f for _, f in group], results)

    def _resolve(self, futures: list[asyncio.Future[None]], results: Sequence[Exception | None]) -> None:
        for future, result in zip(futures, results, strict=True):
            if future.done():
                continue
            if result is None:
                future.set_result(None)
            else:
                future.set_exception(result)
        self._on_commit()
