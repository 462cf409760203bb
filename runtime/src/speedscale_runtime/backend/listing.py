"""Lists that are read in pages, the newest first: one query for all kinds of things. Functions of a connection."""

from __future__ import annotations

import base64
import binascii
import sqlite3
from collections.abc import Mapping
from typing import Any, Literal

import orjson

from .problems import Reason, Refused

Table = Literal["snapshots", "replays", "reports"]


def page(
    connection: sqlite3.Connection,
    table: Table,
    wanted: Mapping[str, str | None],
    cursor: str,
    limit: int,
    within: tuple[str, str | None] = ("", None),
) -> tuple[list[dict[str, Any]], str]:
    """Return documents of a table, newest first, and the cursor of the next page.

    `wanted` is by column; `within` names a column and a text that its value has to contain. None is no condition.
    """
    terms: list[str] = ["TRUE"]
    values: list[Any] = []
    for column, value in wanted.items():
        if value is not None:
            terms.append(f"{column} = ?")
            values.append(value)
    if within[1] is not None:
        terms.append(f"instr({within[0]}, ?) > 0")
        values.append(within[1])
    if cursor:
        at, identity = _read(cursor)
        terms.append("(created_ns, id) < (?, ?)")
        values += [at, identity]
    rows = connection.execute(
        f"SELECT document, created_ns, id FROM {table} WHERE {' AND '.join(terms)}"
        " ORDER BY created_ns DESC, id DESC LIMIT ?",
        [*values, limit + 1],
    ).fetchall()
    items = [orjson.loads(row[0]) for row in rows[:limit]]
    return items, write(rows[limit - 1][1:]) if len(rows) > limit else ""


def latest(connection: sqlite3.Connection, table: Table) -> str:
    """Return the id of the newest; empty where there is none."""
    row = connection.execute(f"SELECT id FROM {table} ORDER BY created_ns DESC, id DESC LIMIT 1").fetchone()
    return str(row[0]) if row else ""


def write(place: tuple[Any, ...]) -> str:
    """Return a place as a cursor."""
    return base64.urlsafe_b64encode(orjson.dumps(list(place))).decode("ascii").rstrip("=")


def _read(cursor: str) -> tuple[int, str]:
    try:
        at, identity = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        return int(at), str(identity)
    except (ValueError, TypeError, binascii.Error):
        raise Refused(Reason.INVALID, "cursor: this is none that a page ended with") from None


def number(cursor: str) -> int:
    """Return the number that a cursor of the audit stands for; a very large one for none."""
    return _read(cursor)[0] if cursor else 1 << 62
