"""The newest bytes of each container's log, on disk: two files that take turns, each half of the bound.

Owned by the follower's one thread; `logs` may be called from another when the follower has stopped or paused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

RINGS_MAX = 200
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]")


class Rings:
    """Logs below `root`, at most `limit` bytes each; `dropped` is told of bytes that newer ones took the place of."""

    def __init__(self, root: Path, limit: int, dropped: Callable[[int], None] = lambda count: None) -> None:
        self._root, self._half, self._dropped = root, max(1, limit // 2), dropped
        self._known: set[str] = set()
        root.mkdir(parents=True, exist_ok=True)

    def add(self, pod: str, container: str, text: bytes) -> bool:
        """Append to a container's log; False when there are too many containers already."""
        name = _UNSAFE.sub("_", f"{pod}_{container}")[:200]
        if name not in self._known and len(self._known) >= RINGS_MAX:
            return False
        self._known.add(name)
        old, new = self._root / f"{name}.0", self._root / f"{name}.1"
        if len(text) > self._half:
            self._dropped(len(text) - self._half)
            text = text[-self._half :]
        if new.exists() and new.stat().st_size + len(text) > self._half:
            if old.exists():
                self._dropped(old.stat().st_size)
            new.replace(old)
        with new.open("ab") as file:
            file.write(text)
        return True

    def logs(self) -> Iterator[tuple[str, bytes]]:
        """Yield `<pod>_<container>` and its text."""
        for name in sorted({path.name[:-2] for path in self._root.glob("*.[01]")}):
            parts = (self._root / f"{name}.{turn}" for turn in (0, 1))
            yield name, b"".join(part.read_bytes() for part in parts if part.exists())
