"""Which files are watched, and how one learns that they changed.

The folders of the files are watched, not the files: editors replace a file by rename, and a file may come later. Events
only hurry things up; what counts is a fingerprint of each file, taken again now and then, so a network file system or a
folder that was replaced (a git checkout) is noticed too, a second later.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

# Opening and reading are events too, and reading is what we do.
_CHANGES = frozenset({"created", "modified", "moved", "deleted", "closed"})

Fingerprint = tuple[int, int, int, int] | None


class Fingerprints:
    """What the files looked like the last time."""

    def __init__(self, files: Iterable[Path]) -> None:
        """Take the files; they need not exist."""
        self._files = tuple(files)
        self._seen = self._look()

    def changed(self) -> bool:
        """Return whether a file is another one than the last time, and remember it."""
        seen = self._look()
        before, self._seen = self._seen, seen
        return seen != before

    def _look(self) -> tuple[Fingerprint, ...]:
        return tuple(_fingerprint(file) for file in self._files)


def _fingerprint(file: Path) -> Fingerprint:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size


class Notifier(FileSystemEventHandler):
    """Wakes whoever waits when something happens to one of the files. Use it as a context."""

    def __init__(self, files: Iterable[Path]) -> None:
        """Take the files; folders that do not exist are left to the fingerprints."""
        self._names = {str(file.absolute()) for file in files}
        self._woken = threading.Event()
        self._observer: Any = Observer()

    def __enter__(self) -> Notifier:
        self._observer.start()
        for folder in sorted({str(Path(name).parent) for name in self._names}):
            with contextlib.suppress(OSError):  # not there, or no watches left: the fingerprints are slower, not blind
                self._observer.schedule(self, folder, recursive=False)
        return self

    def __exit__(self, *_: object) -> None:
        self._observer.stop()
        self._observer.join()

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Wake the waiting side when the event is about one of the files; called in watchdog's thread."""
        if event.event_type in _CHANGES and self._names & {str(event.src_path), str(event.dest_path)}:
            self._woken.set()

    def wait(self, seconds: float) -> bool:
        """Return True as soon as something happened, False after so many seconds in which nothing did."""
        happened = self._woken.wait(seconds)
        self._woken.clear()
        return happened
