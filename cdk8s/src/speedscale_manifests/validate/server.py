"""The step `server`: would a live API server take every object? Asked in dry runs, which write nothing.

Called by `run`, which imports it only when a cluster may be asked: the client costs a quarter of a second.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from speedscale_kube.errors import ApplyConflictError, ForbiddenError, InvalidError, NotFoundError
from speedscale_schemas.errors import PeerError, PermanentError, TransientError

from .files import Document
from .findings import SERVER, Found, Step, named
from .schemas import Tick

MANAGER = "speedscale-validate"


class Cluster(Protocol):
    """What the dry run needs of a client."""

    def version(self) -> str:
        """Return the server's version."""

    def apply(
        self, obj: dict[str, Any], manager: str, *, force: bool = False, dry_run: bool = False, strict: bool = False
    ) -> dict[str, Any]:
        """Apply an object, dry."""


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
