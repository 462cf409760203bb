"""All checks over a set of documents.

Called by the verb and by `validate`. Pure: the same documents give the same findings in the same order. The set is
looked at as a whole, because a Namespace says what its workloads may do, a kustomization which files are patches, and
an Argo CD annotation that the tree is Argo CD's.
"""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from . import embedded, notes, replays, workloads
from .model import Document, Problem
from .scan import mapping, mappings, objects, text

_KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")


def lint(
    documents: Iterable[Document], *, disabled: Collection[str] = (), patches: Collection[str] = ()
) -> list[Problem]:
    """Return every finding, by place, each once.

    `disabled` are ids of rules that are left out. `patches` are sources that are merged into other objects, beside
    those that a kustomization among the documents names; in them only what stands there is judged.
    """
    given = list(documents)
    merged = {posixpath.normpath(source) for source in patches} | patch_files(given)
    given = [replace(d, partial=True) if posixpath.normpath(d.source) in merged else d for d in given]
    given += [patch for document in given for patch in embedded.inside(document)]
    return sorted({problem for problem in _findings(given) if problem.rule not in disabled})


def _findings(documents: list[Document]) -> Iterator[Problem]:
    every = [one for document in documents for one in objects(document)]
    levels = workloads.security_levels(every)
    argo = any(replays.under_argo(one) for one in every)
    for document in documents:
        annotations, labels = mappings(document)
        for found in annotations:
            yield from notes.check_annotations(found)
        for found in labels:
            yield from notes.check_labels(found)
    for one in every:
        if one.is_workload:
            yield from workloads.check(one, levels)
        elif replays.is_replay(one):
            yield from replays.check(one, argo=argo)


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
