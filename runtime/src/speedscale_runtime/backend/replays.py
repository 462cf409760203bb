"""Replays as the collector tells of them: state, names, and which report came of them."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from . import listing
from .database import Database
from .problems import not_found
from .traffic.model import rfc3339


class Replays:
    """The replays in `database`."""

    def __init__(self, database: Database, clock_ns: Callable[[], int] = time.time_ns) -> None:
        self._database, self._clock_ns = database, clock_ns

    async def page(self, wanted: Mapping[str, str | None], cursor: str, limit: int) -> tuple[list[dict[str, Any]], str]:
        """Return replays, those that began last first; `wanted`: cluster, namespace, state."""
        return await self._database.run(lambda c: listing.page(c, "replays", wanted, cursor, limit))

    async def get(self, identity: str) -> dict[str, Any]:
        """Return one replay; Refused `not_found`."""
        row = await self._database.run(
            lambda c: c.execute("SELECT document FROM replays WHERE id = ?", (identity,)).fetchone()
        )
        if row is None:
            raise not_found("replay", identity)
        loaded: dict[str, Any] = orjson.loads(row[0])
        return loaded

    async def put(self, identity: str, given: Mapping[str, Any]) -> None:
        """Store how a replay stands; what is not said anew stays as it was."""
        now = self._clock_ns()

        def work(connection: sqlite3.Connection) -> None:
            row = connection.execute("SELECT document, created_ns FROM replays WHERE id = ?", (identity,)).fetchone()
            before = orjson.loads(row[0]) if row else {}
            document = {**before, **given, "id": identity, "updatedAt": rfc3339(now)}
            values = (
                identity,
                document.get("cluster", ""),
                document.get("namespace", ""),
                document["state"],
                orjson.dumps(document).decode(),
                row[1] if row else now,
            )
            connection.execute("INSERT OR REPLACE INTO replays VALUES (?, ?, ?, ?, ?, ?)", values)

        await self._database.run(work)
