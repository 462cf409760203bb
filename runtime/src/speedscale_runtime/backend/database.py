"""The SQLite database: what is small, and what must change together. One file, one thread.

Every other module of the backend keeps its rows here and passes functions of a connection to `run`. What `run`
returned for is on disk. The schema grows by appending to `_STEPS`; a database of a newer version is refused.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from speedscale_schemas.errors import ConfigError

T = TypeVar("T")

_STEPS = (
    """
    CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE parts (name TEXT PRIMARY KEY, hour INTEGER NOT NULL, pairs INTEGER NOT NULL, bytes INTEGER NOT NULL,
      first_ns INTEGER NOT NULL, last_ns INTEGER NOT NULL, received_ns INTEGER NOT NULL) WITHOUT ROWID;
    CREATE INDEX parts_by_time ON parts (first_ns, last_ns);
    CREATE TABLE keys (id TEXT PRIMARY KEY, hash TEXT NOT NULL UNIQUE, name TEXT NOT NULL, scopes TEXT NOT NULL,
      labels TEXT NOT NULL, created_at TEXT NOT NULL, last_used_at TEXT) WITHOUT ROWID;
    CREATE TABLE snapshots (id TEXT PRIMARY KEY, name TEXT NOT NULL, created_ns INTEGER NOT NULL,
      services TEXT NOT NULL, document TEXT NOT NULL, manifest TEXT NOT NULL) WITHOUT ROWID;
    CREATE INDEX snapshots_by_time ON snapshots (created_ns, id);
    CREATE TABLE documents (kind TEXT, id TEXT, document TEXT NOT NULL, updated_at TEXT NOT NULL,
      PRIMARY KEY (kind, id)) WITHOUT ROWID;
    CREATE TABLE replays (id TEXT PRIMARY KEY, cluster TEXT NOT NULL, namespace TEXT NOT NULL, state TEXT NOT NULL,
      document TEXT NOT NULL, created_ns INTEGER NOT NULL) WITHOUT ROWID;
    CREATE INDEX replays_by_time ON replays (created_ns, id);
    CREATE TABLE reports (id TEXT PRIMARY KEY, revision TEXT NOT NULL, replay TEXT NOT NULL, cluster TEXT NOT NULL,
      namespace TEXT NOT NULL, state TEXT NOT NULL, snapshot TEXT NOT NULL, document TEXT NOT NULL,
      created_ns INTEGER NOT NULL) WITHOUT ROWID;
    CREATE INDEX reports_by_time ON reports (created_ns, id);
    CREATE TABLE clusters (name TEXT PRIMARY KEY, document TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE audit (number INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, action TEXT NOT NULL,
      document TEXT NOT NULL);
    """,
)


class Database:
    """The database in `path`, made if absent; ConfigError when it cannot be used."""

    def __init__(self, path: Path) -> None:
        self._thread = ThreadPoolExecutor(1, "database")
        try:
            self._connection = self._thread.submit(_open, path).result()
        except sqlite3.Error as error:
            self._thread.shutdown()
            raise ConfigError([f"DATA_DIR: {path}: {error}; is it a database of this program, on a disk?"]) from error

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do `work` in one transaction: all of it, or nothing when it raises."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._within, work)

    def now(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do the same for who runs in a thread of its own."""
        return self._thread.submit(self._within, work).result()

    def close(self) -> None:
        """Close the file."""
        self._thread.submit(self._connection.close).result()
        self._thread.shutdown()

    def _within(self, work: Callable[[sqlite3.Connection], T]) -> T:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            result = work(self._connection)
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")
        return result


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    path.chmod(0o600)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")  # with WAL, NORMAL may lose the last commits at a power cut
    connection.execute("PRAGMA cache_size = -4096")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(_STEPS):
        connection.close()
        raise ConfigError([f"DATA_DIR: {path}: written by a newer version ({version}); this one knows {len(_STEPS)}"])
    for number, step in enumerate(_STEPS[version:], version + 1):
        connection.executescript(f"BEGIN; {step}; PRAGMA user_version = {number}; COMMIT;")
    return connection


def fact(connection: sqlite3.Connection, name: str) -> str:
    """Return a fact by name, empty where there is none."""
    row = connection.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
    return str(row[0]) if row else ""


def put_fact(connection: sqlite3.Connection, name: str, value: str) -> None:
    """Store a fact."""
    connection.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))
