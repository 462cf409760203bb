"""A folder (or a file, or standard input) of manifests → the objects that git wants, and how much of all they are.

Called by the verb. Every `*.yaml`, `*.yml` and `*.json` below the folder is read; kustomizations are only looked at for
whether the folder is the whole installation or one part of it. Nothing is built: give the output of `kustomize build`
on standard input to compare an overlay.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from speedscale_kube import Object, Ref, ref
from speedscale_manifests.kustomize.reading import documents
from speedscale_schemas.errors import ConfigError

_SUFFIXES = {".yaml", ".yml", ".json"}
_KUSTOMIZATIONS = {"kustomization.yaml", "kustomization.yml", "Kustomization"}


@dataclass(frozen=True, slots=True)
class Desired:
    """One object as git wants it. `ref` has the namespace that stands in the file, if any."""

    ref: Ref
    manifest: Object
    file: str


@dataclass(frozen=True, slots=True)
class Source:
    """What was read. `whole`: these are all objects of an installation, so that any other of ours is one too many."""

    objects: tuple[Desired, ...]
    whole: bool


def read(path: Path | None) -> Source:
    """Return the objects below a folder, in a file, or (None) on standard input, sorted.

    ConfigError, with every problem, when there is no object, one stands twice, or a file is no YAML of objects.
    """
    if path is None:
        texts, whole = [("standard input", sys.stdin.read())], True
    elif path.is_dir():
        texts, whole = list(_texts(path)), _is_whole(path)
    else:
        texts, whole = [(str(path), _text(path))], False
    problems: list[str] = []
    found = list(_objects(texts, problems))
    first: dict[Ref, Desired] = {}
    for one in found:
        if one.ref in first:
            problems.append(f"{one.file}: {one.ref} stands in {first[one.ref].file} already; leave it in one of them")
        first.setdefault(one.ref, one)
    if not found and not problems:
        problems.append(f"{path or 'standard input'}: no manifest there; run speedctl synth, or name its folder")
    if problems:
        raise ConfigError(problems)
    return Source(tuple(sorted(found, key=lambda one: one.ref)), whole)


def _texts(folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.suffix in _SUFFIXES and path.name not in _KUSTOMIZATIONS and not hidden and path.is_file():
            yield str(path), _text(path)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigError([f"{path}: no such file or folder; run speedctl synth, or name its folder"]) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"{path}: cannot be read: {error}"]) from error


def _objects(texts: Iterable[tuple[str, str]], problems: list[str]) -> Iterator[Desired]:
    for file, text in texts:
        try:
            for manifest in _unfolded(documents(text)):
                yield Desired(ref(manifest), manifest, file)
        except ValueError as error:
            problems.append(f"{file}: {' '.join(str(error).split())}")


def _unfolded(manifests: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for manifest in manifests:
        if manifest.get("kind") == "List" and isinstance(manifest.get("items"), list):
            yield from manifest["items"]
        else:
            yield manifest


def _is_whole(folder: Path) -> bool:
    """Say whether a folder is a whole installation: its kustomization gathers folders, or it has none."""
    for name in _KUSTOMIZATIONS:
        path = folder / name
        if path.is_file():
            try:
                resources = [r for document in documents(_text(path)) for r in document.get("resources") or ()]
            except ValueError as error:
                raise ConfigError([f"{path}: {' '.join(str(error).split())}"]) from error
            return any((folder / str(resource)).is_dir() for resource in resources)
    return True
