"""Test configs and rules by name: a user's own over the built-in ones. What is stored is valid and can be compiled."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from speedscale_runtime import filters
from speedscale_schemas import builtins
from speedscale_schemas.errors import ConfigError
from speedscale_schemas.validation import check

from .database import Database
from .problems import Reason, Refused, not_found

KINDS: Mapping[str, str] = {
    "testconfig": "test-config",
    "filter": "filter-rule",
    "dlp": "dlp-rule",
    "transform": "transform-set",
}
"""A kind's name in paths → its document kind."""
PER_KIND = 2000


class Documents:
    """The documents in `database`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def listed(self, kind: str) -> list[dict[str, Any]]:
        """Return names, whether built in, and when changed."""
        rows = await self._database.run(
            lambda c: c.execute("SELECT id, updated_at FROM documents WHERE kind = ?", (kind,)).fetchall()
        )
        stored = {str(name): str(at) for name, at in rows}
        names = sorted({*builtins.names(KINDS[kind]), *stored})
        return [{"id": name, "builtin": name not in stored, "updatedAt": stored.get(name)} for name in names]

    async def get(self, kind: str, identity: str) -> dict[str, Any]:
        """Return a stored document, else the built-in one of that name; Refused `not_found`."""
        row = await self._database.run(
            lambda c: c.execute("SELECT document FROM documents WHERE kind = ? AND id = ?", (kind, identity)).fetchone()
        )
        if row:
            loaded: dict[str, Any] = orjson.loads(row[0])
            return loaded
        if identity in builtins.names(KINDS[kind]):
            return builtins.document(KINDS[kind], identity)
        raise not_found(KINDS[kind].replace("-", " "), identity)

    async def put(self, kind: str, identity: str, document: Mapping[str, Any]) -> None:
        """Store a document; Refused `invalid` with every place that is wrong."""
        problems = mistakes(kind, document, identity)
        if problems:
            raise Refused(Reason.INVALID, f"{len(problems)} problems: {problems[0]}", problems)
        now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        row = (kind, identity, json.dumps(document, ensure_ascii=False), now)

        def work(connection: Any) -> None:
            count = connection.execute("SELECT count(*) FROM documents WHERE kind = ?", (kind,)).fetchone()[0]
            if count >= PER_KIND:
                raise Refused(Reason.CONFLICT, f"there are {PER_KIND} documents of this kind; delete some")
            connection.execute("INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?)", row)

        await self._database.run(work)

    async def delete(self, kind: str, identity: str) -> None:
        """Delete a stored document; Refused where there is none, or only a built-in one."""
        count = await self._database.run(
            lambda c: c.execute("DELETE FROM documents WHERE kind = ? AND id = ?", (kind, identity)).rowcount
        )
        if count:
            return
        if identity in builtins.names(KINDS[kind]):
            raise Refused(Reason.CONFLICT, f"{identity!r} is built in and cannot be deleted")
        raise not_found(KINDS[kind].replace("-", " "), identity)


def mistakes(kind: str, document: Mapping[str, Any], identity: str) -> list[str]:
    """Return what is wrong with a document, each with its place."""
    problems = [str(problem) for problem in check(KINDS[kind], document, source=identity)]
    if not problems and kind == "filter":
        try:
            filters.compile_rule({**document, "id": identity}, source=identity)
        except ConfigError as error:
            problems = list(error.problems)
    return problems
