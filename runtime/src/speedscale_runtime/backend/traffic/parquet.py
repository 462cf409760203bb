"""Parquet by DuckDB: written, merged, and asked. One connection, used from one thread.

Memory is bounded by DuckDB's own limit; what does not fit waits in `folder`. Nothing here knows of catalogue or
object store: files in, files and rows out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb

from .model import COLUMNS, SUMMARY, Position, Row

ROW_GROUP = 2048
"""Rows of a row group, the smallest that DuckDB writes: frames are large, and a group is what a reader unpacks."""
_INSERT_BYTES = 4 << 20


class Engine:
    """DuckDB with `memory_bytes`; `folder` takes its temporary files."""

    def __init__(self, folder: Path, memory_bytes: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._connection = duckdb.connect(
            ":memory:",
            config={
                "memory_limit": f"{memory_bytes}B",
                "threads": 1,
                "temp_directory": str(folder / "duckdb"),
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            },
        )

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def write(self, rows: Sequence[Row], file: Path) -> None:
        """Write rows, in the order of time, to a Parquet file."""
        types = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
        unnest = ", ".join(f"unnest(${n}::{kind}[])" for n, kind in enumerate(COLUMNS.values(), 1))
        self._connection.execute(f"CREATE OR REPLACE TABLE incoming ({types})")
        try:
            for chunk in _chunks(rows):
                columns = [list(column) for column in zip(*chunk, strict=True)]
                self._connection.execute(f"INSERT INTO incoming SELECT {unnest}", columns)
            self._copy("SELECT * FROM incoming ORDER BY ts, uuid", [], file)
        finally:
            self._connection.execute("DROP TABLE incoming")

    def merge(self, sources: Sequence[Path], file: Path) -> None:
        """Write the rows of several files to one."""
        self._copy("SELECT * FROM read_parquet(?) ORDER BY ts, uuid", [_names(sources)], file)

    def without(self, source: Path, uuids: Sequence[str], file: Path) -> None:
        """Write a file again without some pairs."""
        self._copy(
            "SELECT * FROM read_parquet(?) WHERE NOT list_contains(?::VARCHAR[], uuid)",
            [[str(source)], list(uuids)],
            file,
        )

    def facts(self, file: Path) -> tuple[int, int, int, int]:
        """Return a file's number of rows, its first and last time, and when its newest row was received."""
        found = self._connection.execute(
            "SELECT count(*), coalesce(min(ts), 0), coalesce(max(ts), 0), coalesce(max(received), 0)"
            " FROM read_parquet(?)",
            [[str(file)]],
        ).fetchone()
        assert found is not None
        return int(found[0]), int(found[1]), int(found[2]), int(found[3])

    def summaries(
        self, sources: Sequence[Path], condition: str, values: Sequence[Any], after: Position, limit: int
    ) -> list[dict[str, Any]]:
        """Return the next rows behind `after`, without frames; `source` says which of the files holds each."""
        found = self._connection.execute(
            f"SELECT {', '.join(SUMMARY)}, filename FROM read_parquet(?, filename = true)"
            f" WHERE {condition} AND (ts > ? OR (ts = ? AND uuid > ?)) ORDER BY ts, uuid LIMIT ?",
            [_names(sources), *values, after.ts, after.ts, after.uuid, limit],
        ).fetchall()
        names = (*SUMMARY, "source")
        return [dict(zip(names, row, strict=True)) for row in found]

    def frames(self, sources: Sequence[Path], uuids: Sequence[str]) -> dict[str, bytes]:
        """Return frames by uuid."""
        found = self._connection.execute(
            "SELECT uuid, frame FROM read_parquet(?) WHERE list_contains(?::VARCHAR[], uuid)",
            [_names(sources), list(uuids)],
        ).fetchall()
        return {str(uuid): bytes(frame) for uuid, frame in found}

    def chunk(
        self, source: Path, first: int, count: int, condition: str, values: Sequence[Any]
    ) -> list[tuple[str, bytes]]:
        """Return uuid and frame of the matching ones among `count` rows from row `first` on."""
        found = self._connection.execute(
            f"SELECT uuid, frame FROM read_parquet(?, file_row_number = true)"
            f" WHERE file_row_number >= ? AND file_row_number < ? AND {condition}",
            [[str(source)], first, first + count, *values],
        ).fetchall()
        return [(str(uuid), bytes(frame)) for uuid, frame in found]

    def newest_uuids(self, sources: Sequence[Path], limit: int) -> list[str]:
        """Return the uuids received last, the newest first."""
        found = self._connection.execute(
            "SELECT uuid FROM read_parquet(?) ORDER BY received DESC LIMIT ?", [_names(sources), limit]
        ).fetchall()
        return [str(row[0]) for row in found]

    def _copy(self, query: str, values: Sequence[Any], file: Path) -> None:
        quoted = str(file).replace("'", "''")
        self._connection.execute(
            f"COPY ({query}) TO '{quoted}' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROW_GROUP})",
            list(values),
        )


def _names(sources: Sequence[Path]) -> list[str]:
    return [str(source) for source in sources]


def _chunks(rows: Sequence[Row]) -> Iterator[list[Row]]:
    chunk: list[Row] = []
    size = 0
    for row in rows:
        chunk.append(row)
        size += len(row.frame)
        if size >= _INSERT_BYTES or len(chunk) >= ROW_GROUP:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk
