"""What was built before: layers by the hash of what they were made from, outside the clone.

Called by `build`. A layer is two files: the compressed tar, and a JSON file of its digests, sizes and contents. Both
appear by rename, so that an interrupted build leaves nothing that counts. What was not used for `KEEP_DAYS` is removed.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from fcntl import LOCK_EX, flock
from pathlib import Path
from typing import Any

from . import elf
from .tree import Tree

KEEP_DAYS = 21
FORMAT = "2"
"""Part of every key: changes with what is written here."""
_LEVEL = 6  # of gzip: 9 costs three times as long for two per cent


Item = tuple[str, str, str, str]
"""What a layer holds: (deb, pypi or own; name; version; licence, or of a Debian package its architecture)."""


@dataclass(frozen=True)
class Layer:
    """A layer of an image: `blob` holds it compressed."""

    name: str
    blob: Path
    digest: str
    diff_id: str
    size: int
    unpacked: int
    packages: tuple[Item, ...]
    programs: tuple[str, ...]
    """Names of executable files, for what must not be in an image."""
    libraries: tuple[str, ...]
    """Names of shared libraries in it."""
    needs: tuple[str, ...]
    """Names of shared libraries that its programs and libraries are linked with."""


@dataclass
class Made:
    """A new layer's content."""

    tree: Tree
    packages: list[Item]


def folder() -> Path:
    """Return our folder in the user's cache."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "speedscale" / "images"


def key(*parts: Any) -> str:
    """Return a name for what is made from these parts, which JSON can hold."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


class Cache:
    """Layers in a folder; each is made by one process at a time, and the others wait for it."""

    def __init__(self, place: Path) -> None:
        self.place = place
        (place / "layers").mkdir(parents=True, exist_ok=True)

    @contextmanager
    def locked(self, name: str) -> Iterator[None]:
        """Hold what `name` names (a layer, the packages) alone among builds with this cache."""
        (self.place / "locks").mkdir(exist_ok=True)
        with (self.place / "locks" / name).open("w") as file:
            flock(file, LOCK_EX)
            yield

    def layer(self, name: str, inputs: str, make: Callable[[], Made]) -> Layer:
        """Return the layer made from `inputs` (a `key`), making it when it is not there."""
        described = self.place / "layers" / f"{name}-{inputs}.json"
        blob = described.with_suffix(".tar.gz")
        with self.locked(name):
            if not (described.is_file() and blob.is_file()):
                self._make(name, described, blob, make())
            for path in (described, blob):
                os.utime(path)
        values = json.loads(described.read_text("utf-8"))
        lists = {name: tuple(values[name]) for name in ("programs", "libraries", "needs")}
        return Layer(**{**values, **lists, "packages": tuple(tuple(p) for p in values["packages"])}, blob=blob)

    def _make(self, name: str, described: Path, blob: Path, made: Made) -> None:
        tar = made.tree.tar()
        packed = gzip.compress(tar, _LEVEL, mtime=0)
        content = {path.rpartition("/")[2]: entry for path, entry in made.tree if not entry.is_folder}
        layer = Layer(
            name=name,
            blob=blob,
            digest=_digest(packed),
            diff_id=_digest(tar),
            size=len(packed),
            unpacked=sum(len(entry.data or b"") for _, entry in made.tree),
            packages=tuple(sorted(made.packages)),
            programs=tuple(sorted(path.rpartition("/")[2] for path, _ in made.tree if "bin" in path.split("/")[:-1])),
            libraries=tuple(sorted(file for file in content if ".so" in file)),
            needs=tuple(sorted({need for _, entry in made.tree for need in elf.needs(entry.data or b"")})),
        )
        _write(blob, packed)
        values = {k: v for k, v in asdict(layer).items() if k != "blob"}
        _write(described, (json.dumps(values, indent=1, sort_keys=True) + "\n").encode())

    def prune(self, now: float | None = None) -> None:
        """Remove layers that no build asked for in `KEEP_DAYS`."""
        limit = (time.time() if now is None else now) - KEEP_DAYS * 86400
        for path in (self.place / "layers").iterdir():
            if path.stat().st_mtime < limit:
                path.unlink()


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _write(path: Path, data: bytes) -> None:
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    temporary.write_bytes(data)
    temporary.replace(path)
