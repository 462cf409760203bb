"""The exporter `files`: a recording, one file a pair (or one `raw.jsonl`), as speedctl and its readers know it.

Writing happens in a thread of its own, and is on disk when a hand-over is done. A restart leaves no duplicates: the
cursor is saved after each hand-over, so at most the last one can come again; its pairs are told by the uuids in files
written since the cursor was saved.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

import structlog

from speedscale_runtime.forwarder.exporter_specs import ExporterSpec, Files
from speedscale_runtime.rrpair import recording
from speedscale_schemas.errors import TransientError

from .base import Handover, Item, Sent

log = structlog.get_logger()

_CLOCK_SLACK_S = 2.0  # file systems round times


class FilesExporter:
    """Writes a recording as its options say; `since` bounds the search for what was written already."""

    handover = Handover()

    def __init__(self, spec: ExporterSpec, since: float) -> None:
        assert isinstance(spec.options, Files)
        options = spec.options
        self.max_pairs_per_s = options.max_pairs_per_s
        self._root, self._format, self._since = options.path, options.format, since
        self._thread = ThreadPoolExecutor(1, f"export-{spec.name}")
        self._writer: recording.Writer | None = None
        self._before: set[str] = set()  # of an earlier process, and bounded by what it wrote after its last cursor
        self._partial: set[str] = set()  # of a hand-over that broke off in the middle and comes again

    async def send(self, items: Sequence[Item]) -> Sent:
        """Write the items' files; TransientError `disk` when the disk refuses."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._write, items)
        except OSError as error:
            raise TransientError(f"disk: {error.strerror or error}", 2.0) from error

    async def close(self) -> None:
        """Close the recording."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown()

    def _write(self, items: Sequence[Item]) -> Sent:
        if self._writer is None:
            self._before = _uuids(self._root, self._since - _CLOCK_SLACK_S)
            self._writer = recording.Writer(self._root, cast(recording.Format, self._format))
        written = 0
        events: Counter[str] = Counter()
        for item in items:
            uuid = str(item.pair.doc.get("uuid") or "")
            if uuid in self._before or uuid in self._partial:
                events["deduplicated"] += 1
                continue
            try:
                self._writer.write(item.pair)
            except OSError:
                raise
            except Exception as error:  # a pair that cannot be written down must not hold up the others
                log.warning("pair_not_written", cause=type(error).__name__)
                events["rejected"] += 1
                continue
            written += 1
            self._partial.add(uuid)
        _flush(self._root)
        self._partial.clear()
        return Sent(written, events)

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()


def _flush(folder: Path) -> None:
    """Put everything written to the folder's file system on disk: the spool gives a pair up after this, not before.

    One call for a whole hand-over; an fsync for each small file would cost a hundred times as much (syncfs(2)).
    """
    syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if syncfs is None:
        os.sync()
        return
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if syncfs(fd) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    finally:
        os.close(fd)


def _uuids(root: Path, since: float) -> set[str]:
    """Return the uuids of pairs in files that were written at `since` (Unix seconds) or later."""
    return {str(e.pair.doc.get("uuid") or "") for f in _recent(root, since) for e in recording.read(f) if e.pair}


def _recent(root: Path, since: float) -> Iterator[Path]:
    if not root.is_dir():
        return
    for path in recording.files(root):
        try:
            if path.stat().st_mtime >= since:
                yield path
        except FileNotFoundError:
            continue
