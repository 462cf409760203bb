"""Reports: a replay's results are kept, the report is made of them whenever somebody asks.

Results come as one packed tar and are kept as files under a name of their own for each upload, so that a repeated
upload replaces all of them at once. The report is a pure function of them (`speedscale_runtime.report`): the few made
last are kept in memory, nothing else is.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple, cast

import orjson
import structlog

from speedscale_runtime import report
from speedscale_runtime.delivery import archive
from speedscale_runtime.report.reading import MOCKS_NAME, RESULTS_NAME
from speedscale_runtime.report.render import Format
from speedscale_runtime.report.summary import summary_of
from speedscale_schemas.errors import ConfigError, PeerError

from . import listing
from .database import Database
from .objects import Missing, ObjectStore, Unavailable
from .problems import Reason, Refused, not_found
from .scratch import scratch
from .snapshots import holds
from .traffic.model import rfc3339

log = structlog.get_logger()

LATEST = "latest"
NAMES = ("replay", "cluster", "namespace", "workload", "snapshot", "testConfig", "buildTag")
_FILES_MAX = 1000
_UNPACKED_TIMES = 8
_KEPT, _KEPT_BYTES = 8, 4 << 20


class Stored(NamedTuple):
    """A report as the list has it, and the folder of its files."""

    revision: str
    document: dict[str, Any]


class Reports:
    """Reports in database and object store; `folder` is for work that is under way."""

    def __init__(
        self,
        database: Database,
        objects: ObjectStore,
        folder: Path,
        *,
        url: str,
        max_bytes: int,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._database, self._objects, self._folder, self._url = database, objects, folder, url
        self._limits = archive.Limits(total=max_bytes * _UNPACKED_TIMES, files=_FILES_MAX)
        self._clock_ns = clock_ns
        self._mutex = threading.Lock()
        self._made: OrderedDict[tuple[str, str], bytes] = OrderedDict()

    async def page(self, wanted: Mapping[str, str | None], cursor: str, limit: int) -> tuple[list[dict[str, Any]], str]:
        """Return reports, newest first; `wanted`: replay, cluster, namespace, state, snapshot."""
        return await self._database.run(lambda c: listing.page(c, "reports", wanted, cursor, limit))

    async def find(self, identity: str) -> Stored:
        """Return a report; Refused `not_found`."""

        def work(connection: sqlite3.Connection) -> Stored | None:
            wanted = listing.latest(connection, "reports") if identity == LATEST else identity
            return _stored(connection, wanted)

        found = await self._database.run(work)
        if found is None:
            raise not_found("report", identity)
        return found

    def take(self, identity: str, upload: Path, names: Mapping[str, str]) -> dict[str, Any]:
        """Take results in and return the report as the list has it. Blocks; Refused where they are none."""
        with scratch(self._folder, "results") as folder:
            try:
                with upload.open("rb") as file:
                    archive.unpack(file, folder, self._limits)
            except PeerError as error:
                reason = Reason.TOO_LARGE if error.reason == "too_large" else Reason.INVALID
                raise Refused(reason, str(error)) from error
            made = _built(folder / RESULTS_NAME, folder / MOCKS_NAME)
            paths = sorted(p for p in folder.rglob("*") if p.is_file())
            files = [{"name": p.relative_to(folder).as_posix(), "bytes": p.stat().st_size} for p in paths]
            revision = uuid.uuid4().hex
            for path, entry in zip(paths, files, strict=True):
                self._objects.put(f"reports/{revision}/{entry['name']}", path)
        config = made.config_id
        document: dict[str, Any] = {
            "id": identity,
            "createdAt": rfc3339(self._clock_ns()),
            "state": made.status,
            "url": f"{self._url}/v1/reports/{identity}?format=html" if self._url else "",
            **{name: names.get(name, "") for name in NAMES},
            "testConfig": names.get("testConfig") or config,
            "buildTag": names.get("buildTag") or made.build_tag,
            "summary": {**summary_of(made, ""), "reportID": identity},
            "files": files,
        }
        before = self._database.now(lambda connection: self._enter(connection, revision, document))
        if before is not None:
            self._discard(before)
        return document

    def render(self, stored: Stored, form: Format) -> bytes:
        """Return a report in one format. Blocks."""
        key = (stored.revision, form)
        with self._mutex:
            known = self._made.get(key)
            if known is not None:
                self._made.move_to_end(key)
                return known
        names = {entry["name"] for entry in stored.document["files"]}
        try:
            with contextlib.ExitStack() as stack:
                results = stack.enter_context(self.file(stored, RESULTS_NAME))
                mocks = stack.enter_context(self.file(stored, MOCKS_NAME)) if MOCKS_NAME in names else None
                data = report.render(_built(results, mocks), form)
        except Missing as error:
            raise not_found("report", stored.document["id"]) from error
        except Unavailable as error:
            raise Refused(Reason.STORE_UNAVAILABLE, str(error)) from error
        if len(data) <= _KEPT_BYTES:
            with self._mutex:
                self._made[key] = data
                if len(self._made) > _KEPT:
                    self._made.popitem(last=False)
        return data

    def file(self, stored: Stored, name: str) -> AbstractContextManager[Path]:
        """Give one file of the results; Refused `not_found` for one that is not listed."""
        if name not in {entry["name"] for entry in stored.document["files"]}:
            raise not_found("file", name)
        return self._objects.borrow(f"reports/{stored.revision}/{name}")

    def delete(self, identity: str) -> None:
        """Delete a report and its results; Refused `not_found`. Blocks."""

        def work(connection: sqlite3.Connection) -> Stored | None:
            found = _stored(connection, identity)
            connection.execute("DELETE FROM reports WHERE id = ?", (identity,))
            return found

        found = self._database.now(work)
        if found is None:
            raise not_found("report", identity)
        self._discard(found)

    def holding(self, needles: tuple[bytes, ...]) -> list[str]:
        """Return the ids of reports whose results hold one of the byte strings. Blocks, reads every file."""
        ids = [str(row[0]) for row in self._database.now(lambda c: c.execute("SELECT id FROM reports").fetchall())]
        found = []
        for identity in sorted(ids):
            stored = self._database.now(lambda c, i=identity: _stored(c, i))  # type: ignore[misc]
            if stored is not None and self._holds(stored, needles):
                found.append(identity)
        return found

    def clear(self) -> None:
        """Delete results that belong to no report: what a crash left. Blocks."""
        rows = self._database.now(lambda c: c.execute("SELECT revision FROM reports").fetchall())
        known = {str(row[0]) for row in rows}
        for name in list(self._objects.names("reports/")):
            if name.split("/")[1] not in known:
                self._objects.delete(name)

    def _holds(self, stored: Stored, needles: tuple[bytes, ...]) -> bool:
        for entry in stored.document["files"]:
            with contextlib.suppress(Missing), self.file(stored, entry["name"]) as file:
                if holds(file, needles):
                    return True
        return False

    def _enter(self, connection: sqlite3.Connection, revision: str, document: dict[str, Any]) -> Stored | None:
        before = _stored(connection, document["id"])
        if before is not None:  # a repeated upload is the same report: it keeps its place in the list
            document["createdAt"] = before.document["createdAt"]
        created = connection.execute("SELECT created_ns FROM reports WHERE id = ?", (document["id"],)).fetchone()
        values = (
            document["id"],
            revision,
            *(document[name] for name in ("replay", "cluster", "namespace", "state", "snapshot")),
            orjson.dumps(document).decode(),
            created[0] if created else self._clock_ns(),
        )
        connection.execute("INSERT OR REPLACE INTO reports VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
        return before

    def _discard(self, stored: Stored) -> None:
        try:
            for entry in stored.document["files"]:
                self._objects.delete(f"reports/{stored.revision}/{entry['name']}")
        except Unavailable as error:  # the next start clears it away
            log.warning("object_not_deleted", cause=str(error))


def _built(results: Path, mocks: Path | None) -> report.Report:
    try:
        return report.build(results, mocks if mocks is not None and mocks.is_file() else None)
    except ConfigError as error:
        problems = [problem.replace(f"{results.parent}/", "") for problem in error.problems]
        raise Refused(Reason.INVALID, "these are no results of a replay", problems) from error


def _stored(connection: sqlite3.Connection, identity: str) -> Stored | None:
    row = connection.execute("SELECT revision, document FROM reports WHERE id = ?", (identity,)).fetchone()
    return Stored(str(row[0]), cast("dict[str, Any]", orjson.loads(row[1]))) if row else None
