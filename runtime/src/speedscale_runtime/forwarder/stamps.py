"""Whether a file is another one than before: its stamp. Used by what is read again while the forwarder runs."""

from __future__ import annotations

from pathlib import Path


def stamp(path: Path) -> object:
    """Return what changes when a file is written or replaced; None when it cannot be looked at.

    For a folder (a mounted Secret) that of each file in it: a file may be written in place, without the folder's time.
    """
    try:
        if path.is_dir():
            return tuple((entry.name, _status(entry)) for entry in sorted(path.iterdir()) if entry.is_file())
        return _status(path)
    except OSError:
        return None


def _status(path: Path) -> tuple[int, ...]:
    status = path.stat()
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino, status.st_dev
