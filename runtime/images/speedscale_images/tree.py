"""A file system held in memory: what a layer of an image is made of.

Called by everything here that adds files. The bytes of `tar()` depend on names, content and modes alone: times are
zero, owners root, entries sorted, so that equal content is an equal layer. Nothing is executed and no root is needed.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

MERGED = ("bin", "lib", "lib32", "lib64", "sbin")
"""Folders of / that are links into /usr in Debian since 12: packages may still name them."""


@dataclass(frozen=True)
class Entry:
    """A file (`data`), a link (`target`) or a folder (neither)."""

    mode: int
    data: bytes | None = None
    target: str = ""

    @property
    def is_folder(self) -> bool:
        return self.data is None and not self.target


class Tree:
    """Entries by path, relative to / and without a leading slash."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}

    def __contains__(self, path: str) -> bool:
        return normal(path) in self._entries

    def __iter__(self) -> Iterator[tuple[str, Entry]]:
        """Yield entries by path, parents before what is in them."""
        return iter(sorted(self._entries.items(), key=lambda item: item[0].split("/")))

    def file(self, path: str, data: bytes, mode: int = 0o644) -> None:
        """Put a file; what was there is replaced. Set-uid bits are not taken over."""
        self._put(path, Entry(mode & 0o755, data=data))

    def folder(self, path: str, mode: int = 0o755) -> None:
        """Put a folder."""
        self._put(path, Entry(mode))

    def link(self, path: str, target: str) -> None:
        """Put a symbolic link."""
        self._put(path, Entry(0o777, target=target))

    def read(self, path: str) -> bytes:
        """Return the content of a file; KeyError when there is none."""
        data = self._entries[normal(path)].data
        if data is None:
            raise KeyError(path)
        return data

    def mode(self, path: str) -> int:
        """Return the mode of an entry; KeyError when there is none."""
        return self._entries[normal(path)].mode

    def is_folder(self, path: str) -> bool:
        """Return whether a folder is there."""
        return path in self and self._entries[normal(path)].is_folder

    def remove(self, path: str) -> None:
        """Take out an entry and all below it."""
        path = normal(path)
        for name in [name for name in self._entries if name == path or name.startswith(f"{path}/")]:
            del self._entries[name]

    def update(self, other: Tree) -> None:
        """Put all of another tree over this one."""
        self._entries.update(other._entries)

    def _put(self, path: str, entry: Entry) -> None:
        path = normal(path)
        for parent in PurePosixPath(path).parents:
            if str(parent) != ".":
                self._entries.setdefault(str(parent), Entry(0o755))
        self._entries[path] = entry

    def tar(self) -> bytes:
        """Return the layer: an uncompressed tar."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for path, entry in self:
                archive.addfile(*_member(path, entry))
        return buffer.getvalue()

    def write(self, folder: Path) -> None:
        """Write it all below `folder`, which is made; for tools that want files."""
        for path, entry in self:
            place = folder / path
            if entry.is_folder:
                place.mkdir(parents=True, exist_ok=True)
            elif entry.target:
                place.unlink(missing_ok=True)
                place.symlink_to(entry.target)
            else:
                place.unlink(missing_ok=True)
                place.write_bytes(entry.data or b"")
            if not entry.target:
                place.chmod(entry.mode)


def normal(path: str) -> str:
    """Return the path as layers have it: relative, and in /usr where / only links there.

    Raises ValueError for one that leaves the root.
    """
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if not parts or ".." in parts:
        raise ValueError(f"not a path in an image: {path!r}")
    if parts[0] in MERGED and len(parts) > 1:
        parts.insert(0, "usr")
    return "/".join(parts)


def _member(path: str, entry: Entry) -> tuple[tarfile.TarInfo, io.BytesIO | None]:
    info = tarfile.TarInfo(path)
    info.mode = entry.mode
    if entry.is_folder:
        info.type = tarfile.DIRTYPE
        return info, None
    if entry.target:
        info.type, info.linkname = tarfile.SYMTYPE, entry.target
        return info, None
    data = entry.data or b""
    info.size = len(data)
    return info, io.BytesIO(data)
