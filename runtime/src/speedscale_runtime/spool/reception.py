"""Taking batches in, whoever looks at them: bounded, one after the other, on disk, and only then acknowledged.

The forwarder's and the backend's intake are each a `Reception` and what they do with a batch before it is kept. Memory
is reserved before a body is read. One worker thread keeps the order of every sender. A batch that is known by sender,
epoch and sequence is acknowledged and not stored twice; one that is in hand is waited for. Knows neither HTTP nor what
a batch holds.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum

from .committer import Committer
from .log import SegmentLog, SpoolFull
from .records import Record
from .wire import Meta

_PER_BATCH_BYTES = 4096  # what a batch costs in memory besides its body: bounds tiny batches, too


class Why(StrEnum):
    """Why a batch is not taken, as far as that is the same for every taker."""

    STOPPING = "stopping"
    TOO_LARGE = "too_large"
    BUSY = "busy"
    SPOOL_FULL = "spool_full"
    DISK_FULL = "disk_full"
    DISK_ERROR = "disk_error"
    INTERNAL = "internal"


class Refusal(Exception):
    """A batch is not taken; whoever waits for the same batch is refused for the same reason."""


class Reception:
    """Takes batches into `log` by its `committer`; `refuse(why, words)` makes what is raised when one is not taken."""

    def __init__(
        self,
        log: SegmentLog,
        committer: Committer,
        refuse: Callable[[Why, str], Refusal],
        *,
        max_batch_bytes: int,
        max_inflight_bytes: int,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.accepting = True
        self.inflight_bytes = 0
        self.max_batch_bytes = max_batch_bytes
        self._log, self._committer, self._refuse = log, committer, refuse
        self._max_inflight, self._clock_ns = max_inflight_bytes, clock_ns
        self._worker = ThreadPoolExecutor(1, "intake")
        self._in_hand: dict[tuple[str, int, int], asyncio.Future[None]] = {}

    def open(self) -> None:
        """Do nothing while batches are taken; refuse once that has ended."""
        if not self.accepting:
            raise self._refuse(Why.STOPPING, "this server is ending")

    def admit(self, length: int | None) -> int:
        """Reserve memory for a body of `length` bytes (None: unknown) before it is read; return what is reserved."""
        self.open()
        if length is not None and length > self.max_batch_bytes:
            raise self._refuse(Why.TOO_LARGE, f"{length:,} bytes; at most {self.max_batch_bytes:,} are taken")
        reserved = (self.max_batch_bytes if length is None else length) + _PER_BATCH_BYTES
        if self.inflight_bytes and self.inflight_bytes + reserved > self._max_inflight:
            raise self._refuse(Why.BUSY, "too many bytes in memory")
        if not self._log.room(0):
            raise self._refuse(Why.SPOOL_FULL, "what comes after is behind")
        self.inflight_bytes += reserved
        return reserved

    def release(self, reserved: int) -> None:
        """Give back what `admit` reserved."""
        self.inflight_bytes -= reserved

    async def take(self, meta: Meta, prepare: Callable[[], tuple[bytes, int]], kept: Callable[[], None]) -> bool:
        """Keep what `prepare` returns (payload, pairs), run by the worker; return whether the batch was new.

        `kept` is called once for each batch, when it is on disk. A `Refusal` that `prepare` raises is passed on.
        """
        other = self._in_hand.get(meta.key)
        if other is not None:
            await asyncio.shield(other)
            return False
        if self._log.has(*meta.key):
            return False
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        future.add_done_callback(lambda f: f.cancelled() or f.exception())  # nobody may be waiting for it
        self._in_hand[meta.key] = future
        try:
            await self._keep(meta, prepare)
            kept()
        except BaseException as error:
            future.set_exception(error if isinstance(error, Refusal) else self._refuse(Why.INTERNAL, ""))
            raise
        else:
            future.set_result(None)
        finally:
            # without this frame's name for it no cycle keeps the error, and by its traceback the batch, in memory
            del self._in_hand[meta.key], future
        return True

    async def stop(self) -> None:
        """Take nothing more; return once what is in hand is done."""
        self.accepting = False
        while self._in_hand:
            await asyncio.wait(list(self._in_hand.values()))
        self._worker.shutdown()

    async def _keep(self, meta: Meta, prepare: Callable[[], tuple[bytes, int]]) -> None:
        payload, pairs = await asyncio.get_running_loop().run_in_executor(self._worker, prepare)
        record = Record(meta.sender, meta.epoch, meta.sequence, pairs, payload, self._clock_ns())
        try:
            await self._committer.append(record)
        except SpoolFull as error:
            raise self._refuse(Why(error.reason), "the batch was not stored; send it again later") from error
