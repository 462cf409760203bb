"""Group commit: many batches that wait share one fsync.

The server hands records in from the event loop and awaits their durability; one thread writes. The queue is bounded
by the server's limit on bytes in flight, so it needs no bound of its own.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence

from .log import SegmentLog
from .records import Record


class Committer:
    """Owns the appending side of `log`; `on_commit` is called in the loop after each commit."""

    def __init__(self, log: SegmentLog, loop: asyncio.AbstractEventLoop, on_commit: Callable[[], None]) -> None:
        self._log, self._loop, self._on_commit = log, loop, on_commit
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

    def stop(self) -> None:
        """Write what waits, then end the thread."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._waiting and not self._closing:
                    self._wake.wait()
                group, self._waiting = self._waiting, []
            if not group:
                return
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
