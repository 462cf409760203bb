"""What a spool holds, for people: counts, sizes, times and places, never what is in a pair.

Read-only, beside a running process or without one: no lock is taken and nothing is repaired. What is being written
while we look shows as the unfinished end of the last segment.
"""

from __future__ import annotations

import json
import mmap
import os
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from . import names
from .cursors import Cursors
from .records import BATCH, Damage, Position, scan


@dataclass(slots=True)
class SegmentView:
    """One segment: its records, their pairs, when they were received (ns since 1970), and bytes that are no records."""

    number: int
    file: str
    bytes: int
    records: int = 0
    pairs: int = 0
    first_ns: int = 0
    last_ns: int = 0
    damaged_bytes: int = 0
    unfinished_bytes: int = 0
    ends: list[tuple[int, int]] = field(default_factory=list, repr=False)  # end of each record, its pairs


@dataclass(frozen=True, slots=True)
class CursorView:
    """How far an exporter has come, what lies behind its place, and when that was saved (Unix seconds)."""

    exporter: str
    segment: int
    offset: int
    lag_bytes: int
    lag_pairs: int
    saved_at: float


@dataclass(frozen=True, slots=True)
class SpoolView:
    """A spool: who has it (0: nobody), its segments and its cursors, the oldest and the furthest behind first."""

    folder: str
    process: int
    segments: tuple[SegmentView, ...]
    cursors: tuple[CursorView, ...]

    def document(self) -> dict[str, Any]:
        """Return it as JSON."""
        segments = [{k: v for k, v in asdict(s).items() if k != "ends"} for s in self.segments]
        return {
            "folder": self.folder,
            "process": self.process,
            "bytes": sum(s.bytes for s in self.segments),
            "pairs": sum(s.pairs for s in self.segments),
            "segments": segments,
            "exporters": [asdict(cursor) for cursor in self.cursors],
        }


def inspect(folder: Path) -> SpoolView:
    """Return what the spool in `folder` holds; FileNotFoundError where there is none."""
    if not folder.is_dir():
        raise FileNotFoundError(str(folder))
    segments = tuple(view for file in names.find(folder) if (view := _segment(file)) is not None)
    return SpoolView(str(folder), _holder(folder), segments, _cursors(folder, segments))


def _segment(file: names.SegmentFile) -> SegmentView | None:
    """Return a segment's view; None for one that was released while we looked."""
    try:
        with file.path.open("rb") as opened:
            size = os.fstat(opened.fileno()).st_size
            view = SegmentView(file.number, file.path.name, size)
            if size:
                with mmap.mmap(opened.fileno(), size, access=mmap.ACCESS_READ) as data, memoryview(data) as bytes_:
                    _walk(view, bytes_, file.nonce)
    except FileNotFoundError:
        return None
    return view


def _walk(view: SegmentView, data: memoryview, nonce: int) -> None:
    for item in scan(data, nonce):
        if isinstance(item, Damage):
            if item.torn:
                view.unfinished_bytes += item.length
            else:
                view.damaged_bytes += item.length
            continue
        offset, header = item
        if header.magic != BATCH:
            continue
        view.records += 1
        view.pairs += header.pairs
        view.first_ns = min(view.first_ns or header.time_ns, header.time_ns)
        view.last_ns = max(view.last_ns, header.time_ns)
        view.ends.append((offset + header.size, header.pairs))


def _holder(folder: Path) -> int:
    """Return the process that has the lock; 0 where nobody has it."""
    try:
        process = int((folder / "lock").read_text("ascii").strip() or 0)
    except (OSError, ValueError):
        return 0
    return process if process and Path(f"/proc/{process}").exists() else 0


def _cursors(folder: Path, segments: tuple[SegmentView, ...]) -> tuple[CursorView, ...]:
    exporters = sorted(p.stem for p in (folder / "cursors").glob("*.json")) if (folder / "cursors").is_dir() else []
    if not exporters:
        return ()
    cursors = Cursors(folder / "cursors")
    views = []
    for name in exporters:
        at = cursors.load(name)
        size, pairs = _behind(at, segments)
        views.append(CursorView(name, at.segment, at.offset, size, pairs, cursors.saved_at(name) or 0.0))
    return tuple(sorted(views, key=lambda v: (-v.lag_bytes, v.exporter)))


def _behind(at: Position, segments: tuple[SegmentView, ...]) -> tuple[int, int]:
    size = pairs = 0
    for segment in segments:
        if segment.number < at.segment:
            continue
        offset = at.offset if segment.number == at.segment else 0
        size += max(0, segment.bytes - offset)
        pairs += sum(n for end, n in segment.ends if end > offset)
    return size, pairs


def text(view: SpoolView) -> str:
    """Return the view as lines for a terminal."""
    held = f"in use by process {view.process}" if view.process else "in use by nobody"
    lines = [f"{view.folder}, {held}"]
    lines.append(f"{'segment':>12} {'bytes':>14} {'batches':>9} {'pairs':>9}  received from … to")
    for s in view.segments:
        note = "".join(
            f"  {n:,} bytes {what}"
            for n, what in ((s.damaged_bytes, "damaged"), (s.unfinished_bytes, "unfinished"))
            if n
        )
        when = f"{_when(s.first_ns / 1e9)} … {_when(s.last_ns / 1e9)}" if s.records else "-"
        lines.append(f"{s.number:>12} {s.bytes:>14,} {s.records:>9,} {s.pairs:>9,}  {when}{note}")
    lines.append(f"{'exporter':<24} {'lag bytes':>14} {'lag pairs':>10}  at, and when it was noted")
    for c in view.cursors:
        place = f"{c.segment}:{c.offset}"
        lines.append(f"{c.exporter:<24} {c.lag_bytes:>14,} {c.lag_pairs:>10,}  {place}, {_when(c.saved_at)}")
    if not view.cursors:
        lines.append("none has begun")
    return "\n".join(lines)


def as_json(view: SpoolView) -> str:
    """Return the view as JSON text."""
    return json.dumps(view.document(), indent=2)


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
