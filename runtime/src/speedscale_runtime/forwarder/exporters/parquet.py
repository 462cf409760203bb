"""The exporter `parquet`: files in partitions of days and hours, as DuckDB, pandas, Spark and others read them.

    <path>/date=2026-01-31/hour=12/part-….parquet

Pairs are gathered for a while, so that files are not tiny; those of a partition are merged when they are many. What an
earlier process wrote and did not note is told by the uuids in files written since its cursor was saved.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import duckdb
import structlog

from speedscale_runtime.forwarder.ages import Clock
from speedscale_runtime.forwarder.exporter_specs import ExporterSpec, Parquet
from speedscale_schemas.errors import TransientError

from .base import Handover, Item, Sent, encoded
from .parquet_files import Partitions, TooMuch, days_ago
from .parquet_rows import Row, row

log = structlog.get_logger()

_PAIRS, _BYTES = 16_384, 16 * 1024 * 1024
_CLOCK_SLACK_S = 2.0  # file systems round times
_EXPIRY_EVERY_S = 600.0


class ParquetExporter:
    """Writes below `options.path`; `since` bounds the search for what was written already."""

    max_pairs_per_s = 0.0

    def __init__(self, spec: ExporterSpec, since: float, now: Callable[[], float] | None = None) -> None:
        assert isinstance(spec.options, Parquet)
        self._options, self._limit, self._since = spec.options, spec.max_record_bytes, since
        self.handover = Handover(_PAIRS, _BYTES, spec.options.linger_s)
        self._now = now or Clock().now
        self._expired_at = float("-inf")
        self._thread = ThreadPoolExecutor(1, f"export-{spec.name}")
        self._partitions: Partitions | None = None
        self._before: set[str] = set()  # of an earlier process, bounded by what it wrote after its last cursor
        self._partial: set[str] = set()  # of a hand-over that broke off in the middle and comes again

    async def send(self, items: Sequence[Item]) -> Sent:
        """Write the items' files; TransientError `disk` when the disk refuses."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._write, items)
        except OSError as error:
            raise TransientError(f"disk: {error.strerror or error}", 2.0) from error
        except duckdb.Error as error:
            raise TransientError(f"disk: {type(error).__name__}", 2.0) from error

    async def close(self) -> None:
        """Let go of the files."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown()

    def _write(self, items: Sequence[Item]) -> Sent:
        if self._partitions is None:
            partitions = Partitions(self._options.path)
            self._before = partitions.uuids(self._since - _CLOCK_SLACK_S)
            self._partitions = partitions
        events: Counter[str] = Counter()
        groups: dict[str, list[Row]] = {}
        for made in self._rows(items, events):
            groups.setdefault(made.partition, []).append(made)
        written = 0
        for partition, rows in sorted(groups.items()):
            written += self._store(self._partitions, partition, rows, events)
        self._partial.clear()
        self._tidy(self._partitions, sorted(groups))
        return Sent(written, events)

    def _store(self, partitions: Partitions, partition: str, rows: Sequence[Row], events: Counter[str]) -> int:
        """Write rows, halved where they are too much at once; return how many were. One that is alone is given up."""
        try:
            partitions.write(partition, rows)
        except TooMuch:
            if len(rows) == 1:
                log.warning("pair_not_encoded", cause="too_large", bytes=rows[0].size)
                events["too_large"] += 1
                return 0
            half = len(rows) // 2
            return sum(self._store(partitions, partition, part, events) for part in (rows[:half], rows[half:]))
        self._partial.update(made.uuid for made in rows)
        events["cut"] += sum(made.cut for made in rows)
        return len(rows)

    def _rows(self, items: Sequence[Item], events: Counter[str]) -> list[Row]:
        new = []
        for item in items:
            uuid = str(item.pair.doc.get("uuid") or "")
            if uuid in self._before or uuid in self._partial:
                events["deduplicated"] += 1
            else:
                new.append(item)
        return [made for _, made in encoded(new, lambda item: row(item, self._limit), events)]

    def _tidy(self, partitions: Partitions, touched: Sequence[str]) -> None:
        """Merge and delete; a failure costs nothing that was written, and is tried again the next time."""
        try:
            for partition in touched:
                if merged := partitions.compact(partition):
                    log.info("parquet_merged", files=merged)
            if self._options.keep_days and time.monotonic() - self._expired_at >= _EXPIRY_EVERY_S:
                self._expired_at = time.monotonic()
                for day in partitions.expire(days_ago(self._now(), self._options.keep_days)):
                    log.info("parquet_expired", day=day)
        except (OSError, duckdb.Error) as error:
            log.warning("parquet_not_tidied", cause=type(error).__name__)

    def _close(self) -> None:
        if self._partitions is not None:
            self._partitions.close()
