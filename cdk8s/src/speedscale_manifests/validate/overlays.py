"""What a kustomization is: a plain list of our files, or an overlay that changes what it lists.

Called by `files`, which takes an overlay's own files for objects only where it lists them, and by `building`.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path as File

from .reading import read

NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_PLAIN = frozenset(("apiVersion", "kind", "metadata", "resources"))


@dataclass(frozen=True, slots=True)
class Kustomization:
    """A folder's kustomization. `plain`: it only lists what lies below it. `resources`: as they are written there."""

    file: File
    plain: bool
    resources: frozenset[str]

    @property
    def folder(self) -> File:
        """The folder that kustomize builds."""
        return self.file.parent

    def takes(self, name: str) -> bool:
        """Return whether a file of this very folder is an object of it, not a patch, values or a generator's input."""
        return self.plain or name in self.resources


def kustomization(folder: File) -> Kustomization | None:
    """Return the kustomization of a folder, None when it has none; one that cannot be read counts as plain."""
    for name in NAMES:
        file = folder / name
        if file.is_file():
            found = read(file.read_bytes()).documents
            return _parsed(file, found[0] if found else None)
    return None


def _parsed(file: File, document: object) -> Kustomization:
    if not isinstance(document, Mapping):
        return Kustomization(file, True, frozenset())
    listed = document.get("resources")
    resources = [str(one) for one in listed] if isinstance(listed, list) else []
    inside = all("://" not in one and not posixpath.normpath(one).startswith("..") for one in resources)
    plain = inside and set(document) <= _PLAIN
    return Kustomization(file, plain, frozenset(posixpath.normpath(one) for one in resources))
