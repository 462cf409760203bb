"""Whether a file is another one than before: its stamp. Used by what is read again while the forwarder runs."""

from __future__ import annotations

from pathlib import Path


def stamp(path: Path) -> object:
    """Return what changes when a file is written or replaced; None when it cannot be looked at."""
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_mtime_ns, status.st_size, status.st_ino)
