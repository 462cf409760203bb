"""What an object store is, and how it fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol


class Missing(Exception):
    """There is no object of this name."""


class Unavailable(Exception):
    """The store cannot be asked, or has no room; the message names no credentials."""


class ObjectStore(Protocol):
    """Objects by name; every method may raise Unavailable."""

    def put(self, name: str, file: Path) -> None:
        """Take a file in, and away from where it was; durable on return. An object of that name is replaced."""

    def borrow(self, name: str) -> AbstractContextManager[Path]:
        """Give a file with the object's bytes, to be read inside the context only; Missing where there is none."""

    def delete(self, name: str) -> None:
        """Delete the object; nothing happens where there is none."""

    def names(self, prefix: str) -> Iterator[str]:
        """Yield the names below a prefix (a folder's, with its slash)."""
