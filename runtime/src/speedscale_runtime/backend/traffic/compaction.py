"""The journal becomes parts: read, told apart from what is stored already, written, entered.

Called by `store`, in its thread. A pair that comes again (the sender did not hear us, or began anew) has its uuid among
the newest `dedup_pairs`, and is left out; so one pair is stored once. After a crash the same records are read again
from where the catalogue says, and the parts that were not entered have been cleared away.
"""

from __future__ import annotations

import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import structlog

from speedscale_runtime.backend.database import Database
from speedscale_runtime.backend.metrics import Metrics
from speedscale_runtime.backend.objects import ObjectStore
from speedscale_runtime.spool import Position as Place
from speedscale_runtime.spool import Reader, Record, SegmentLog
from speedscale_schemas import frames

from . import catalogue
from .model import HOUR_NS, Part, Row, row_of
from .parquet import Engine

log = structlog.get_logger()


class Window:
    """The newest uuids, at most `size` of them; kept as 64 bits each, for memory."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._seen: dict[int, None] = {}

    def __contains__(self, name: str) -> bool:
        return _bits(name) in self._seen

    def add(self, name: str) -> None:
        """Take a uuid in; the oldest goes where there is no room."""
        self._seen[_bits(name)] = None
        if len(self._seen) > self._size:
            del self._seen[next(iter(self._seen))]


class Compactor:
    """Owns the reading side of the journal."""

    def __init__(
        self,
        journal: SegmentLog,
        database: Database,
        objects: ObjectStore,
        engine: Engine,
        metrics: Metrics,
        *,
        folder: Path,
        window: Window,
        round_bytes: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._journal, self._database, self._objects, self._engine = journal, database, objects, engine
        self._metrics, self._folder, self._window, self._round = metrics, folder, window, round_bytes
        self._clock = clock
        self._damaged = self._lost = 0
        self.place = _sane(database.now(catalogue.compacted), journal)
        self._reader = Reader(journal, self.place)
        self._waiting_since: float | None = None

    def waiting(self) -> tuple[int, float]:
        """Return the bytes that wait in the journal, and for how many seconds they have been seen to wait."""
        size, _ = self._journal.behind(self.place, 0)
        if self._journal.end <= self.place:
            self._waiting_since = None
            return 0, 0.0
        if self._waiting_since is None:
            self._waiting_since = self._clock()
        return size, self._clock() - self._waiting_since

    def flush(self) -> list[Part]:
        """Bring everything that is in the journal now into parts; return these. Nothing is half done when it raises."""
        made: list[Part] = []
        end = self._journal.end
        while self.place < end:
            try:
                parts, moved = self._one_round()
            except BaseException:
                self._reader.close()
                self._reader = Reader(self._journal, self.place)
                raise
            made += parts
            if not moved:
                break
        self._waiting_since = None
        return made

    def close(self) -> None:
        """Close the journal's file."""
        self._reader.close()

    def _one_round(self) -> tuple[list[Part], bool]:
        records, size = [], 0
        while size < self._round and (record := self._reader.next()) is not None:
            records.append(record)
            size += len(record.payload)
        self._count_damage()
        place = self._reader.position
        if place == self.place:
            return [], False
        hours, repeated = self._sorted(records)
        parts = [self._write(hour, rows) for hour, rows in sorted(hours.items())]
        self._database.now(lambda connection: catalogue.enter(connection, parts, place))
        for rows in hours.values():
            for row in rows:
                self._window.add(row.uuid)
        self.place = place
        self._journal.release(place)
        self._metrics.compacted(sum(part.pairs for part in parts), repeated)
        return parts, True

    def _sorted(self, records: Sequence[Record]) -> tuple[Mapping[int, list[Row]], int]:
        """Return the new rows by hour, and how many were there already."""
        hours: dict[int, list[Row]] = defaultdict(list)
        fresh: set[str] = set()
        repeated = 0
        for record in records:
            for index, frame in enumerate(frames.decode_all(record.payload)):
                fallback = uuid.uuid5(uuid.NAMESPACE_OID, f"{record.sender}/{record.epoch}/{record.sequence}/{index}")
                try:
                    row = row_of(frame, record.time_ns, str(fallback))
                except ValueError:  # intake looks at every head; this is damage, and it is told
                    self._metrics.lost("undecodable", 1)
                    continue
                if row.uuid in fresh or row.uuid in self._window:
                    repeated += 1
                    continue
                fresh.add(row.uuid)
                hours[row.ts // HOUR_NS].append(row)
        return hours, repeated

    def _write(self, hour: int, rows: Sequence[Row]) -> Part:
        return store_part(self._engine, self._objects, self._folder, hour, lambda file: self._engine.write(rows, file))

    def _count_damage(self) -> None:
        lost, damaged = self._reader.lost_pairs - self._lost, self._reader.damaged_bytes - self._damaged
        if lost or damaged:
            log.error("journal_damaged", pairs=lost, bytes=damaged)
            self._metrics.lost("journal", lost)
        self._lost, self._damaged = self._reader.lost_pairs, self._reader.damaged_bytes


def store_part(engine: Engine, objects: ObjectStore, folder: Path, hour: int, write: Callable[[Path], None]) -> Part:
    """Have `write` make a Parquet file and put it into the object store; return the part, not yet in the catalogue."""
    day = time.gmtime(hour * 3600)
    name = f"traffic/{time.strftime('%Y-%m-%d/%H', day)}/{uuid.uuid4().hex}.parquet"
    file = folder / f"{uuid.uuid4().hex}.parquet"
    try:
        write(file)
        pairs, first, last, received = engine.facts(file)
        size = file.stat().st_size
        objects.put(name, file)
    finally:
        file.unlink(missing_ok=True)
    return Part(name, hour, pairs, size, first, last, received)


def _sane(place: Place, journal: SegmentLog) -> Place:
    """Return the place; the beginning where the journal is a new one, whose numbers have not come so far."""
    return place if place <= journal.end else Place(0, 0)


def _bits(name: str) -> int:
    return hash(name)
