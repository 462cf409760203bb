"""The steps `kustomize` and `server`: what other programs make of the output.

Called by `run`. kustomize must build every kustomization to the very objects of its files; a reachable API server must
take every object in a dry run, which writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path as File
from typing import Any, Protocol

from speedscale_kube import Client
from speedscale_kube.errors import ApplyConflictError, ForbiddenError, InvalidError, NotFoundError
from speedscale_manifests.kustomize import Kustomize, KustomizeError, KustomizeMissing, find
from speedscale_manifests.objects import Reference, reference
from speedscale_schemas.errors import PeerError, PermanentError, TransientError

from .files import Document
from .findings import Found, Step, named
from .schemas import Tick

KUSTOMIZE = "kustomize"
SERVER = "server"
MANAGER = "speedscale-validate"


class Cluster(Protocol):
    """What the dry run needs of a client."""

    def version(self) -> str:
        """Return the server's version."""

    def apply(
        self, obj: dict[str, Any], manager: str, *, force: bool = False, dry_run: bool = False, strict: bool = False
    ) -> dict[str, Any]:
        """Apply an object, dry."""


def kustomize_step(
    folders: Sequence[File], documents: Sequence[Document], tool: Callable[[], Kustomize] = find
) -> Step:
    """Build each kustomization; one without patches has to give exactly the objects of the files below it."""
    title = "kustomize builds every kustomization to the same objects"
    if not folders:
        return Step.skipped(KUSTOMIZE, title, "no kustomization.yaml was found")
    try:
        program = tool()
    except KustomizeMissing as error:
        return Step.skipped(KUSTOMIZE, title, error.problems[0])
    found: list[Found] = []
    for folder in folders:
        try:
            built = program.build(folder)
        except KustomizeError as error:
            found += [Found(KUSTOMIZE, str(folder), 0, "", "", problem) for problem in error.problems]
            continue
        below = [document for document in documents if File(document.file).is_relative_to(folder)]
        found += _differing(folder, built, below)
    note = f"{program.command[0]} {program.version}"
    return Step.of(KUSTOMIZE, title, found, len(folders), "kustomization", (note,))


def _differing(folder: File, built: Iterable[Mapping[str, Any]], documents: Sequence[Document]) -> list[Found]:
    """Return what kustomize adds, loses or changes."""
    made: dict[Reference, Mapping[str, Any]] = {reference(dict(manifest)): manifest for manifest in built}
    found: list[Found] = []
    for document in documents:
        key = reference(document.manifest)
        manifest = made.pop(key, None)
        if manifest is None:
            reason = f"not in what kustomize builds of {folder}: list it under resources"
            found.append(document.found(KUSTOMIZE, (), reason, path="(root)"))
        elif manifest != document.manifest:
            found.append(document.found(KUSTOMIZE, (), f"kustomize changes it, building {folder}", path="(root)"))
    extra = "kustomize builds it, and no file holds it"
    return found + [Found(KUSTOMIZE, str(folder), 0, str(key), "", extra) for key in made]


def server_step(documents: Sequence[Document], cluster: Cluster, where: str, tick: Tick = lambda _: None) -> Step:
    """Apply each object in a dry run with unknown fields refused; `where` names the cluster for people.

    Objects whose namespace or kind this very installation brings cannot be judged before it is there: they are
    counted in a note. Raises nothing: a server that stops answering ends the step with that reason.
    """
    title = f"server-side dry run, {where}"
    try:
        version = cluster.version()
    except (TransientError, PermanentError, PeerError) as error:
        return Step.skipped(SERVER, title, f"no answer: {error}")
    spaces = {d.manifest["metadata"]["name"] for d in documents if d.manifest["kind"] == "Namespace"}
    kinds = _own_kinds(documents)
    found: list[Found] = []
    later: list[str] = []
    for number, document in enumerate(documents):
        tick(number)
        try:
            cluster.apply(document.manifest, MANAGER, force=True, dry_run=True, strict=True)
        except NotFoundError as error:
            space = document.manifest["metadata"].get("namespace", "")
            if space in spaces or document.manifest["kind"] in kinds:
                later.append(named(document.manifest))
            else:
                found.append(document.found(SERVER, (), _missing(space, error), path="(root)"))
        except (InvalidError, ForbiddenError, ApplyConflictError) as error:
            found.append(document.found(SERVER, (), str(error), path="(root)"))
        except (TransientError, PermanentError, PeerError) as error:
            found.append(document.found(SERVER, (), f"the server gave no verdict: {error}", path="(root)"))
            if isinstance(error, TransientError):
                break
    notes = [f"Kubernetes {version}"]
    if later:
        notes.append(
            f"{len(later)} of {len(documents)} objects cannot be judged before their namespace or definition is there, "
            "which this output brings; run again after the first sync"
        )
    return Step.of(SERVER, title, found, len(documents) - len(later), notes=notes)


def _own_kinds(documents: Iterable[Document]) -> set[str]:
    names = (d.manifest.get("spec", {}).get("names", {}) for d in documents if "Definition" in d.manifest["kind"])
    return {str(name.get("kind")) for name in names}


def _missing(space: str, error: NotFoundError) -> str:
    hint = (
        f"; make the namespace first: kubectl create namespace {space}" if space and "namespaces" in str(error) else ""
    )
    return f"{error}{hint}"


__all__ = ["KUSTOMIZE", "SERVER", "Client", "Cluster", "kustomize_step", "server_step"]
