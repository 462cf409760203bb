"""Cursors: how far each exporter has come, on disk.

Used by the exporters' runner. A cursor is replaced as a whole (write, fsync, rename), so that it is always either
the old one or the new one.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from .records import Position


class Cursors:
    """The cursors in `folder`, one small file an exporter."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def load(self, name: str) -> Position:
        """Return an exporter's place; the very beginning when it has none, or its file cannot be read."""
        try:
            doc = json.loads((self._folder / f"{name}.json").read_bytes())
            return Position(int(doc["segment"]), int(doc["offset"]))
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return Position(0, 0)

    def saved_at(self, name: str) -> float | None:
        """Return when the cursor was last saved (Unix seconds by the file system), None where there is none."""
        try:
            return (self._folder / f"{name}.json").stat().st_mtime
        except FileNotFoundError:
            return None

    def save(self, name: str, position: Position) -> None:
        """Replace an exporter's place durably; OSError when the disk is full."""
        target = self._folder / f"{name}.json"
        temporary = target.with_suffix(".tmp")
        data = json.dumps({"segment": position.segment, "offset": position.offset}).encode("ascii")
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.write(fd, data)
            os.fsync(fd)
        finally:
            os.close(fd)
        os.replace(temporary, target)
