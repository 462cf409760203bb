"""Stored traffic as the rest of the backend sees it. All work happens in one thread, which owns DuckDB.

`pairs` is for who makes a snapshot in a thread of its own: it reads in small pieces, others come in between, and parts
that are replaced or deleted meanwhile stay until it has ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import duckdb
import structlog

from speedscale_runtime.backend.database import Database
from speedscale_runtime.backend.metrics import Metrics
from speedscale_runtime.backend.objects import Missing, ObjectStore, Unavailable
from speedscale_runtime.backend.problems import Reason, Refused, not_found
from speedscale_runtime.rrpair import RRPair
from speedscale_runtime.spool import SegmentLog

from . import catalogue, upkeep
from .compaction import Compactor, Window, store_part
from .erasure import Erasure
from .model import Filter, Part, Position, pair_of, summary
from .parquet import ROW_GROUP, Engine

log = structlog.get_logger()
T = TypeVar("T")

_OPEN_PARTS = 4  # a query begins with so many, and doubles them until it knows enough
_PIECE_ROWS = 256
_FULL_MAX_BYTES = 24 << 20  # of frames on one page
_SCAN_MAX = 5000  # pairs that are held against a filter query for one page


class Page(NamedTuple):
    """Some pairs (summaries or documents), and where to go on; None at the end."""

    items: list[dict[str, Any]]
    after: Position | None


class TrafficStore:
    """The store over journal, catalogue and object store."""

    def __init__(
        self,
        journal: SegmentLog,
        database: Database,
        objects: ObjectStore,
        metrics: Metrics,
        *,
        folder: Path,
        memory_bytes: int,
        dedup_pairs: int,
        round_bytes: int,
    ) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, mode=0o700)
        self._journal, self._database, self._objects, self._metrics = journal, database, objects, metrics
        self._folder = folder
        self._thread = ThreadPoolExecutor(1, "traffic")
        self._pins = 0
        self._doomed: list[str] = []
        self._parts: list[Part] = []
        self._make: Callable[[], Compactor] = lambda: Compactor(
            journal,
            database,
            objects,
            self._engine,
            metrics,
            folder=folder,
            window=self._window(dedup_pairs),
            round_bytes=round_bytes,
        )
        self._memory = memory_bytes

    async def open(self) -> None:
        """Clear away what a crash left, and read what is needed to recognise pairs that come again."""
        await self._run(self._open)

    async def close(self) -> None:
        """Bring the journal into parts as far as that works, and let go."""
        try:
            await self._run(self._flush)
        except (Refused, Unavailable) as error:
            log.warning("journal_not_compacted", cause=str(error))
        await self._run(self._close)
        self._thread.shutdown()

    def waiting(self) -> tuple[int, float]:
        """Return bytes and seconds that the journal waits."""
        return self._compactor.waiting()

    async def flush(self) -> None:
        """Bring the journal into parts."""
        await self._run(self._flush)

    async def upkeep(self, *, received_before_ns: int | None, max_bytes: int) -> None:
        """Delete what is too old or too much, merge what is in too many pieces."""
        await self._run(lambda: self._retain(received_before_ns, max_bytes))
        while await self._run(self._merge):
            await asyncio.sleep(0)

    async def page(
        self, chosen: Filter, after: Position, limit: int, *, full: bool, keeps: Callable[[RRPair], bool] | None
    ) -> Page:
        """Return pairs behind `after` in the order of time; `keeps` is asked for each, where given."""
        await self._run(self._flush)
        if keeps is None and not full:
            return await self._run(lambda: self._summaries(chosen, after, limit))
        return await self._examined(chosen, after, limit, full, keeps)

    async def get(self, uuid: str) -> RRPair:
        """Return one pair; Refused `not_found`."""
        await self._run(self._flush)
        return await self._run(lambda: self._get(uuid))

    async def erase(self, erasure: Erasure) -> tuple[int, int]:
        """Erase pairs for good; return how many, and how many parts that changed."""
        await self._run(self._flush)
        return await self._run(lambda: self._erase(erasure))

    @contextlib.contextmanager
    def pairs(self, chosen: Filter) -> Iterator[Iterator[RRPair]]:
        """Give all matching pairs, in no order; from a thread of the caller's own."""
        self._thread.submit(self._guarded, self._flush).result()
        parts = self._thread.submit(self._pin).result()
        try:
            yield self._walk([p for p in parts if chosen.touches(p)], chosen)
        finally:
            self._thread.submit(self._unpin).result()

    def status(self) -> dict[str, int]:
        """Return how much there is."""
        parts = self._parts
        return {"parts": len(parts), "pairs": sum(p.pairs for p in parts), "bytes": sum(p.bytes for p in parts)}

    # below: in the thread

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._guarded, work)

    def _guarded(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except Unavailable as error:
            raise Refused(Reason.STORE_UNAVAILABLE, str(error)) from error
        except duckdb.OutOfMemoryException as error:
            raise Refused(Reason.TOO_LARGE, "this takes more memory than QUERY_MEMORY_BYTES; ask for less") from error
        except (duckdb.IOException, OSError) as error:
            raise Refused(Reason.DISK_ERROR, f"{type(error).__name__}: is there room on the disk?") from error

    def _open(self) -> None:
        self._engine = Engine(self._folder, self._memory)
        self._parts = self._database.now(catalogue.parts)
        known = {part.name for part in self._parts}
        for name in list(self._objects.names("traffic/")):
            if name not in known:
                self._objects.delete(name)
        self._compactor = self._make()

    def _close(self) -> None:
        if hasattr(self, "_compactor"):
            self._compactor.close()
        if hasattr(self, "_engine"):
            self._engine.close()

    def _window(self, size: int) -> Window:
        window = Window(size)
        chosen: list[Part] = []
        for part in sorted(self._parts, key=lambda p: p.received_ns, reverse=True):
            chosen.append(part)
            if sum(p.pairs for p in chosen) >= size:
                break
        with self._borrowed(chosen) as files:
            for name in reversed(self._engine.newest_uuids([f for _, f in files], size) if files else []):
                window.add(name)
        return window

    def _flush(self) -> None:
        self._add(self._compactor.flush())

    def _add(self, parts: Sequence[Part]) -> None:
        if parts:
            self._parts = sorted([*self._parts, *parts], key=lambda p: (p.first_ns, p.name))
        self._metrics.stored(**self.status())

    def _exchange(self, old: Sequence[Part], new: Sequence[Part]) -> None:
        """Replace parts in the catalogue, then for good."""
        self._database.now(lambda connection: catalogue.exchange(connection, [p.name for p in old], new))
        gone = {p.name for p in old}
        self._parts = [p for p in self._parts if p.name not in gone]
        self._add(new)
        self._doomed += sorted(gone)
        self._clear()

    def _clear(self) -> None:
        while self._doomed and not self._pins:
            try:
                self._objects.delete(self._doomed[-1])
            except Unavailable as error:  # the next start clears it away
                log.warning("object_not_deleted", cause=str(error))
            self._doomed.pop()

    def _pin(self) -> list[Part]:
        self._pins += 1
        return list(self._parts)

    def _unpin(self) -> None:
        self._pins -= 1
        self._clear()

    @contextlib.contextmanager
    def _borrowed(self, parts: Sequence[Part]) -> Iterator[list[tuple[Part, Path]]]:
        with contextlib.ExitStack() as stack:
            found = []
            for part in parts:
                try:
                    found.append((part, stack.enter_context(self._objects.borrow(part.name))))
                except Missing:
                    log.error("part_missing", part=part.name, pairs=part.pairs)
                    self._metrics.lost("part_missing", part.pairs)
            yield found

    def _summaries(self, chosen: Filter, after: Position, limit: int) -> Page:
        rows, more = self._next_rows(chosen, after, limit)
        last = Position(rows[-1]["ts"], rows[-1]["uuid"]) if rows and more else None
        return Page([summary(row) for row in rows], last)

    def _next_rows(self, chosen: Filter, after: Position, limit: int) -> tuple[list[dict[str, Any]], bool]:
        """Return the next rows with the part of each, and whether there are more: opens as few parts as it can."""
        parts = [p for p in self._parts if chosen.touches(p) and p.last_ns >= after.ts]
        condition, values = chosen.sql()
        opened = _OPEN_PARTS
        while True:
            some, rest = parts[:opened], parts[opened:]
            with self._borrowed(some) as files:
                names = {str(file): part for part, file in files}
                rows = (
                    self._engine.summaries([f for _, f in files], condition, values, after, limit + 1) if files else []
                )
            if not rest or (len(rows) > limit and rows[limit - 1]["ts"] < rest[0].first_ns):
                for row in rows:
                    row["part"] = names[row.pop("source")]
                return rows[:limit], len(rows) > limit or bool(rest)
            opened *= 2

    async def _examined(
        self, chosen: Filter, after: Position, limit: int, full: bool, keeps: Callable[[RRPair], bool] | None
    ) -> Page:
        """Return a page of pairs that had to be opened, piece by piece, so that others come in between."""
        items: list[dict[str, Any]] = []
        size = seen = 0
        while seen < _SCAN_MAX:
            want = min(_PIECE_ROWS, max(limit - len(items), 1)) if keeps is None else _PIECE_ROWS
            rows, more = await self._run(functools.partial(self._next_rows, chosen, after, want))
            opened = await self._run(functools.partial(self._opened, rows))
            for index, (row, frame) in enumerate(opened):
                pair = pair_of(frame)
                after = Position(row["ts"], row["uuid"])
                seen += 1
                if keeps is not None and not keeps(pair):
                    continue
                items.append(pair.to_doc() if full else summary(row))
                size += len(frame) if full else 0
                if len(items) >= limit or size >= _FULL_MAX_BYTES:
                    return Page(items, after if more or index + 1 < len(rows) else None)
            if len(opened) == len(rows) and not more:
                return Page(items, None)
        return Page(items, after)

    def _opened(self, rows: Sequence[dict[str, Any]]) -> list[tuple[dict[str, Any], bytes]]:
        """Return rows with their frames, fewer where these are large."""
        taken: list[dict[str, Any]] = []
        size = 0
        for row in rows:
            size += row["size"]
            if taken and size > _FULL_MAX_BYTES:
                break
            taken.append(row)
        parts = list({row["part"].name: row["part"] for row in taken}.values())
        with self._borrowed(parts) as files:
            found = self._engine.frames([f for _, f in files], [r["uuid"] for r in taken]) if files else {}
        return [(row, found[row["uuid"]]) for row in taken if row["uuid"] in found]

    def _get(self, uuid: str) -> RRPair:
        newest_first = sorted(self._parts, key=lambda p: p.received_ns, reverse=True)
        for start in range(0, len(newest_first), 16):
            with self._borrowed(newest_first[start : start + 16]) as files:
                found = self._engine.frames([f for _, f in files], [uuid]) if files else {}
            if uuid in found:
                return pair_of(found[uuid])
        raise not_found("RRPair", uuid)

    def _walk(self, parts: Sequence[Part], chosen: Filter) -> Iterator[RRPair]:
        condition, values = chosen.sql()
        for part in parts:
            for first in range(0, part.pairs, _PIECE_ROWS):
                piece = self._thread.submit(
                    self._guarded, functools.partial(self._piece, part, first, condition, values)
                )
                for _, frame in piece.result():
                    yield pair_of(frame)

    def _piece(
        self, part: Part, first: int, condition: str, values: Sequence[Any], rows: int = _PIECE_ROWS
    ) -> list[tuple[str, bytes]]:
        with self._borrowed([part]) as files:
            return self._engine.chunk(files[0][1], first, rows, condition, values) if files else []

    def _erase(self, erasure: Erasure) -> tuple[int, int]:
        erased = changed = 0
        condition, values = erasure.chosen.sql()
        for part in [p for p in self._parts if erasure.chosen.touches(p)]:
            uuids = [
                uuid
                for first in range(0, part.pairs, ROW_GROUP)
                for uuid, frame in self._piece(part, first, condition, values, ROW_GROUP)
                if erasure.holds(frame)
            ]
            if uuids:
                self._rewrite(part, uuids)
                erased += len(uuids)
                changed += 1
        return erased, changed

    def _rewrite(self, part: Part, without: Sequence[str]) -> None:
        new = []
        if len(without) < part.pairs:
            with self._borrowed([part]) as files:
                source = files[0][1]
                write = lambda file: self._engine.without(source, without, file)  # noqa: E731
                new = [store_part(self._engine, self._objects, self._folder, part.hour, write)]
        self._exchange([part], new)

    def _retain(self, received_before_ns: int | None, max_bytes: int) -> None:
        gone = upkeep.to_delete(self._parts, received_before_ns=received_before_ns, max_bytes=max_bytes)
        if gone:
            self._exchange(gone, [])
            pairs = sum(p.pairs for p in gone)
            self._metrics.retired(pairs)
            log.info("traffic_retired", parts=len(gone), pairs=pairs, bytes=sum(p.bytes for p in gone))

    def _merge(self) -> bool:
        group = upkeep.to_merge(self._parts)
        if not group:
            return False
        with self._borrowed(group) as files:
            if len(files) < len(group):
                return False
            sources = [file for _, file in files]
            write = lambda file: self._engine.merge(sources, file)  # noqa: E731
            merged = store_part(self._engine, self._objects, self._folder, group[0].hour, write)
        self._exchange(group, [merged])
        return True
