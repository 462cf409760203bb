"""A folder (or a file, or standard input) of manifests → the objects that git wants, and how much of all they are.

Called by the verb. Every `*.yaml`, `*.yml` and `*.json` below the folder is read. Kustomizations are looked at only to
see whether the folder is a whole installation, or one chart of a larger one, whose other objects are in git too.
Nothing is built: give the output of `kustomize build` on standard input to compare an overlay.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from speedscale_kube import Object, Ref, ref
from speedscale_manifests.kustomize.reading import documents
from speedscale_manifests.output.paths import INDEX
from speedscale_schemas.errors import ConfigError

Scope = Literal["all", "components", "none"]
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
    """What was read: `objects` to compare, and `elsewhere`, what else of the installation is in git.

    `scope` says which live objects of ours are too many when git has them nowhere: `all` of them, those of the
    `components` that `objects` are of, or `none`, because the rest of the installation is not known.
    """

    objects: tuple[Desired, ...]
    elsewhere: tuple[Ref, ...] = ()
    scope: Scope = "all"


def read(path: Path | None, *, part: bool = False) -> Source:
    """Return the objects below a folder, in a file, or (None) on standard input, sorted.

    `part`: there is more of the installation elsewhere. ConfigError, with every problem, when there is no object, one
    stands twice, or a file is no YAML of objects.
    """
    objects = _read(path)
    if part:
        return Source(objects, scope="none")
    if path is None:
        return Source(objects)
    root = _root(path.absolute())
    if root is not None:
        return Source(objects, tuple(one.ref for one in _read(root)), "components")
    return Source(objects, scope="all" if path.is_dir() and _gathers_folders(path) is not False else "none")


def _read(path: Path | None) -> tuple[Desired, ...]:
    if path is None:
        texts = [("standard input", sys.stdin.read())]
    else:
        texts = list(_texts(path)) if path.is_dir() else [(str(path), _text(path))]
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
    return tuple(sorted(found, key=lambda one: one.ref))


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


def _root(path: Path) -> Path | None:
    """Return the outermost folder whose kustomizations lead down to `path`, None when none does.

    A folder that synthesis wrote is whole: what gathers it from above is an overlay, with values and patches in it.
    """
    found = None
    child, folder = path, path.parent
    while child != folder and not (child / INDEX).is_file():
        gathered = _resources(folder)
        if gathered is None or not any((folder / one).resolve() == child.resolve() for one in gathered):
            break
        child, folder, found = folder, folder.parent, folder
    return found


def _gathers_folders(folder: Path) -> bool | None:
    """Say whether a folder's kustomization gathers folders; None when it has no kustomization."""
    gathered = _resources(folder)
    return None if gathered is None else any((folder / one).is_dir() for one in gathered)


def _resources(folder: Path) -> list[str] | None:
    for name in _KUSTOMIZATIONS:
        path = folder / name
        if path.is_file():
            try:
                return [str(one) for document in documents(_text(path)) for one in document.get("resources") or ()]
            except ValueError as error:
                raise ConfigError([f"{path}: {' '.join(str(error).split())}"]) from error
    return None
