"""Recordings on disk: reading files, folders and `*.jsonl`, and writing `<root>/<host>/<ts>.md|json`.

Called by the forwarder, snapshots, responder, generator and speedctl. Reading never stops at a broken file: it
becomes an `Entry` with an error. Writing is atomic (a reader sees a whole file or none) and never replaces a file.
What a pair looks like in a file is the codecs' business, not this module's.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

from speedscale_runtime import durable
from speedscale_schemas.errors import ConfigError

from . import jsonform, markdown, names
from .model import RRPair

Format = Literal["markdown", "json", "jsonl"]
FORMATS: tuple[Format, ...] = ("markdown", "json", "jsonl")

FILE_MAX = 512 * 1024 * 1024
"""Largest file or line in bytes: two bodies of 64 MiB as text and base64 fit."""

LINES_FILE = "raw.jsonl"
_SUFFIXES = (".md", ".json", ".jsonl")
_OTHER_FOLDERS = frozenset(
    ("blueprints", "dataframes", "secrets", "testconfigs", "reports", "fix-prompts", "node_modules", "__pycache__")
)
_OTHER_FILES = frozenset(
    ("readme.md", "changelog.md", "license.md", "digest.md", "claude.md", "agents.md", "package.json")
) | frozenset(("manifest.json", "snapshot.json", "facts.json", "results.jsonl", "mocks.jsonl"))
_BUMPS_MAX = 4096


class Entry(NamedTuple):
    """What one file, or one line of a `*.jsonl`, holds: a pair, or an error that says where and what."""

    path: Path
    line: int
    pair: RRPair | None
    error: str


def read(path: Path, *, skipped: Callable[[Path, str], None] | None = None) -> Iterator[Entry]:
    """Yield the pairs of a file or of a folder and all folders in it, in the order of their names,
    that is by host and time.

    `skipped` is told of files that are no recordings by their name (README.md, blueprints/…) and why. A path that
    does not exist or cannot be read is an Entry with an error.
    """
    path = Path(path)
    if path.is_dir():
        for file in _walk(path, skipped):
            yield from _file(file)
    elif not path.exists():
        yield Entry(path, 0, None, f"{path}: no such file or folder")
    else:
        yield from _file(path)


def files(root: Path, *, skipped: Callable[[Path, str], None] | None = None) -> list[Path]:
    """Return the files that `read` would open."""
    root = Path(root)
    return list(_walk(root, skipped)) if root.is_dir() else [root]


def _walk(root: Path, skipped: Callable[[Path, str], None] | None) -> Iterator[Path]:
    def skip(path: Path, why: str) -> None:
        if skipped is not None:
            skipped(path, why)

    try:
        found = sorted(os.scandir(root), key=lambda entry: _rank(entry.name))
    except OSError as error:
        skip(root, f"cannot be listed: {error.strerror}")
        return
    whole = any(entry.name == LINES_FILE for entry in found)
    for entry in found:
        path = Path(entry.path)
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            if entry.name.lower() in _OTHER_FOLDERS:
                skip(path, "holds no recordings")
            else:
                yield from _walk(path, skipped)
        elif entry.name.lower() in _OTHER_FILES:
            skip(path, "is no recording by its name")
        elif entry.name.endswith(".jsonl") and whole and entry.name != LINES_FILE:
            skip(path, f"is derived from {LINES_FILE} beside it")
        elif entry.name.endswith(_SUFFIXES):
            yield path


def _rank(name: str) -> tuple[str, str]:
    """Sort files of one host by time: `…30.1Z` comes before `…30.12Z`, which it does not by its name."""
    stem, dot, suffix = name.rpartition(".")
    return (stem.removesuffix("Z"), suffix) if dot + suffix in _SUFFIXES else (name, "")


def _file(path: Path) -> Iterator[Entry]:
    if path.suffix == ".jsonl":
        yield from _lines(path)
        return
    try:
        size = path.stat().st_size
        if size > FILE_MAX:
            yield Entry(path, 1, None, f"{path}: {size} bytes; at most {FILE_MAX} are read")
            return
        data = path.read_bytes()
    except OSError as error:
        yield Entry(path, 0, None, f"{path}: cannot be read: {error.strerror}")
        return
    loads = jsonform.loads if looks_like_json(data) else markdown.loads
    yield _entry(path, 1, loads, data)


def looks_like_json(data: bytes) -> bool:
    """Tell JSON from Markdown by the first character; recordings are not always named as they are written."""
    return data[:64].lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"["))


def _lines(path: Path) -> Iterator[Entry]:
    try:
        with path.open("rb") as stream:
            number = 0
            while line := stream.readline(FILE_MAX + 1):
                number += 1
                if len(line) > FILE_MAX:
                    yield Entry(path, number, None, f"{path}:{number}: line over {FILE_MAX} bytes; reading stops here")
                    return
                if line.strip():
                    yield _entry(path, number, partial(jsonform.loads, line=number), line)
    except OSError as error:
        yield Entry(path, 0, None, f"{path}: cannot be read: {error.strerror}")


def _entry(path: Path, line: int, loads: Callable[[bytes, str], RRPair], data: bytes) -> Entry:
    try:
        return Entry(path, line, loads(data, str(path)), "")
    except ConfigError as error:
        return Entry(path, line, None, str(error))


class Writer:
    """Writes pairs into a recording; one writer a recording is usual, several are safe.

    `fmt` is `markdown` (protocols without a readable form become JSON files), `json`, or `jsonl` (all pairs in
    `<root>/raw.jsonl`). With `durable`, each pair is on disk (fsync) when `write` returns. Not for several threads.
    """

    def __init__(self, root: Path, fmt: Format = "markdown", *, durable: bool = False) -> None:
        if fmt not in FORMATS:
            raise ConfigError([f"format {fmt!r}: expected one of {', '.join(FORMATS)}"])
        self._root, self._format, self._durable = Path(root), fmt, durable
        self._made: set[str] = set()
        self._bumps: dict[tuple[str, str], int] = {}
        self._lines: int | None = None
        self._count = 0
        self._root.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def write(self, pair: RRPair, *, replacing: Path | None = None) -> Path:
        """Write one pair and return its file; the pair itself is not changed.

        Where the host has a file with this time stamp already, nanoseconds are added to the pair's `ts`; the file
        `replacing`, from which the pair was read, does not count, and stays as it is when it would be written
        again. Raises OSError when the disk refuses; nothing is left behind then.
        """
        if self._format == "jsonl":
            return self._append(pair)
        host = names.host(pair)
        folder = self._folder(host)
        ts = names.normal(pair.doc.get("ts"))
        key, first = (host, ts), ts or names.UNDATED
        bump = self._bumps.get(key, 0)
        while True:
            stamp = names.normal(names.later(first, bump)) if bump else first
            path = self._place(folder / names.stem(stamp), _dated(pair, stamp) if bump and ts else pair, replacing)
            bump += 1
            if path is not None:
                break
        self._bumps.pop(key, None)
        self._bumps[key] = bump
        if len(self._bumps) > _BUMPS_MAX:  # only a hint where to look next; the file system decides
            del self._bumps[next(iter(self._bumps))]
        return path

    def close(self) -> None:
        """Finish; harmless when called twice."""
        if self._lines is not None:
            os.close(self._lines)
            self._lines = None

    def _folder(self, host: str) -> Path:
        folder = self._root / host
        if host not in self._made:
            folder.mkdir(parents=True, exist_ok=True)
            if len(self._made) < _BUMPS_MAX:
                self._made.add(host)
        return folder

    def _place(self, stem: Path, pair: RRPair, replacing: Path | None) -> Path | None:
        """Write the pair to this place; None when the place is taken."""
        as_markdown = self._format == "markdown" and markdown.is_readable(pair)
        suffix, other = (".md", ".json") if as_markdown else (".json", ".md")
        final = f"{stem}{suffix}"
        mine = str(replacing) if replacing is not None else ""
        if mine == final:
            return Path(final)
        if os.path.exists(final) or (mine != f"{stem}{other}" and os.path.exists(f"{stem}{other}")):
            return None
        data = markdown.dumps(pair) if as_markdown else jsonform.dumps(pair)
        self._count += 1
        temporary = f"{stem.parent}/.{os.getpid()}-{id(self):x}-{self._count}.tmp"
        try:
            self._save(temporary, data)
            if not _publish(temporary, final):
                return None
            if self._durable:
                durable.sync(stem.parent)
            return Path(final)
        finally:
            if os.path.lexists(temporary):
                os.unlink(temporary)

    def _save(self, path: str, data: bytes) -> None:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            _write_all(fd, data)
            if self._durable:
                os.fsync(fd)
        finally:
            os.close(fd)

    def _append(self, pair: RRPair) -> Path:
        path = self._root / LINES_FILE
        if self._lines is None:
            self._lines = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            _end_line(self._lines)
        start = os.fstat(self._lines).st_size
        try:
            _write_all(self._lines, jsonform.dumps_line(pair) + b"\n")
        except OSError:
            os.ftruncate(self._lines, start)
            raise
        if self._durable:
            os.fsync(self._lines)
        return path


def _dated(pair: RRPair, ts: str) -> RRPair:
    twin = pair.shallow()
    twin.doc["ts"] = ts
    return twin


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _end_line(fd: int) -> None:
    """End a line that a crash tore off: what is appended to it would be lost with it."""
    size = os.fstat(fd).st_size
    if size and os.pread(fd, 1, size - 1) != b"\n":
        _write_all(fd, b"\n")


def _publish(temporary: str, final: str) -> bool:
    """Give a whole file its name; False when the name is taken. A link, unlike a rename, never replaces."""
    try:
        os.link(temporary, final)
    except FileExistsError:
        return False
    except OSError:  # a file system without links
        if os.path.exists(final):
            return False
        os.rename(temporary, final)
    return True
