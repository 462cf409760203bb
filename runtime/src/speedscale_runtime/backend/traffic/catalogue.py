"""The catalogue of parts: what stored traffic consists of, and how far the journal is in it.

Functions of a connection, called by `store` and `compaction`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from speedscale_runtime.backend import database
from speedscale_runtime.spool import Position as Place

from .model import Part

_COMPACTED = "compacted"


def compacted(connection: sqlite3.Connection) -> Place:
    """Return the place in the journal before which everything is in parts."""
    text = database.fact(connection, _COMPACTED)
    segment, _, offset = text.partition(":")
    return Place(int(segment), int(offset)) if offset else Place(0, 0)


def enter(connection: sqlite3.Connection, parts: Sequence[Part], place: Place) -> None:
    """Enter new parts and how far the journal is now."""
    _insert(connection, parts)
    database.put_fact(connection, _COMPACTED, f"{place.segment}:{place.offset}")


def exchange(connection: sqlite3.Connection, old: Iterable[str], new: Sequence[Part]) -> None:
    """Replace parts by others."""
    connection.executemany("DELETE FROM parts WHERE name = ?", [(name,) for name in old])
    _insert(connection, new)


def parts(connection: sqlite3.Connection) -> list[Part]:
    """Return all parts, the earliest traffic first."""
    rows = connection.execute("SELECT * FROM parts ORDER BY first_ns, name").fetchall()
    return [Part(*row) for row in rows]


def _insert(connection: sqlite3.Connection, new: Sequence[Part]) -> None:
    connection.executemany("INSERT OR REPLACE INTO parts VALUES (?, ?, ?, ?, ?, ?, ?)", new)
