"""One exporter at work: reads the spool from its cursor, delivers, and moves the cursor when all has arrived.

One task an exporter; none waits for another. Reading, decoding, the exporter's own rules and the annotation happen
in a thread of its own. What cannot be decoded is counted and passed over; a delivery that fails is tried again for
ever, ever more seldom: the spool holds the pairs meanwhile, and `retention` says for how long.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import random
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import Any

import structlog

from speedscale_runtime.rrpair import RRPair
from speedscale_runtime.rrpair.unpacking import unpack
from speedscale_runtime.signatures import annotate
from speedscale_runtime.spool import Cursors, Position, Reader, Record, SegmentLog
from speedscale_schemas import frames
from speedscale_schemas.errors import TransientError

from .core import name_cluster
from .exporters import Exporter, Item, Sent
from .metrics import Metrics
from .rules import RuleSet

log = structlog.get_logger()

BACKOFF_FIRST_S, BACKOFF_MAX_S = 0.5, 30.0
_IDLE_S = 1.0


class Runner:
    """Drives one exporter; `busy` says whether batches are coming in, `wall_ns` what a stamp is by the wall clock."""

    def __init__(
        self,
        name: str,
        exporter: Exporter,
        spool: SegmentLog,
        cursors: Cursors,
        rules: RuleSet,
        cluster: str,
        metrics: Metrics,
        busy: Callable[[], bool],
        wall_ns: Callable[[int], int],
    ) -> None:
        self.name, self._exporter, self._spool = name, exporter, spool
        self.reader = reader = Reader(spool, cursors.load(name))
        self._cursors, self._rules, self._cluster = cursors, rules, cluster
        self._metrics, self._busy, self._wall_ns = metrics, busy, wall_ns
        self._thread = ThreadPoolExecutor(1, f"read-{name}")
        self._wake = asyncio.Event()
        self._drain = asyncio.Event()
        self._lost = self._damaged = 0
        self._items: list[Item] = []  # gathered for the next hand-over, bounded by what the exporter asks for
        self._size = 0
        self._since = 0.0  # when the first of them was read, monotonic
        self._decisions: Counter[tuple[str, str, str]] = Counter()
        self.delivered = reader.position
        self._delivered_pair = reader.pair
        self.last_error = ""

    def wake(self) -> None:
        """Say that there is more to read, or that the rules changed."""
        self._wake.set()

    def drain(self) -> None:
        """Make `run` return once everything durable is delivered, without a pace."""
        self._drain.set()
        self._wake.set()

    async def run(self) -> None:
        """Deliver until drained or cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            self._wake.clear()
            if not self._rules.loaded:  # fail closed: nothing leaves by rules that are not there
                self.last_error = self._rules.problem or "rules are not loaded"
                if self._drain.is_set():
                    return
                await self._sleep(_IDLE_S)
                continue
            started = time.monotonic()
            try:
                events, record_end = await loop.run_in_executor(self._thread, self._collect)
            except OSError as error:
                self.last_error = f"spool: {error.strerror}"
                log.error("spool_not_read", exporter=self.name, reason=error.strerror)
                await self._back_off(_IDLE_S)
                continue
            self._count(events)
            if record_end == self.delivered:
                if self._drain.is_set():
                    return
                await self._sleep(_IDLE_S)
                continue
            if (wait := self._lingers()) > 0:
                await self._sleep(wait)
                continue
            items, self._items, self._size = self._items, [], 0
            if items:
                await self._deliver(items)
            self.delivered, self._delivered_pair = record_end, self.reader.pair
            await loop.run_in_executor(self._thread, self._save)
            await self._pace(len(items), started)

    async def close(self) -> None:
        """Let the exporter go, close the spool's file."""
        await self._exporter.close()
        self._thread.shutdown()
        self.reader.close()

    def lag(self) -> tuple[int, int]:
        """Return the bytes and pairs in the spool that have not arrived yet."""
        return self._spool.behind(self.delivered, self._delivered_pair)

    def status(self) -> dict[str, Any]:
        """Return what /v1/status says of this exporter, apart from its being cut off."""
        size, pairs = self.lag()
        counts = self._metrics.exported.get(self.name, Counter())
        names = (
            "exported",
            "filtered",
            "rejected",
            "too_large",
            "cut",
            "deduplicated",
            "lost",
            "undecodable",
            "errors",
        )
        return {n: counts[n] for n in names} | {
            "lagBytes": size,
            "lagPairs": pairs,
            "lastError": self.last_error,
        }

    def _collect(self) -> tuple[Counter[str], Position]:
        """Read on until the hand-over is full or nothing is left; return what befell pairs, and where that ends."""
        events: Counter[str] = Counter()
        while not self._full():
            record = self.reader.next()
            if record is None:
                break
            if not self._items:
                self._since = time.monotonic()
            self._size += len(record.payload)
            self._decode(record, self._items, events)
        return events, self.reader.position

    def _full(self) -> bool:
        asked = self._exporter.handover
        return len(self._items) >= asked.pairs or self._size >= asked.bytes

    def _lingers(self) -> float:
        """Return how many seconds more pairs are to be gathered."""
        if not self._items or self._full() or self._drain.is_set():
            return 0.0
        return self._since + self._exporter.handover.linger_s - time.monotonic()

    def _decode(self, record: Record, items: list[Item], events: Counter[str]) -> None:
        received_ns = self._wall_ns(record.time_ns)
        for index, frame in enumerate(frames.decode_all(record.payload)):
            try:
                pair = RRPair.from_frame(frame)
                if not pair.doc.get("uuid"):
                    pair.doc["uuid"] = _uuid(record, index)
                if self._cluster:
                    name_cluster(pair, self._cluster)
                if self._rules.drop is not None and self._rules.drop.matches(pair):
                    events["filtered"] += 1
                    continue
                redactor = self._rules.redactor
                if redactor is not None:
                    outcome = redactor.redact_pair(pair)
                    pair = outcome.pair
                    self._decisions.update((redactor.rule_id, *d) for d in outcome.decisions)
                unpack(pair)
                annotate(pair)
            except Exception as error:  # one pair that nobody can read must not hold up the rest
                events["undecodable"] += 1
                log.warning("pair_not_exported", exporter=self.name, cause=type(error).__name__)
                continue
            items.append(Item(pair, received_ns))

    async def _deliver(self, items: list[Item]) -> None:
        wait = BACKOFF_FIRST_S
        while True:
            try:
                sent = await self._exporter.send(items)
            except Exception as error:  # a bug in one exporter must not end the forwarder; it shows as lagging
                reason = error.reason if isinstance(error, TransientError) else f"bug: {type(error).__name__}"
                self._metrics.exporter(self.name, "errors")
                if self.last_error != reason:
                    log.warning("exporter_failing", exporter=self.name, reason=reason, where=_where(error))
                self.last_error = reason
                asked = error.retry_after_s if isinstance(error, TransientError) else 0.0
                await self._back_off(max(asked, random.uniform(wait / 2, wait)))
                wait = min(wait * 2, BACKOFF_MAX_S)
                continue
            if self.last_error:
                log.info("exporter_recovered", exporter=self.name)
            self.last_error = ""
            self._sent(sent)
            return

    async def _back_off(self, seconds: float) -> None:
        """Wait, cut short once by the beginning of the end: there is little time left to deliver."""
        if self._drain.is_set():
            await asyncio.sleep(min(seconds, _IDLE_S))
        else:
            await _wait(self._drain, seconds)

    def _sent(self, sent: Sent) -> None:
        self._metrics.exporter(self.name, "exported", sent.exported)
        for event, n in sent.events.items():
            self._metrics.exporter(self.name, event, n)

    def _count(self, events: Counter[str]) -> None:
        for event, n in events.items():
            self._metrics.exporter(self.name, event, n)
        for decision, n in self._decisions.items():
            self._metrics.decided(*decision, n)
        self._decisions.clear()
        self._metrics.exporter(self.name, "lost", self.reader.lost_pairs - self._lost)
        self._metrics.damaged("damage", self.reader.damaged_bytes - self._damaged)
        self._lost, self._damaged = self.reader.lost_pairs, self.reader.damaged_bytes

    def _save(self) -> None:
        try:
            self._cursors.save(self.name, self.delivered)
        except OSError as error:  # a full disk: the old cursor stands, a restart delivers a little again
            log.warning("cursor_not_saved", exporter=self.name, reason=error.strerror)

    async def _pace(self, pairs: int, started: float) -> None:
        rate = self._exporter.max_pairs_per_s
        if rate and not self._drain.is_set() and self._busy():
            await self._sleep(pairs / rate - (time.monotonic() - started), wakes=False)

    async def _sleep(self, seconds: float, *, wakes: bool = True) -> None:
        if seconds > 0 and not self._drain.is_set():
            await _wait(self._wake if wakes else self._drain, seconds)


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)


def _where(error: Exception) -> str:
    """Return file and line that raised: a message or a traceback with values might hold traffic."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    return f"{last.tb_frame.f_code.co_filename}:{last.tb_lineno}" if last is not None else ""


def _uuid(record: Record, index: int) -> str:
    """Return a uuid for a pair that came without one: the same each time this record is read."""
    seed = f"{record.sender}/{record.epoch}/{record.sequence}/{index}".encode()
    return base64.b64encode(sha256(seed).digest()[:16]).decode("ascii")
