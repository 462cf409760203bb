"""The audit: who asked for what that changes something, when, and what came out.

Written by the HTTP face for every operation but reading and batches, and for each command to an inspector. Bounded by
number; an entry that cannot be written is counted and logged, and stops nothing.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
import structlog

from . import listing
from .database import Database
from .metrics import Metrics

log = structlog.get_logger()
_TEXT_MAX = 500


class Audit:
    """The audit in `database`, at most `max_rows` of it."""

    def __init__(
        self, database: Database, metrics: Metrics, max_rows: int, clock: Callable[[], float] = time.time
    ) -> None:
        self._database, self._metrics, self._max_rows, self._clock = database, metrics, max_rows, clock

    async def write(
        self,
        *,
        key: str,
        agent: str,
        remote: str,
        action: str,
        target: str,
        status: int,
        reason: str = "",
        arguments: Mapping[str, Any] | None = None,
    ) -> None:
        """Write an entry; never raises."""
        at = datetime.fromtimestamp(self._clock(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        entry = {
            "at": at,
            "key": key,
            "agent": agent[:_TEXT_MAX],
            "remote": remote,
            "action": action,
            "target": target[:_TEXT_MAX],
            "arguments": dict(arguments or {}),
            "status": status,
            "reason": reason,
        }
        log.info("audit", **{**entry, "arguments": sorted(arguments or ())})
        row = (key, action, orjson.dumps(entry, default=str).decode())
        try:
            # a caller who leaves cancels who waits here, not the entry
            await asyncio.shield(
                self._database.run(
                    lambda c: c.execute("INSERT INTO audit (key, action, document) VALUES (?, ?, ?)", row)
                )
            )
        except sqlite3.Error as error:
            self._metrics.audit_lost()
            log.error("audit_not_written", cause=type(error).__name__)

    async def page(
        self, key: str | None, action: str | None, cursor: str, limit: int
    ) -> tuple[list[dict[str, Any]], str]:
        """Return entries, the newest first, and the cursor of the next page."""
        before = listing.number(cursor)

        def work(connection: sqlite3.Connection) -> list[tuple[int, str]]:
            return connection.execute(
                "SELECT number, document FROM audit WHERE number < ?1 AND (?2 IS NULL OR key = ?2)"
                " AND (?3 IS NULL OR action = ?3) ORDER BY number DESC LIMIT ?4",
                (before, key, action, limit + 1),
            ).fetchall()

        rows = await self._database.run(work)
        more = listing.write((rows[limit - 1][0], "")) if len(rows) > limit else ""
        return [orjson.loads(row[1]) for row in rows[:limit]], more

    async def trim(self) -> None:
        """Delete what is more than `max_rows`."""
        await self._database.run(
            lambda c: c.execute(
                "DELETE FROM audit WHERE number <= (SELECT coalesce(max(number), 0) FROM audit) - ?", (self._max_rows,)
            )
        )
