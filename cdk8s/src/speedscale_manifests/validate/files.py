"""Folders and files → documents with places, and what is wrong with the files themselves: the step `files`.

Called by `run`. Reads the disk, nothing else does in this package but the values' own reader. In a folder each file
holds one object, as our writer leaves it; a file that the user names may hold several.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path as File
from typing import Any

from speedscale_manifests.objects import prune
from speedscale_schemas.errors import ConfigError
from speedscale_schemas.wording import Problem, path_text

from .findings import Found, Path, Step, named
from .overlays import NAMES, Kustomization, kustomization
from .reading import line_of, read

NAME = "files"
TITLE = "files are YAML, one object each"
_SUFFIXES = (".yaml", ".yml", ".json")
_LIMIT = 16 * 1024 * 1024
"""Bytes of one file that are read; a larger one is refused."""


@dataclass(frozen=True, slots=True)
class Document:
    """One object: the file it stands in, its chart (the folder below the root), and the line of each of its values."""

    file: str
    manifest: dict[str, Any]
    lines: Mapping[Path, int] = field(default_factory=dict, repr=False)
    chart: str = ""

    def found(self, step: str, parts: Path, reason: str, *, path: str = "", warning: bool = False) -> Found:
        """Return a problem at a path of this object; `path` is said in the place of `parts` when it is given."""
        line = line_of(self.lines, parts) if self.lines else 0
        return Found(step, self.file, line, named(self.manifest), path or path_text(parts), reason, warning)

    def told(self, step: str, problem: Problem, version: str = "") -> Found:
        """Return a schema's problem at its place."""
        value = f"{problem.value}: " if problem.value else ""
        hint = f"; {problem.hint}" if problem.hint else ""
        suffix = f" (Kubernetes {version})" if version else ""
        return self.found(
            step, problem.parts, f"{value}{problem.expected}{hint}{suffix}", path=problem.path or "(root)"
        )


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was read: documents in order of their files, kustomizations, and the step's result.

    `roots` are the folders that the user named.
    """

    documents: tuple[Document, ...]
    kustomizations: tuple[Kustomization, ...]
    roots: tuple[File, ...]
    step: Step


def load(paths: Sequence[File]) -> Loaded:
    """Read folders and files. ConfigError when one does not exist; everything else is a problem of the step."""
    missing = [f"{path}: no such file or folder" for path in paths if not path.exists()]
    if missing:
        raise ConfigError([f"{problem}; write it first: speedctl synth --out {paths[0]}" for problem in missing])
    documents: list[Document] = []
    problems: list[Found] = []
    kustomizations = [one for path in paths if path.is_dir() for one in _kustomizations(path)]
    overlays = {one.folder: one for one in kustomizations}
    files = 0
    for root, path, single in _listed(paths):
        overlay = overlays.get(path.parent)
        if path.name in NAMES or (overlay is not None and not overlay.takes(path.name)):
            continue
        files += 1
        made, wrong = _file(root, path, single)
        documents += made
        problems += wrong
    problems += _twins(documents)
    if not documents and not problems and not kustomizations:
        problems.append(Found(NAME, str(paths[0]), 0, "", "", "holds no manifest; write some: speedctl synth"))
    roots = tuple(path for path in paths if path.is_dir())
    return Loaded(tuple(documents), tuple(kustomizations), roots, Step.of(NAME, TITLE, problems, files, "file"))


def _listed(paths: Sequence[File]) -> Iterator[tuple[File, File, bool]]:
    """Yield (root, file, whether it may hold one object only), sorted; hidden files and folders are not ours."""
    for root in paths:
        if not root.is_dir():
            yield root.parent, root, False
            continue
        for folder, folders, names in os.walk(root):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(names):
                if name.endswith(_SUFFIXES) and not name.startswith("."):
                    yield root, File(folder) / name, True


def _kustomizations(root: File) -> Iterator[Kustomization]:
    """Yield the kustomizations of a folder and of those below it, sorted."""
    for folder, folders, _ in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found = kustomization(File(folder))
        if found is not None:
            yield found


def _file(root: File, path: File, single: bool) -> tuple[list[Document], list[Found]]:
    try:
        if path.stat().st_size > _LIMIT:
            return [], [Found(NAME, str(path), 0, "", "", f"larger than {_LIMIT >> 20} MiB")]
        text = read(path.read_bytes())
    except OSError as error:
        return [], [Found(NAME, str(path), 0, "", "", f"cannot be read: {error.strerror or error}")]
    found = [Found(NAME, str(path), line, "", path_text(parts), reason) for line, parts, reason in text.problems]
    chart = path.relative_to(root).parts[0] if path.parent != root else ""
    documents: list[Document] = []
    for value, lines in zip(text.documents, text.lines, strict=True):
        for manifest, inside in _objects(value, lines, single):
            reason, parts = _shape(manifest)
            if reason:
                found.append(Found(NAME, str(path), line_of(inside, parts), "", path_text(parts), reason))
            else:
                document = Document(str(path), prune(manifest), inside, chart)
                documents.append(document)
                found += [document.found(NAME, *told, warning=not single) for told in _nulls(manifest, ())]
    if single and len(text.documents) > 1:
        line = text.lines[1].get((), 1)
        found.append(Found(NAME, str(path), line, "", "", f"{len(text.documents)} documents; a file holds one object"))
    return documents, found


def _objects(value: Any, lines: dict[Path, int], single: bool) -> Iterator[tuple[Any, dict[Path, int]]]:
    """Yield a document, or the items of a List that the user named, each with its own places."""
    items = value.get("items") if isinstance(value, dict) else None
    if single or not isinstance(items, list) or value.get("kind") != "List":
        yield value, lines
        return
    for index, item in enumerate(items):
        prefix = ("items", index)
        yield item, {parts[2:]: line for parts, line in lines.items() if parts[:2] == prefix}


def _shape(manifest: Any) -> tuple[str, Path]:
    """Return why a document is no object, and where."""
    if not isinstance(manifest, dict):
        return "no Kubernetes object: expected a mapping with apiVersion, kind and metadata", ()
    for key in ("apiVersion", "kind"):
        value = manifest.get(key)
        if not isinstance(value, str) or not value:
            return f"no Kubernetes object: {key} {'is missing' if key not in manifest else 'is no text'}", (key,)
    if manifest["kind"] == "List":
        return "a List; a file holds one object", ("kind",)
    metadata = manifest.get("metadata")
    if not isinstance(metadata, dict):
        return "no Kubernetes object: metadata is missing", ("metadata",)
    for key in ("name", "namespace"):
        if key in metadata and not isinstance(metadata[key], str):
            return f"{key} is no text; quote it", ("metadata", key)
    for key in ("labels", "annotations"):
        if not isinstance(metadata.get(key) or {}, dict):
            return f"{key} is no mapping", ("metadata", key)
    if not metadata.get("name") and not metadata.get("generateName"):
        return "the object has no name", ("metadata", "name")
    return "", ()


def _nulls(node: Any, path: Path) -> Iterator[tuple[Path, str]]:
    """Yield each null of an object: an API server drops it, so that the object is not what its file says."""
    pairs = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in pairs:
        if value is None:
            yield (*path, key), "null: an API server drops it; leave it out"
        yield from _nulls(value, (*path, key))


def _twins(documents: Sequence[Document]) -> Iterator[Found]:
    """Yield objects that stand twice: one would silently overwrite the other."""
    first: dict[tuple[str, str, str, str], Document] = {}
    for document in documents:
        metadata = document.manifest["metadata"]
        group = document.manifest["apiVersion"].rpartition("/")[0]
        key = (group, document.manifest["kind"], metadata.get("namespace", ""), metadata.get("name", ""))
        if key in first and metadata.get("name"):
            reason = f"the same object stands in {first[key].file}; one overwrites the other"
            yield document.found(NAME, ("metadata", "name"), reason)
        first.setdefault(key, document)
