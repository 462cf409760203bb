"""The step `kustomize`: every kustomization builds, and to the very objects of the files below it. Called by `run`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path as File
from typing import Any

from speedscale_manifests.kustomize import Kustomize, KustomizeError, KustomizeMissing, find
from speedscale_manifests.objects import Reference, prune, reference

from .files import Document
from .findings import Found, Step

NAME = "kustomize"


def kustomize_step(
    folders: Sequence[File], documents: Sequence[Document], tool: Callable[[], Kustomize] = find
) -> Step:
    """Build each kustomization; one without patches has to give exactly the objects of the files below it."""
    title = "kustomize builds every kustomization to the same objects"
    if not folders:
        return Step.skipped(NAME, title, "no kustomization.yaml was found")
    try:
        program = tool()
    except KustomizeMissing as error:
        return Step.skipped(NAME, title, error.problems[0])
    found: list[Found] = []
    for folder in folders:
        try:
            built = program.build(folder)
        except KustomizeError as error:
            found += [Found(NAME, str(folder), 0, "", "", problem) for problem in error.problems]
            continue
        below = [document for document in documents if File(document.file).is_relative_to(folder)]
        found += _differing(folder, built, below)
    note = f"{program.command[0]} {program.version}"
    return Step.of(NAME, title, found, len(folders), "kustomization", (note,))


def _differing(folder: File, built: Iterable[Mapping[str, Any]], documents: Sequence[Document]) -> list[Found]:
    """Return what kustomize adds, loses or changes."""
    made: dict[Reference, Mapping[str, Any]] = {reference(dict(manifest)): manifest for manifest in built}
    found: list[Found] = []
    for document in documents:
        key = reference(document.manifest)
        manifest = made.pop(key, None)
        if manifest is None:
            reason = f"not in what kustomize builds of {folder}: list it under resources"
            found.append(document.found(NAME, (), reason, path="(root)"))
        elif prune(manifest) != document.manifest:
            found.append(document.found(NAME, (), f"kustomize changes it, building {folder}", path="(root)"))
    extra = "kustomize builds it, and no file holds it"
    return found + [Found(NAME, str(folder), 0, str(key), "", extra) for key in made]
