"""What pods have brought, on disk: one folder a part, whole and durable before it is acknowledged.

    <root>/parts/generator-0/     results.jsonl, …         (what the tar held)
           parts/responder-<pod>/ mocks.jsonl, …
           incoming/              what is being received

A part that comes again takes the place of the former, which is there until then. The bound is on everything together;
what does not fit is refused, and what is there stays. Blocking: the server calls it in a thread.
"""

from __future__ import annotations

import re
import shutil
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from speedscale_runtime import durable
from speedscale_runtime.delivery import archive
from speedscale_schemas.errors import PeerError

from .refusals import Reason, Refused

_POD = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
PARTS_MAX = 200
FILES_MAX = 200
_FORMER = "~"
"""End of a folder's name while another takes its place; no name of a pod has it."""


@dataclass(frozen=True, slots=True)
class Part:
    """What one pod has brought; `at` is when, on the store's clock."""

    name: str
    folder: Path
    at: float
    size: int


class Store:
    """Parts below `root`, `limit` bytes of them together. `clock` is monotonic; parts of before count as just come."""

    def __init__(self, root: Path, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._root, self._limit, self._clock = root, limit, clock
        self._parts_dir, self._incoming = root / "parts", root / "incoming"
        shutil.rmtree(self._incoming, ignore_errors=True)
        for folder in (self._parts_dir, self._incoming):
            folder.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        for old in self._parts_dir.glob(f"*{_FORMER}"):  # we were killed between two renames
            place = old.with_name(old.name.removesuffix(_FORMER))
            if place.exists():
                shutil.rmtree(old)
            else:
                old.rename(place)
        found = sorted(p for p in self._parts_dir.iterdir() if p.is_dir())
        self._parts = {p.name: Part(p.name, p, clock(), _size(p)) for p in found}

    @property
    def size(self) -> int:
        """Bytes of all parts."""
        return sum(part.size for part in list(self._parts.values()))

    def part(self, name: str) -> Part | None:
        """Return what a pod has brought, None while it has not."""
        return self._parts.get(name)

    def parts(self, kind: str) -> list[Part]:
        """Return all parts of a kind (`generator`, `responder`), generators in the order of their indices."""
        found = [part for name, part in sorted(self._parts.items()) if name.startswith(f"{kind}-")]
        return sorted(found, key=lambda part: _index(part.name)) if kind == "generator" else found

    def room(self, name: str) -> int:
        """Return how many bytes this part may have; Refused where there are too many parts already."""
        mine = self._parts.get(name)
        if mine is None and len(self._parts) >= PARTS_MAX:
            raise Refused(Reason.FULL, f"{PARTS_MAX} pods have brought results already")
        return self._limit - self.size + (mine.size if mine else 0)

    def receive(self) -> Path:
        """Return a path for what is being received; whoever asks removes it."""
        return self._incoming / uuid.uuid4().hex

    def keep(self, name: str, packed: Path) -> Part:
        """Unpack what was received, force it to disk and put it in place. Refused where it cannot be taken."""
        folder = self.receive()
        folder.mkdir()
        try:
            limits = archive.Limits(total=self.room(name), files=FILES_MAX)
            with packed.open("rb") as source:
                archive.unpack(source, folder, limits)
            return self._put(name, folder)
        except PeerError as error:
            reason = Reason.TOO_LARGE if error.reason == "too_large" else Reason.BAD_ARCHIVE
            raise Refused(reason, str(error)) from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _put(self, name: str, folder: Path) -> Part:
        size, place, old = _size(folder), self._parts_dir / name, self._parts_dir / f"{name}{_FORMER}"
        with self._lock:
            if self.room(name) < size:
                raise Refused(Reason.FULL, f"all results together would be more than {self._limit:,} bytes")
            if place.exists():
                place.rename(old)
            folder.rename(place)
            durable.sync(self._parts_dir)
            shutil.rmtree(old, ignore_errors=True)
            part = Part(name, place, self._clock(), size)
            self._parts = {**self._parts, name: part}
        return part


def part_name(kind: str, who: str) -> str:
    """Return the name of a part; Refused where a pod's name or index is none."""
    good = who.isascii() and who.isdigit() and len(who) <= 4 if kind == "generator" else bool(_POD.fullmatch(who))
    if not good:
        raise Refused(Reason.MALFORMED, f"{who[:100]!r} is no {'index' if kind == 'generator' else 'name'} of a pod")
    return f"{kind}-{int(who) if kind == 'generator' else who}"


def _index(name: str) -> int:
    return int(name.rpartition("-")[2])


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
