"""Snapshots: made of stored traffic by the code of `speedctl snapshot create`, kept as tars, taken from elsewhere.

An archive is a tar of the snapshot's files but `created.json`: the same snapshot is the same bytes, whoever made it.
Work on disk happens in threads of `work`; what a crash leaves there is cleared away at the next start.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import sqlite3
import tarfile
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from speedscale_runtime import filters, snapshot
from speedscale_runtime.snapshot import Selection, Snapshot, layout
from speedscale_runtime.snapshot.instants import nanoseconds
from speedscale_schemas.errors import ConfigError
from speedscale_schemas.validation import check

from . import listing
from .database import Database
from .objects import Missing, ObjectStore
from .problems import Reason, Refused, not_found
from .scratch import scratch
from .traffic import Filter, TrafficStore
from .traffic.model import rfc3339

LATEST = "latest"
_FILES = (layout.MANIFEST, *layout.DATA_FILES)
_PIECE = 1 << 20


class Snapshots:
    """Snapshots in database and object store; `folder` is for work that is under way."""

    def __init__(
        self,
        database: Database,
        objects: ObjectStore,
        traffic: TrafficStore,
        folder: Path,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._database, self._objects, self._traffic = database, objects, traffic
        self._folder, self._clock_ns = folder, clock_ns

    async def page(
        self, service: str | None, name: str | None, cursor: str, limit: int
    ) -> tuple[list[dict[str, Any]], str]:
        """Return snapshots, newest first; `services` in the table is a text with each name between line breaks."""
        pattern = f"\n{service}\n" if service is not None else None

        def work(connection: sqlite3.Connection) -> tuple[list[dict[str, Any]], str]:
            return listing.page(connection, "snapshots", {"name": name}, cursor, limit, ("services", pattern))

        return await self._database.run(work)

    async def get(self, identity: str) -> dict[str, Any]:
        """Return a snapshot with its manifest; Refused `not_found`."""

        def work(connection: sqlite3.Connection) -> tuple[str, str] | None:
            wanted = listing.latest(connection, "snapshots") if identity == LATEST else identity
            row = connection.execute("SELECT document, manifest FROM snapshots WHERE id = ?", (wanted,)).fetchone()
            return (str(row[0]), str(row[1])) if row else None

        found = await self._database.run(work)
        if found is None:
            raise not_found("snapshot", identity)
        return {**orjson.loads(found[0]), "manifest": orjson.loads(found[1])}

    def archive(self, identity: str) -> AbstractContextManager[Path]:
        """Give the tar of a snapshot that `get` found."""
        return self._objects.borrow(_object_name(identity))

    async def delete(self, identity: str) -> None:
        """Delete a snapshot; Refused `not_found`."""
        count = await self._database.run(
            lambda c: c.execute("DELETE FROM snapshots WHERE id = ?", (identity,)).rowcount
        )
        if not count:
            raise not_found("snapshot", identity)

    def discard(self, identity: str) -> None:
        """Delete the archive of a snapshot that `delete` took from the list. Blocks."""
        self._objects.delete(_object_name(identity))

    def create(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """Make a snapshot of stored traffic and return it. Blocks; Refused where nothing is selected, or too much."""
        chosen, selection = selection_of(wanted)
        with scratch(self._folder, "snapshot") as folder, self._traffic.pairs(chosen) as pairs:
            try:
                made = snapshot.create(pairs, selection, folder)
            except ConfigError as error:
                raise Refused(Reason.NOTHING_SELECTED, error.problems[0], error.problems) from error
            return self._keep(made, folder)

    def take(self, identity: str, upload: Path) -> dict[str, Any]:
        """Take an archive in and return the snapshot. Blocks; Refused `invalid` where it is not what its id says."""
        with scratch(self._folder, "snapshot") as folder:
            _unpack(upload, folder)
            try:
                given = snapshot.open(folder)
                given.verify()
            except ConfigError as error:
                raise Refused(Reason.INVALID, "this is no whole snapshot", error.problems) from error
            if given.id != identity:
                raise Refused(Reason.INVALID, f"the archive is snapshot {given.id}, not {identity}")
            return self._keep(given, folder)

    def holding(self, needles: tuple[bytes, ...]) -> list[str]:
        """Return the ids of snapshots whose archives hold one of the byte strings. Blocks, reads every archive."""
        rows = self._database.now(lambda c: c.execute("SELECT id FROM snapshots ORDER BY id").fetchall())
        found = []
        for (identity,) in rows:
            with contextlib.suppress(Missing), self.archive(identity) as file:
                if holds(file, needles):
                    found.append(str(identity))
        return found

    def clear(self) -> None:
        """Delete archives that belong to no snapshot: what a crash left. Blocks."""
        rows = self._database.now(lambda c: c.execute("SELECT id FROM snapshots").fetchall())
        known = {_object_name(str(row[0])) for row in rows}
        for name in list(self._objects.names("snapshots/")):
            if name not in known:
                self._objects.delete(name)

    def _keep(self, made: Snapshot, folder: Path) -> dict[str, Any]:
        """Put a snapshot's archive into the store and the snapshot into the list."""
        try:
            tests, mocks = sum(1 for _ in made.tests()), sum(1 for _ in made.mocks())
        except ConfigError as error:
            raise Refused(Reason.INVALID, "this is no whole snapshot", error.problems) from error
        archive = folder / "archive.tar"
        sha256 = pack(made.path, archive)
        size = archive.stat().st_size
        self._objects.put(_object_name(made.id), archive)
        now = self._clock_ns()
        document = {**_described(made, tests, mocks), "createdAt": rfc3339(now), "bytes": size, "sha256": sha256}
        services = "".join(f"\n{name}\n" for name in document["services"])
        row = (made.id, document["name"], now, services, _json(document), _json(made.manifest))

        def work(connection: sqlite3.Connection) -> str:
            # one that is there stays as it was: it is the same
            connection.execute("INSERT OR IGNORE INTO snapshots VALUES (?, ?, ?, ?, ?, ?)", row)
            return str(connection.execute("SELECT document FROM snapshots WHERE id = ?", (made.id,)).fetchone()[0])

        return {**orjson.loads(self._database.now(work)), "manifest": dict(made.manifest)}


def selection_of(wanted: Mapping[str, Any]) -> tuple[Filter, Selection]:
    """Return what is asked of the store, and what the snapshot's own code selects by; Refused where it is wrong."""
    if wanted.get("filter") and wanted.get("rule"):
        raise Refused(Reason.INVALID, "filter and rule: give one of them")
    try:
        document = dict(wanted.get("rule") or (filters.parse_query(wanted["filter"]) if wanted.get("filter") else {}))
        problems = [str(p) for p in check("filter-rule", document, source="rule")] if wanted.get("rule") else []
        if problems:
            raise ConfigError(problems)
        rule = filters.compile_rule(document) if document else None
    except ConfigError as error:
        raise Refused(Reason.INVALID, "the filter cannot be used", error.problems) from error
    services = tuple(wanted.get("services", ()))
    chosen = Filter(
        start_ns=_nanoseconds(wanted.get("start")),
        end_ns=_nanoseconds(wanted.get("end")),
        cluster=wanted.get("cluster", ""),
        namespace=wanted.get("namespace", ""),
        services=services,
    )
    return chosen, Selection(
        name=wanted.get("name", ""),
        services=services,
        start=_datetime(wanted.get("start")),
        end=_datetime(wanted.get("end")),
        rule=rule,
        rule_document=document,
    )


def pack(folder: Path, archive: Path) -> str:
    """Write a snapshot's files as a tar and return its SHA-256: the same files give the same bytes."""
    with archive.open("wb") as out, tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name in _FILES:
            with (folder / name).open("rb") as file:
                member = tarfile.TarInfo(name)
                member.size = (folder / name).stat().st_size
                member.mode = 0o644
                tar.addfile(member, file)
    total = hashlib.sha256()
    with archive.open("rb") as file:
        while piece := file.read(_PIECE):
            total.update(piece)
    return total.hexdigest()


def holds(file: Path, needles: tuple[bytes, ...]) -> bool:
    """Say whether a file holds one of the byte strings."""
    overlap = max(map(len, needles)) - 1
    rest = b""
    with file.open("rb") as opened:
        while piece := opened.read(_PIECE):
            window = rest + piece
            if any(needle in window for needle in needles):
                return True
            rest = window[-overlap:] if overlap else b""
    return False


def _unpack(archive: Path, folder: Path) -> None:
    """Write the known files of an uncompressed tar into a folder; nothing else of it is looked at."""
    try:
        with tarfile.open(archive, "r:") as tar:
            for member in tar:
                name = member.name.rpartition("/")[2]
                if name not in _FILES or not member.isfile():
                    continue
                stream = tar.extractfile(member)
                if stream is None or (folder / name).exists():
                    raise Refused(Reason.INVALID, f"the archive holds {name} twice")
                with (folder / name).open("wb") as file:
                    shutil.copyfileobj(stream, file, _PIECE)
    except (tarfile.TarError, EOFError) as error:
        raise Refused(Reason.INVALID, f"this is no tar, or not the whole of it: {error}") from error
    if not (folder / layout.MANIFEST).is_file():
        raise Refused(Reason.INVALID, f"the archive holds no {layout.MANIFEST}; pack a snapshot's folder")


def _described(made: Snapshot, tests: int, mocks: int) -> dict[str, Any]:
    meta = made.manifest.get("meta")
    meta = meta if isinstance(meta, Mapping) else {}
    services = meta.get("services")
    return {
        "id": made.id,
        "name": str(meta.get("name") or ""),
        "startTime": str(meta.get("startTime") or ""),
        "endTime": str(meta.get("endTime") or ""),
        "services": [str(s) for s in services] if isinstance(services, list) else [],
        "tests": tests,
        "mocks": mocks,
    }


def _object_name(identity: str) -> str:
    return f"snapshots/{identity}.tar"


def _json(document: Mapping[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False)


def _nanoseconds(text: str | None) -> int | None:
    return None if text is None else nanoseconds(text)


def _datetime(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text.replace("Z", "+00:00").replace("z", "+00:00"))
