"""All checks over a set of documents.

Called by the verb and by `validate`. Pure: the same documents give the same findings in the same order. The set is
looked at as a whole, because a Namespace says what its workloads may do, a kustomization which files are patches, and
an Argo CD annotation that the tree is Argo CD's.
"""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterable, Iterator

from . import notes, replays, workloads
from .model import Document, Problem
from .scan import Object, mapping, mappings, objects, text

_KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")


def lint(
    documents: Iterable[Document], *, disabled: Collection[str] = (), patches: Collection[str] = ()
) -> list[Problem]:
    """Return every finding, by place, each once.

    `disabled` are ids of rules that are left out. `patches` are sources that are merged into other objects, beside
    those that a kustomization among the documents names; in them only what stands there is judged.
    """
    given = list(documents)
    partial = {posixpath.normpath(source) for source in patches} | patch_files(given)
    found = {p for p in _findings(given, partial) if p.rule not in disabled}
    return sorted(found)


def _findings(documents: list[Document], patches: Collection[str]) -> Iterator[Problem]:
    every = [one for document in documents for one in objects(document)]
    levels = workloads.security_levels(every)
    argo = any(replays.under_argo(one) for one in every)
    for document in documents:
        partial = posixpath.normpath(document.source) in patches
        annotations, labels = mappings(document)
        for found in annotations:
            yield from notes.check_annotations(found, partial=partial)
        for found in labels:
            yield from notes.check_labels(found)
    for one in every:
        yield from _of_object(one, levels, argo, posixpath.normpath(one.document.source) in patches)


def _of_object(one: Object, levels: dict[str, str], argo: bool, partial: bool) -> Iterator[Problem]:
    if one.is_workload:
        yield from workloads.check(one, levels)
    elif replays.is_replay(one):
        yield from replays.check(one, argo=argo, partial=partial)


def patch_files(documents: Iterable[Document]) -> set[str]:
    """Return the files that kustomizations among the documents name as patches, relative to where they stand."""
    found: set[str] = set()
    for document in documents:
        folder, name = posixpath.split(document.source)
        if name not in _KUSTOMIZATIONS:
            continue
        value = mapping(document.value)
        for key in ("patches", "patchesStrategicMerge", "patchesJson6902"):
            items = value.get(key)
            for item in items if isinstance(items, list) else []:
                path = text(mapping(item).get("path")) or text(item)
                if path and "\n" not in path:
                    found.add(posixpath.normpath(posixpath.join(folder, path)))
    return found
