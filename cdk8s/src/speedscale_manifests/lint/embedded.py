"""Patches inside other documents: kustomize's inline patches, and JSON patches (RFC 6902) wherever they stand.

Called by `engine`. Pure. Each patch becomes a document of its own, with the lines of the file it stands in, so that
every check sees it; it is judged for what stands in it only. The same keys are used by kustomizations, by Argo CD's
Applications and by Flux' Kustomizations.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .documents import read
from .model import Document, Path, Place
from .scan import text

_WITH_TARGET = ("patches", "patchesJson6902")
_BARE = "patchesStrategicMerge"
_SETTING = ("add", "replace")


def inside(document: Document) -> Iterator[Document]:
    """Yield the patches in a document; each operation of a JSON patch is one that holds what it sets."""
    yield from _operations(document)
    for path, inner in _inline(document):
        first_line = document.place(path)[0]
        for found in read(inner, document.source)[0]:
            shifted = Document(
                document.source,
                found.value,
                {key: (line + first_line, column) for key, (line, column) in found.places.items()},
                tuple((key, (line + first_line, column)) for key, (line, column) in found.duplicates),
                partial=True,
            )
            if isinstance(found.value, list):
                yield from _operations(shifted)
            else:
                yield shifted


def _inline(document: Document) -> Iterator[tuple[Path, str]]:
    stack: list[tuple[Path, Any]] = [((), document.value)]
    while stack:
        path, value = stack.pop()
        if isinstance(value, list):
            stack += [((*path, index), item) for index, item in reversed(list(enumerate(value)))]
        elif isinstance(value, dict):
            yield from _texts(path, value)
            stack += [((*path, key), inner) for key, inner in reversed(value.items())]


def _texts(path: Path, value: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    for key in _WITH_TARGET:
        items = value.get(key)
        for index, item in enumerate(items if isinstance(items, list) else []):
            found = text(item.get("patch")) if isinstance(item, dict) else ""
            if "\n" in found:
                yield (*path, key, index, "patch"), found
    items = value.get(_BARE)
    for index, item in enumerate(items if isinstance(items, list) else []):
        if "\n" in text(item):
            yield (*path, _BARE, index), item


def _operations(document: Document) -> Iterator[Document]:
    if not isinstance(document.value, list):
        return
    for index, operation in enumerate(document.value):
        if not isinstance(operation, dict) or operation.get("op") not in _SETTING or "value" not in operation:
            continue
        pointer = text(operation.get("path"))
        if pointer.startswith("/"):
            parts = [part.replace("~1", "/").replace("~0", "~") for part in pointer[1:].split("/")]
            yield _nested(document, parts, operation["value"], document.place((index, "value")))


def _nested(document: Document, parts: list[str], value: Any, place: Place) -> Document:
    """Return a document that holds one value under a path; all of it stands at one place."""
    for part in reversed(parts[:64]):
        value = {part: value}
    return Document(document.source, value, {(): place}, partial=True)
