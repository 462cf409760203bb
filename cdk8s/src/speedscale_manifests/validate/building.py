"""The step `kustomize`: each kustomization builds, to the very objects below it or to good ones. Called by `run`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path as File

from speedscale_manifests.kustomize import Kustomize, KustomizeError, KustomizeMissing, find
from speedscale_manifests.objects import Manifest, Reference, prune, reference

from .files import Document
from .findings import Found, Step
from .overlays import Kustomization

NAME = "kustomize"
Judge = Callable[[Sequence[Manifest]], Sequence[Found]]


def kustomize_step(
    kustomizations: Sequence[Kustomization],
    documents: Sequence[Document],
    judge: Judge = lambda manifests: [],
    tool: Callable[[], Kustomize] = find,
) -> Step:
    """Build each kustomization: a plain one has to give exactly the objects of the files below it.

    An overlay changes them, so `judge` says what is wrong with what it gives.
    """
    title = "every kustomization builds to what its files say"
    if not kustomizations:
        return Step.skipped(NAME, title, "no kustomization.yaml was found")
    try:
        program = tool()
    except KustomizeMissing as error:
        return Step.skipped(NAME, title, error.problems[0])
    found: list[Found] = []
    for one in kustomizations:
        try:
            built = [prune(manifest) for manifest in program.build(one.folder)]
        except KustomizeError as error:
            found += [Found(NAME, str(one.file), 0, "", "", problem) for problem in error.problems]
            continue
        if one.plain:
            below = [document for document in documents if File(document.file).is_relative_to(one.folder)]
            found += _differing(one, built, below)
        else:
            found += [replace(problem, step=NAME, file=str(one.file), line=0) for problem in judge(built)]
    note = f"{program.command[0]} {program.version}"
    return Step.of(NAME, title, found, len(kustomizations), "kustomization", (note,))


def _differing(one: Kustomization, built: Iterable[Manifest], documents: Sequence[Document]) -> list[Found]:
    """Return what kustomize adds, loses or changes."""
    made: dict[Reference, Manifest] = {reference(manifest): manifest for manifest in built}
    found: list[Found] = []
    for document in documents:
        key = reference(document.manifest)
        manifest = made.pop(key, None)
        if manifest is None:
            reason = f"not in what kustomize builds of {one.folder}: list it under resources"
            found.append(document.found(NAME, (), reason, path="(root)"))
        elif manifest != document.manifest:
            found.append(document.found(NAME, (), f"kustomize changes it, building {one.folder}", path="(root)"))
    extra = "kustomize builds it, and no file holds it"
    return found + [Found(NAME, str(one.file), 0, str(key), "", extra) for key in made]
