"""A folder of files as one zstd tar, and back: written by generator and responder, read by the collector.

The same files give the same bytes. What is read comes over a network: only plain files with relative names are taken,
sizes and their number are bounded, headers have one fixed form (ustar, 512 bytes), so that no header can ask for
memory. Whatever is wrong is a PeerError, and leaves nothing that anybody reads behind (`unpack` writes into a fresh
folder that its caller renames).
"""

from __future__ import annotations

import os
import re
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

import zstandard

from speedscale_runtime import durable
from speedscale_schemas.errors import PeerError

_BLOCK = 512
_CHUNK = 1 << 20
_WINDOW_MAX = 1 << 23
"""Most memory (bytes) that a sender's compression may ask of us."""
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_DEPTH = 4


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of an archive: bytes when unpacked, files, and how many times larger than it came it may get.

    The first `slack` bytes do not count for the ratio: short repetitive texts are packed a thousand times.
    """

    total: int = 4 << 30
    files: int = 1000
    ratio: int = 500
    slack: int = 64 << 20


class Readable(Protocol):
    """What a stream has to offer."""

    def read(self, size: int = -1, /) -> bytes: ...


def pack(folder: Path, out: BinaryIO, names: Iterable[str] | None = None) -> int:
    """Write a folder's plain files (`names` of them, else all but temporary ones) and return how many there were.

    A file that is being written to is taken as long as it was when it was opened. OSError of the disk.
    """
    found = sorted(names if names is not None else _files(folder))
    writer = zstandard.ZstdCompressor(level=3).stream_writer(out, closefd=False)
    with writer, tarfile.open(fileobj=writer, mode="w|", format=tarfile.USTAR_FORMAT) as tar:
        for name in found:
            with (folder / name).open("rb") as file:
                member = tarfile.TarInfo(name)
                member.size = os.fstat(file.fileno()).st_size
                member.mode = 0o644
                tar.addfile(member, file)
    return len(found)


def unpack(source: Readable, target: Path, limits: Limits = Limits()) -> int:
    """Unpack into the empty folder `target`, each file forced to disk; return the bytes. PeerError for a bad archive.

    `source` gives the packed bytes. OSError of the disk.
    """
    reader = _Bounded(source, limits)
    seen: set[str] = set()
    while (member := _header(reader)) is not None:
        if member.isdir():
            continue
        name = _checked(member)
        if name in seen:
            raise PeerError("bad_archive", f"{name!r} is in it twice")
        seen.add(name)
        if len(seen) > limits.files:
            raise PeerError("too_large", f"more than {limits.files} files")
        _extract(reader, member.size, target / name)
    durable.sync(target)
    return reader.given


class _Bounded:
    """Unpacked bytes of a packed stream, counted against the limits as they come out."""

    def __init__(self, source: Readable, limits: Limits) -> None:
        self._packed = _Counted(source)
        unpacker = zstandard.ZstdDecompressor(max_window_size=_WINDOW_MAX)
        self._reader = unpacker.stream_reader(self._packed, read_across_frames=True)  # type: ignore[arg-type]
        self._limits, self.given = limits, 0

    def exactly(self, size: int) -> bytes:
        """Return so many bytes, fewer only at the end."""
        found = b""
        try:
            while len(found) < size and (data := self._reader.read(size - len(found))):
                found += data
        except zstandard.ZstdError as error:
            raise PeerError("bad_archive", f"no zstd: {error}") from error
        self.given += len(found)
        if self.given > self._limits.total:
            raise PeerError("too_large", f"more than {self._limits.total:,} bytes when unpacked")
        if self.given > self._limits.slack + self._limits.ratio * self._packed.count:
            raise PeerError("too_large", f"unpacks to more than {self._limits.ratio} times its size")
        return found


class _Counted:
    def __init__(self, source: Readable) -> None:
        self._source, self.count = source, 0

    def read(self, size: int = -1) -> bytes:
        data = self._source.read(size)
        self.count += len(data)
        return data


def _header(reader: _Bounded) -> tarfile.TarInfo | None:
    """Return the next file's header; None at the archive's end. A missing end is a broken transfer."""
    block = reader.exactly(_BLOCK)
    if len(block) == _BLOCK and not block.strip(b"\0"):
        return None
    try:
        member = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
    except (tarfile.HeaderError, UnicodeDecodeError) as error:
        raise PeerError("bad_archive", f"no tar, or not the whole of it: {error}") from error
    if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE):
        raise PeerError("bad_archive", f"{member.name!r} is no plain file")
    return member


def _checked(member: tarfile.TarInfo) -> str:
    parts = member.name.split("/")
    if len(parts) > _DEPTH or not all(_NAME.fullmatch(part) for part in parts):
        raise PeerError("bad_archive", f"{member.name[:200]!r}: expected a relative path of plain names")
    if member.size < 0:
        raise PeerError("bad_archive", f"{member.name!r} has a size below zero")
    return member.name


def _extract(reader: _Bounded, size: int, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("xb")
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise PeerError("bad_archive", f"{path.name!r} is a file and a folder") from error
    with file:
        left = size
        while left:
            data = reader.exactly(min(left, _CHUNK))
            if not data:
                raise PeerError("bad_archive", f"{path.name!r} breaks off")
            file.write(data)
            left -= len(data)
        if size % _BLOCK:
            reader.exactly(_BLOCK - size % _BLOCK)
        file.flush()
        os.fsync(file.fileno())
    durable.sync(path.parent)


def _files(folder: Path) -> list[str]:
    """Return what is worth sending: no hidden files, no halves (`*.new`, `*.part0`)."""
    paths = (p for p in folder.rglob("*") if p.is_file() and not p.is_symlink())
    names = (p.relative_to(folder).as_posix() for p in paths)
    return [n for n in names if all(_NAME.fullmatch(part) for part in n.split("/")) and not _half(n)]


def _half(name: str) -> bool:
    return re.search(r"\.(new|tmp|part\d*)$", name) is not None
