"""Parquet files in partitions: written whole, merged when they are many, deleted when they are old.

Used by the exporter `parquet` alone, from its thread. A file has its name only once it is whole and on disk; names that
begin with a dot are ours (readers of partitions pass over them). A merge writes down which files it replaces before
the new one appears: after a crash in between, the next start ends what was begun, and nothing is there twice.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import structlog

from speedscale_runtime import durable

from .parquet_rows import COLUMNS, TIMES, Row

log = structlog.get_logger()

_MEMORY = "256MB"
_ROW_GROUP, _ROW_GROUP_BYTES = 8192, "16MB"  # whichever comes first; a group is held in memory
_INSERT_ROWS, _INSERT_BYTES = 1024, 1024 * 1024
_SMALL_BYTES = 32 * 1024 * 1024
_MANY = 12  # small files of a partition that are merged
_MERGED_BYTES = 128 * 1024 * 1024


_UNREADABLE = (duckdb.Error, UnicodeDecodeError)  # the latter where an error of the former cites what it read
_OF_THE_DISK = (duckdb.IOException, duckdb.OutOfMemoryException)  # they say nothing about what is in a file


class TooMuch(Exception):
    """The rows do not fit into the memory that writing them may take: fewer at a time, or none."""


class Partitions:
    """The folder `root`, made if absent; one process at a time."""

    def __init__(self, root: Path) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self._root = root
        self._damaged: set[Path] = set()  # bounded by the files there are
        self._connection = duckdb.connect(
            ":memory:",
            config={
                "memory_limit": _MEMORY,
                "threads": 1,
                "preserve_insertion_order": False,
                "temp_directory": str(root / ".duckdb"),
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            },
        )
        self._end_what_was_begun()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def write(self, partition: str, rows: Sequence[Row]) -> Path:
        """Write rows into a new file of a partition; on disk on return.

        OSError or duckdb.Error when it is not, TooMuch where fewer rows might be.
        """
        types = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
        unnest = ", ".join(f"unnest(${n}::{kind}[])" for n, kind in enumerate(COLUMNS.values(), 1))
        self._connection.execute(f"CREATE OR REPLACE TABLE incoming ({types})")
        try:
            for part in _parts(rows):
                columns = [list(column) for column in zip(*(row.values for row in part), strict=True)]
                self._connection.execute(f"INSERT INTO incoming SELECT {unnest}", columns)
            times = ", ".join(f"make_timestamptz({source} // 1000) AS {name}" for name, source in TIMES.items())
            return self._copy(f"SELECT {times}, * FROM incoming ORDER BY ts_ns, uuid", [], self._root / partition)
        except duckdb.OutOfMemoryException as error:
            raise TooMuch from error
        finally:
            self._connection.execute("DROP TABLE IF EXISTS incoming")

    def uuids(self, since: float) -> set[str]:
        """Return the uuids in files that were written at `since` (Unix seconds) or later."""
        recent = [f for f in self._files(self._root) if _written(f) >= since]
        try:
            return self._uuids(recent)
        except _OF_THE_DISK:
            raise
        except _UNREADABLE:
            return self._uuids(self._whole(recent))

    def _uuids(self, files: Sequence[Path]) -> set[str]:
        if not files:
            return set()
        query = "SELECT uuid FROM read_parquet(?, hive_partitioning = false)"
        return {str(row[0]) for row in self._connection.execute(query, [[str(f) for f in files]]).fetchall()}

    def _whole(self, files: Sequence[Path]) -> list[Path]:
        """Return the files that are Parquet; others are named once and left where they are, for who looks into it."""
        whole = []
        for file in files:
            try:
                query = "SELECT max(hash(COLUMNS(*))) FROM read_parquet(?, hive_partitioning = false)"
                self._connection.execute(query, [str(file)]).fetchall()
            except _OF_THE_DISK:
                raise
            except _UNREADABLE:
                self._damaged.add(file)
                log.warning("parquet_damaged", file=str(file.relative_to(self._root)))
            else:
                whole.append(file)
        return whole

    def compact(self, partition: str) -> int:
        """Merge a partition's small files where there are many; return how many were."""
        found = [f for f in self._files(self._root / partition) if f not in self._damaged]
        small = [f for f in found if f.stat().st_size < _SMALL_BYTES]
        if len(small) < _MANY:
            return 0
        chosen: list[Path] = []
        size = 0
        for file in sorted(small, key=lambda f: f.stat().st_size):
            size += file.stat().st_size
            if size > _MERGED_BYTES:
                break
            chosen.append(file)
        if len(chosen) < 2:
            return 0
        try:
            self._merge(self._root / partition, chosen)
        except _OF_THE_DISK:
            raise
        except _UNREADABLE:
            self._whole(chosen)  # the next time without those that are none
            raise
        return len(chosen)

    def expire(self, before: date) -> list[str]:
        """Delete the days before `before`; return their names."""
        gone = []
        for day in sorted(self._root.glob("date=*")):
            try:
                at = date.fromisoformat(day.name.removeprefix("date="))
            except ValueError:
                continue
            if at < before:
                shutil.rmtree(day, ignore_errors=True)
                gone.append(day.name)
        return gone

    def _copy(self, query: str, values: Sequence[object], folder: Path, note: Path | None = None) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        name = f"part-{time.time_ns():020d}-{uuid.uuid4().hex[:8]}.parquet"
        half = folder / f".{name}.half"
        quoted = str(half).replace("'", "''")
        size = f"ROW_GROUP_SIZE {_ROW_GROUP}, ROW_GROUP_SIZE_BYTES '{_ROW_GROUP_BYTES}'"
        options = f"FORMAT parquet, COMPRESSION zstd, {size}"
        try:
            self._connection.execute(f"COPY ({query}) TO '{quoted}' ({options})", list(values))
            durable.sync(half)
            if note is not None:
                _write_note(note, name, values)
            os.replace(half, folder / name)
        except BaseException:
            half.unlink(missing_ok=True)
            raise
        for parent in (folder, *list(folder.parents)[:2]):
            durable.sync(parent)
        return folder / name

    def _merge(self, folder: Path, sources: Sequence[Path]) -> None:
        note = folder / f".merge-{uuid.uuid4().hex}.json"
        names = [str(source) for source in sources]
        try:
            self._copy("SELECT * FROM read_parquet(?, hive_partitioning = false)", [names], folder, note)
        except BaseException:
            note.unlink(missing_ok=True)
            raise
        _finish(note)

    def _end_what_was_begun(self) -> None:
        for half in self._root.glob("**/.*.half"):
            half.unlink(missing_ok=True)
        for note in self._root.glob("**/.merge-*.json*"):
            _finish(note)

    @staticmethod
    def _files(folder: Path) -> Iterator[Path]:
        return (f for f in folder.glob("**/*.parquet") if not f.name.startswith("."))


def _parts(rows: Sequence[Row]) -> Iterator[list[Row]]:
    """Yield the rows in parts of a bounded size: the database copies what it is given a dozen times over."""
    part: list[Row] = []
    size = 0
    for row in rows:
        if part and (len(part) >= _INSERT_ROWS or size + row.size > _INSERT_BYTES):
            yield part
            part, size = [], 0
        part.append(row)
        size += row.size
    if part:
        yield part


def _write_note(note: Path, merged: str, values: Sequence[object]) -> None:
    (names,) = values
    assert isinstance(names, list)
    half = note.with_name(f"{note.name}.half")
    half.write_text(json.dumps({"merged": merged, "replaces": [Path(n).name for n in names]}))
    durable.sync(half)
    os.replace(half, note)
    durable.sync(note.parent)


def _finish(note: Path) -> None:
    """Delete what a merge replaced, where the merge is there; then the note."""
    with contextlib.suppress(ValueError, KeyError, FileNotFoundError):
        document = json.loads(note.read_text())
        if (note.parent / document["merged"]).exists():
            for name in document["replaces"]:
                (note.parent / Path(name).name).unlink(missing_ok=True)
    note.unlink(missing_ok=True)


def _written(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def days_ago(now: float, days: float) -> date:
    """Return the day that lies `days` before `now` (Unix seconds), UTC."""
    return (datetime.fromtimestamp(now, UTC) - timedelta(days=days)).date()
