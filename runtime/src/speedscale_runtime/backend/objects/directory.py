"""Objects as files in a folder. Only whole files have their name, and are on disk when they have it."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from speedscale_runtime import durable

from .base import Missing, Unavailable

_HALF = ".half"


class Directory:
    """The folder `root`, made if absent."""

    def __init__(self, root: Path) -> None:
        self._root = root
        root.mkdir(parents=True, exist_ok=True, mode=0o700)

    def put(self, name: str, file: Path) -> None:
        """Take a file in: a rename where it lies on the same disk."""
        target = self._root / name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            half = target.with_name(target.name + _HALF)
            try:
                os.replace(file, half)
            except OSError:  # of another file system
                shutil.copyfile(file, half)
                file.unlink(missing_ok=True)
            durable.sync(half)
            os.replace(half, target)
            for folder in (target.parent, *list(target.parents)[1 : len(Path(name).parts)]):
                durable.sync(folder)
        except OSError as error:
            raise Unavailable(f"{name}: {error.strerror}") from error

    @contextlib.contextmanager
    def borrow(self, name: str) -> Iterator[Path]:
        """Give the file itself."""
        path = self._root / name
        if not path.is_file():
            raise Missing(name)
        yield path

    def delete(self, name: str) -> None:
        """Delete the file, and folders that are empty then."""
        path = self._root / name
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise Unavailable(f"{name}: {error.strerror}") from error
        with contextlib.suppress(OSError):
            for folder in list(path.parents)[: len(Path(name).parts) - 1]:
                folder.rmdir()

    def names(self, prefix: str) -> Iterator[str]:
        """Yield whole objects; halves that a crash left are cleared away."""
        folder = self._root / prefix
        for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
            if not path.is_file():
                continue
            if path.name.endswith(_HALF):
                path.unlink(missing_ok=True)
                continue
            yield path.relative_to(self._root).as_posix()
