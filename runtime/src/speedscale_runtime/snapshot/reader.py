"""Read a snapshot: a directory, a tar of one, or a plain recording, all through one class.

Called by responder, generator, report and speedctl through `open`. Pairs are streamed, never held. Reading changes
nothing; a broken line in a snapshot is an error, since a snapshot is whole or worthless, while a broken file in a
recording is skipped and listed.
"""

from __future__ import annotations

import builtins
import hashlib
import tarfile
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import orjson

from speedscale_runtime.rrpair import RRPair, jsonform, recording
from speedscale_runtime.rrpair.recording import Entry
from speedscale_schemas.errors import ConfigError
from speedscale_schemas.validation import nearest

from . import layout
from .selection import Skip, begun_ns, unusable


class Snapshot:
    """What every source offers; `tests` and `mocks` come in the order of their beginning."""

    path: Path
    immutable = True

    @property
    def id(self) -> str:
        """The content's id (UUIDv5)."""
        raise NotImplementedError

    @property
    def manifest(self) -> Mapping[str, Any]:
        """The manifest (`snapshot.json`); of a recording, what is known of it."""
        raise NotImplementedError

    @property
    def transforms(self) -> Mapping[str, Any]:
        """The transform set that came with it (`tokenizerConfig`); empty where there is none."""
        found = self.manifest.get("tokenizerConfig")
        return found if isinstance(found, dict) else {}

    def pairs(self) -> Iterator[RRPair]:
        """Yield every pair."""
        raise NotImplementedError

    def tests(self) -> Iterator[RRPair]:
        """Yield the answered pairs that came in."""
        raise NotImplementedError

    def mocks(self, *, ordered: bool = True) -> Iterator[RRPair]:
        """Yield the answered pairs that went out; not `ordered`, in whatever order takes the least memory."""
        raise NotImplementedError

    def skipped(self) -> list[Mapping[str, Any]]:
        """Return what is neither test nor mock: reason, file, uuid, detail."""
        raise NotImplementedError

    def verify(self) -> None:
        """Raise ConfigError when the content is not what the id was made of; a recording may change and never does."""


class _Files(Snapshot):
    """A snapshot whose files are asked for by name."""

    def _lines(self, name: str) -> Iterator[bytes]:
        raise NotImplementedError

    @cached_property
    def manifest(self) -> Mapping[str, Any]:
        data = b"".join(self._lines(layout.MANIFEST))
        try:
            loaded = orjson.loads(data)
        except orjson.JSONDecodeError as error:
            raise ConfigError([f"{self.path}: {layout.MANIFEST}: no JSON: {error}"]) from error
        if not isinstance(loaded, dict):
            raise ConfigError([f"{self.path}: {layout.MANIFEST}: expected an object"])
        return loaded

    @property
    def id(self) -> str:
        return str(self.manifest.get("id") or "")

    def verify(self) -> None:
        found = layout.identity(self.manifest, {name: self._sha256(name) for name in layout.DATA_FILES})
        if found != self.id:
            raise ConfigError([f"{self.path}: content has the id {found}, the manifest says {self.id}: it was changed"])

    def _sha256(self, name: str) -> bytes:
        total = hashlib.sha256()
        for line in self._lines(name):
            total.update(line)
        return total.digest()

    def _pairs(self, name: str) -> Iterator[RRPair]:
        for number, line in enumerate(self._lines(name), 1):
            if line.strip():
                yield jsonform.loads(line, f"{self.path}: {name}:{number}")

    def pairs(self) -> Iterator[RRPair]:
        return self._pairs(layout.RAW)

    def tests(self) -> Iterator[RRPair]:
        return self._pairs(layout.TESTS)

    def mocks(self, *, ordered: bool = True) -> Iterator[RRPair]:
        return self._pairs(layout.MOCKS)

    def skipped(self) -> list[Mapping[str, Any]]:
        try:
            return [orjson.loads(line) for line in self._lines(layout.SKIPPED) if line.strip()]
        except ConfigError:
            return []


class _Directory(_Files):
    def __init__(self, path: Path) -> None:
        self.path = path

    def _lines(self, name: str) -> Iterator[bytes]:
        try:
            with builtins.open(self.path / name, "rb") as file:
                yield from file
        except FileNotFoundError as error:
            raise ConfigError([f"{self.path}: {name} is missing; this is no whole snapshot"]) from error


class _Tar(_Files):
    """A tar, gzipped or not, of one snapshot directory; nothing is unpacked to disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with tarfile.open(path) as tar:
                names = {PurePosixPath(m.name).name: m.name for m in tar.getmembers() if m.isfile()}
        except (tarfile.TarError, OSError) as error:
            raise ConfigError([f"{path}: no readable tar: {error}"]) from error
        self._names = names
        if layout.MANIFEST not in names:
            raise ConfigError([f"{path}: the tar holds no {layout.MANIFEST}; pack a snapshot directory"])

    def _lines(self, name: str) -> Iterator[bytes]:
        if name not in self._names:
            raise ConfigError([f"{self.path}: {name} is missing; this is no whole snapshot"])
        with tarfile.open(self.path) as tar:
            member = tar.extractfile(self._names[name])
            if member is not None:
                yield from member


class _Recording(Snapshot):
    """A plain recording: tests and mocks are told apart by direction, sorted by their beginning."""

    immutable = False

    def __init__(self, path: Path) -> None:
        self.path = path
        self._skipped: list[Mapping[str, Any]] | None = None

    @cached_property
    def id(self) -> str:
        return layout.recording_identity(recording.files(self.path))

    @cached_property
    def _metadata(self) -> dict[str, Any]:
        """What another tool left beside the pairs."""
        try:
            loaded = orjson.loads((self.path / ".metadata" / layout.MANIFEST).read_bytes())
        except (OSError, orjson.JSONDecodeError):
            return {}
        return loaded if isinstance(loaded, dict) else {}

    @property
    def transforms(self) -> Mapping[str, Any]:
        found = self._metadata.get("tokenizerConfig")
        return found if isinstance(found, dict) else {}

    @cached_property
    def manifest(self) -> Mapping[str, Any]:
        services = sorted({str(p.doc.get("service") or p.doc.get("resource") or "") for p in self.pairs()})
        return {"id": self.id, "meta": {"name": self.path.name, "services": services}, **self._metadata}

    def pairs(self) -> Iterator[RRPair]:
        return (entry.pair for entry in recording.read(self.path) if entry.pair is not None)

    def tests(self) -> Iterator[RRPair]:
        return self._sorted("IN")

    def mocks(self, *, ordered: bool = True) -> Iterator[RRPair]:
        return self._sorted("OUT") if ordered else self._usable("OUT")

    def skipped(self) -> list[Mapping[str, Any]]:
        if self._skipped is None:
            for _ in self._usable(""):
                pass
        return self._skipped or []

    def _usable(self, direction: str) -> Iterator[RRPair]:
        """Yield one direction's pairs as they are read, and take note of what is none."""
        skipped: list[Mapping[str, Any]] = []
        for entry in recording.read(self.path):
            why = _why(entry)
            if why is not None:
                uuid = entry.pair.doc.get("uuid") if entry.pair else None
                skipped.append({"reason": why.value, "file": entry.path.name, "uuid": uuid, "detail": entry.error})
            elif entry.pair is not None and entry.pair.direction == direction:
                yield entry.pair
        self._skipped = skipped

    def _sorted(self, direction: str) -> Iterator[RRPair]:
        """Yield one direction's pairs in order. They wait as frames, which take a tenth of the room."""
        waiting = [(begun_ns(p) or 0, n, p.to_frame()) for n, p in enumerate(self._usable(direction))]
        waiting.sort(key=lambda item: item[:2], reverse=True)
        while waiting:
            yield RRPair.from_frame(waiting.pop()[2])


def _why(entry: Entry) -> Skip | None:
    if entry.pair is None:
        return Skip.BROKEN
    return Skip.NO_TIME if begun_ns(entry.pair) is None else unusable(entry.pair)


def open(path: Path) -> Snapshot:
    """Open a snapshot directory, a tar of one, or a recording (directory, file or `*.jsonl`).

    ConfigError where there is nothing at `path`.
    """
    if path.is_dir():
        return _Directory(path) if (path / layout.MANIFEST).is_file() else _Recording(path)
    if not path.exists():
        raise ConfigError([f"{path}: no such file or directory"])
    return _Tar(path) if path.name.endswith((".tar", ".tar.gz", ".tgz")) else _Recording(path)


def resolve(reference: str, home: Path) -> Path:
    """Return the path that a user's reference means: a path, or the id of a snapshot under `home`.

    ConfigError names the nearest ids.
    """
    path = Path(reference).expanduser()
    if path.exists():
        return path
    shelf = layout.snapshots_home(home)
    if (shelf / reference).is_dir() and "/" not in reference:
        return shelf / reference
    known = sorted(p.name for p in shelf.iterdir() if p.is_dir()) if shelf.is_dir() else []
    near = [k for k in known if k.startswith(reference)] or nearest(reference, known)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise ConfigError([f"{reference}: neither a file or directory nor a snapshot under {shelf}{hint}"])
