"""Files on disk as the synthesis wants them: writes what changed, deletes what is stale, leaves the rest alone.

Called by `synth`, `watch` and the verb. Invariants:

- Nothing is written, replaced or deleted that is not in the index with the very bytes that lie there. A foreign file
  in the way, or one of ours that someone edited, refuses the whole write before anything is touched; a stale file
  that someone edited is kept and named.
- A file is replaced by rename, so a reader sees the old bytes or the new. The index with what is about to come is
  written first and the final one last: a writer that dies leaves nothing that the next run takes for foreign.
- A file whose bytes are right is not touched, its times stay.
- One writer a folder at a time: a lock on the folder itself, which leaves no file behind.

What the files hold must not be known here.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from speedscale_schemas.errors import ConfigError

from .index import Index, digest
from .paths import INDEX, TEMPORARY, check


@dataclass(frozen=True, slots=True)
class Changes:
    """What a write did, by path, sorted. `kept` are stale files that were edited since we wrote them."""

    written: tuple[str, ...]
    unchanged: tuple[str, ...]
    deleted: tuple[str, ...]
    kept: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.written or self.deleted)


class Writer:
    """Writes into one folder."""

    def __init__(self, root: Path | str) -> None:
        """Take the folder; it is made at the first write."""
        self.root = Path(root)

    def write(self, files: Mapping[str, bytes]) -> Changes:
        """Make the folder hold these files (relative path with `/` → bytes) of ours, and no other of ours.

        Raises ConfigError, before anything is touched, with every path that is unsafe, foreign or edited.
        """
        check(files)
        if self.root.exists() and not self.root.is_dir():
            raise ConfigError([f"{self.root}: is no folder; choose another one to write into"])
        self.root.mkdir(parents=True, exist_ok=True)
        with _locked(self.root):
            index = self._index()
            plan = self._plan(index, files)
            self._apply(index, plan, files)
        return plan

    def _index(self) -> Index:
        path = self.root / INDEX
        if path.is_symlink():
            raise ConfigError([f"{path}: is a link; the index must be a file"])
        return Index.parse(path.read_bytes(), str(path)) if path.exists() else Index()

    def _plan(self, index: Index, files: Mapping[str, bytes]) -> Changes:
        written: list[str] = []
        unchanged: list[str] = []
        deleted: list[str] = []
        kept: list[str] = []
        problems: list[str] = []
        for path in sorted({*files, *index.paths()}):
            obstacle = self._obstacle(path)
            if obstacle:
                problems.append(obstacle)
                continue
            found = self._read(path)
            wanted = files.get(path)
            if wanted is None:
                if found is not None:
                    (deleted if index.wrote(path, found) else kept).append(path)
            elif found == wanted:
                unchanged.append(path)
            elif found is None or index.wrote(path, found):
                written.append(path)
            else:
                problems.append(f"{self.root / path}: {_foreign(index, path)}")
        if problems:
            raise ConfigError(problems)
        return Changes(tuple(written), tuple(unchanged), tuple(deleted), tuple(kept))

    def _apply(self, index: Index, plan: Changes, files: Mapping[str, bytes]) -> None:
        fresh = {path: files[path] for path in plan.written}
        if fresh:
            self._replace(INDEX, index.intending(fresh).text())
        for path, content in fresh.items():
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            self._replace(path, content)
        for path in plan.deleted:
            (self.root / path).unlink()
            self._remove_empty(Path(path).parent)
        ours = {path: digest(files[path]) for path in (*plan.written, *plan.unchanged)}
        kept = {path: index.files[path] for path in plan.kept if path in index.files}
        left = {path: index.pending[path] for path in plan.kept if path in index.pending}
        final = Index({**ours, **kept}, left).text()
        if not self._holds(INDEX, final):
            self._replace(INDEX, final)
        (self.root / TEMPORARY).unlink(missing_ok=True)

    def _obstacle(self, path: str) -> str:
        """Return what stands in the way of a path: a link, a folder where a file belongs, or the reverse."""
        parts = path.split("/")
        place = self.root
        for part in parts[:-1]:
            place /= part
            if place.is_symlink():
                return f"{place}: is a link, which may lead out of the folder; replace it by a folder"
            if place.exists() and not place.is_dir():
                return f"{place}: is a file where a folder belongs; it is not ours, move it away"
        place /= parts[-1]
        if place.is_symlink():
            return f"{place}: is a link; it is not ours, move it away"
        if place.exists() and not place.is_file():
            return f"{place}: is no file; it is not ours, move it away"
        return ""

    def _read(self, path: str) -> bytes | None:
        try:
            return (self.root / path).read_bytes()
        except FileNotFoundError:
            return None

    def _holds(self, path: str, content: bytes) -> bool:
        return self._read(path) == content

    def _replace(self, path: str, content: bytes) -> None:
        temporary = self.root / TEMPORARY
        temporary.unlink(missing_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        os.replace(temporary, self.root / path)

    def _remove_empty(self, folder: Path) -> None:
        """Remove a folder that a deletion left empty, and those above it below the root."""
        while folder.parts:
            try:
                (self.root / folder).rmdir()
            except OSError:
                return
            folder = folder.parent


def _foreign(index: Index, path: str) -> str:
    if index.owns(path):
        return "was edited after it was written; put the change into the values, or delete the file to have it back"
    return "was not written by this synthesis; move it away, or choose another folder"


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder for one writer; a second one waits."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with contextlib.suppress(OSError):  # a file system without locks: then it is the user who must not write twice
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
