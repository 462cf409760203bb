"""The step `server`: would a live API server take every object? Asked in dry runs, which write nothing.

Called by `run`, which imports it only when a cluster may be asked: the client costs a quarter of a second.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

from speedscale_kube.errors import ApplyConflictError, ForbiddenError, InvalidError, NotFoundError
from speedscale_schemas.errors import PeerError, PermanentError, TransientError

from .files import Document
from .findings import SERVER, Found, Step, named
from .schemas import Tick

MANAGER = "speedscale-validate"
_STAND_IN = "default"
_SHOWN = 5


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

    An object whose namespace this very output brings is judged in the namespace `default` instead, as far as that
    one lets it in; one whose kind the output brings cannot be judged before that is there. Both are counted in notes.
    Raises nothing: a server that stops answering ends the step with that reason.
    """
    title = f"server-side dry run, {where}"
    try:
        version = cluster.version()
    except (TransientError, PermanentError, PeerError) as error:
        return Step.skipped(SERVER, title, f"no answer: {error}")
    asking = _Asking(cluster, documents)
    for number, document in enumerate(documents):
        tick(number)
        if not asking.ask(document):
            break
    notes = [f"Kubernetes {version}", *asking.notes()]
    return Step.of(SERVER, title, asking.found, len(documents) - len(asking.later), notes=notes)


class _Asking:
    """The verdicts so far: problems, objects judged in another namespace, objects that have to wait."""

    def __init__(self, cluster: Cluster, documents: Sequence[Document]) -> None:
        self._cluster = cluster
        self._spaces = {d.manifest["metadata"]["name"] for d in documents if d.manifest["kind"] == "Namespace"}
        self._kinds = _own_kinds(documents)
        self.found: list[Found] = []
        self.later: list[str] = []
        self.elsewhere = 0

    def ask(self, document: Document) -> bool:
        """Ask about one object; return whether to go on."""
        try:
            self._dry_run(document.manifest)
        except NotFoundError as error:
            self._not_found(document, error)
        except (InvalidError, ForbiddenError, ApplyConflictError) as error:
            self._problem(document, str(error))
        except (TransientError, PermanentError, PeerError) as error:
            self._problem(document, f"the server gave no verdict: {error}")
            return not isinstance(error, TransientError)
        return True

    def notes(self) -> Iterator[str]:
        """Yield what people should know besides the problems."""
        if self.elsewhere:
            yield f"judged in namespace default, since theirs comes with this output: {self.elsewhere}"
        if self.later:
            reason = "what they need comes with this output; run again after the first sync"
            yield f"not judged: {', '.join(self.later[:_SHOWN])}{' …' if len(self.later) > _SHOWN else ''}: {reason}"

    def _dry_run(self, manifest: dict[str, Any]) -> None:
        self._cluster.apply(manifest, MANAGER, force=True, dry_run=True, strict=True)

    def _problem(self, document: Document, reason: str) -> None:
        self.found.append(document.found(SERVER, (), reason, path="(root)"))

    def _not_found(self, document: Document, error: NotFoundError) -> None:
        metadata = document.manifest["metadata"]
        space = metadata.get("namespace", "")
        if document.manifest["kind"] in self._kinds:
            self.later.append(named(document.manifest))
        elif space not in self._spaces:
            self._problem(document, _missing(space, error))
        else:
            self._elsewhere(document, {**document.manifest, "metadata": {**metadata, "namespace": _STAND_IN}})

    def _elsewhere(self, document: Document, manifest: dict[str, Any]) -> None:
        try:
            self._dry_run(manifest)
            self.elsewhere += 1
        except InvalidError as error:
            self._problem(document, str(error))
        except (TransientError, PermanentError, PeerError):  # that namespace has rules of its own
            self.later.append(named(document.manifest))


def _own_kinds(documents: Iterable[Document]) -> set[str]:
    names = (d.manifest.get("spec", {}).get("names", {}) for d in documents if "Definition" in d.manifest["kind"])
    return {str(name.get("kind")) for name in names}


def _missing(space: str, error: NotFoundError) -> str:
    hint = (
        f"; make the namespace first: kubectl create namespace {space}" if space and "namespaces" in str(error) else ""
    )
    return f"{error}{hint}"
