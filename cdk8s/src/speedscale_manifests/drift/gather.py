"""Asks the cluster for what `judge` needs, object by object, and for objects of ours that git no longer has.

Called by the verb. Reads, and server-side apply with dryRun=All; nothing is written. Where a right is lacking the
comparison goes on with less and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from speedscale_kube import Client, Object, Ref
from speedscale_kube.compare import Change, entries, is_controller, judge, needs_defaults, recorded_defaults
from speedscale_kube.errors import ForbiddenError, NotFoundError, ServerError
from speedscale_schemas.errors import PermanentError

from . import known
from .files import Desired, Source
from .model import Drift, Report

MANAGER = "speedctl-diff"
_FRESH = "-speedctl-diff"
_NAME_LIMIT = 63


@dataclass
class _State:
    drift: list[Drift] = field(default_factory=list)
    failed: list[tuple[Ref, str]] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)  # by kind, so that each is told once
    without: dict[str, str] = field(default_factory=dict)  # kinds compared without a dry run, and the first reason
    known: set[Ref] = field(default_factory=set)


def compare(
    client: Client,
    source: Source,
    trusted: frozenset[str] = frozenset(),
    done: Callable[[int], None] = lambda count: None,
) -> Report:
    """Return how the cluster differs from `source`.

    `trusted` are field managers whose changes are wanted; `done` is told how many objects are compared. TransientError
    when the cluster does not answer, UnauthorizedError when it does not know us; what is forbidden in part is in the
    report.
    """
    version = client.version()
    state = _State()
    trusted |= known.OPERATOR
    for count, desired in enumerate(source.objects):
        done(count)
        try:
            _one(client, desired, trusted, state)
        except PermanentError as error:
            state.failed.append((desired.ref, str(error)))
    _extra(client, source, trusted, state)
    drift = tuple(sorted(state.drift, key=lambda one: (one.ref, one.state)))
    notes = (*_without_dry_run(state.without), *state.notes.values())
    return Report(len(source.objects), client.access.server, version, drift, tuple(state.failed), notes)


def _one(client: Client, desired: Desired, trusted: frozenset[str], state: _State) -> None:
    try:
        which = client.ref(desired.manifest)
    except NotFoundError:
        state.known.add(desired.ref)
        note = f"the cluster knows no kind {desired.ref.kind} of {desired.ref.api_version}"
        state.drift.append(Drift(desired.ref, "missing", desired.file, note))
        return
    state.known.add(which)
    live = client.find(which)
    if live is None:
        state.drift.append(Drift(which, "missing", desired.file))
        return
    manifest = _stated(desired.manifest)
    applied, note = _applied(client, which, manifest, state)
    changes = judge(manifest, live, applied, trusted)
    if needs_defaults(changes, live):
        changes = _without_defaults(client, manifest, changes)
    if (live.get("metadata") or {}).get("deletionTimestamp"):
        note = "; ".join(filter(None, ("it is being deleted", note)))
    if changes or note:
        state.drift.append(Drift(which, "changed", desired.file, note, tuple(changes)))


def _stated(manifest: Object) -> Object:
    """Return the object without what a file cannot ask for: status, and the server's metadata."""
    metadata = {
        key: value
        for key, value in (manifest.get("metadata") or {}).items()
        if key not in ("managedFields", "resourceVersion", "uid", "generation", "creationTimestamp", "selfLink")
    }
    return {**{key: value for key, value in manifest.items() if key != "status"}, "metadata": metadata}


def _applied(client: Client, which: Ref, manifest: Object, state: _State) -> tuple[Object | None, str]:
    """Return what applying would make of an object, and why it would be refused."""
    try:
        return client.apply(manifest, MANAGER, force=True, dry_run=True), ""
    except (ForbiddenError, ServerError) as error:
        state.without.setdefault(which.kind, str(error))
        return None, ""
    except PermanentError as error:
        return None, f"applying would be refused: {error}"


def _without_dry_run(kinds: dict[str, str]) -> Iterator[str]:
    if kinds:
        yield (
            f"{', '.join(sorted(kinds))}: compared without the server's dry run, by our own knowledge of their fields: "
            f"{next(iter(kinds.values()))}"
        )


def _without_defaults(client: Client, manifest: Object, changes: list[Change]) -> list[Change]:
    try:
        fresh = client.apply(_renamed(manifest), MANAGER, force=True, dry_run=True)
    except (PermanentError, ServerError):
        return changes
    return recorded_defaults(changes, fresh)


def _renamed(manifest: Object) -> Object:
    """Return the same object under a name that is free; a definition's name follows from its group."""
    metadata = manifest["metadata"]
    if manifest.get("kind") == "CustomResourceDefinition":
        group = f"speedctl-diff.{manifest['spec']['group']}"
        name = f"{manifest['spec']['names']['plural']}.{group}"
        return {**manifest, "metadata": {**metadata, "name": name}, "spec": {**manifest["spec"], "group": group}}
    name = str(metadata["name"])[: _NAME_LIMIT - len(_FRESH)].rstrip("-.") + _FRESH
    return {**manifest, "metadata": {**metadata, "name": name}}


def _extra(client: Client, source: Source, trusted: frozenset[str], state: _State) -> None:
    if source.scope == "none":
        state.notes["extra"] = (
            "objects that git no longer has were not looked for: this is a part, and where the rest is is not known"
        )
        return
    components = {_component(desired.manifest) for desired in source.objects}
    everywhere = (*state.known, *source.elsewhere)
    namespaces = sorted({which.namespace for which in everywhere if which.namespace})
    in_git = {_identity(which) for which in everywhere}
    kinds = dict.fromkeys([*known.KINDS, *((d.ref.api_version, d.ref.kind) for d in source.objects)])
    for api_version, kind in kinds:
        if kind == "Secret":
            continue
        for found in _ours(client, api_version, kind, namespaces, state):
            which = client.ref(found)
            if _identity(which) in in_git or _made_by_controller(found, trusted):
                continue
            if source.scope == "all" or _component(found) in components:
                in_git.add(_identity(which))  # told once, though several versions of its group are asked for
                state.drift.append(Drift(which, "extra", note=_by(found)))


def _ours(client: Client, api_version: str, kind: str, namespaces: list[str], state: _State) -> Iterator[Object]:
    try:
        places = namespaces if client.resource(api_version, kind).namespaced else [""]
        for namespace in places:
            yield from client.list(api_version, kind, namespace, labels=known.PART_OF, metadata_only=True)
    except NotFoundError:
        return
    except PermanentError as error:
        state.notes.setdefault(f"extra {kind}", f"no {kind} that git no longer has was looked for: {error}")


def _made_by_controller(found: Object, trusted: frozenset[str]) -> bool:
    metadata = found["metadata"]
    if any(owner.get("controller") for owner in metadata.get("ownerReferences") or ()):
        return True
    managers = {entry.manager for entry in entries(found)}
    return bool(managers) and all(is_controller(manager, trusted) for manager in managers)


def _identity(which: Ref) -> tuple[str, str, str, str]:
    """What makes two objects the same, whatever version of its group each is written in."""
    return which.group, which.kind, which.namespace, which.name


def _component(manifest: Object) -> str:
    labels: dict[str, Any] = (manifest.get("metadata") or {}).get("labels") or {}
    return str(labels.get(known.COMPONENT, ""))


def _by(found: Object) -> str:
    managers = sorted({entry.manager for entry in entries(found)})
    return f"set by {', '.join(managers)}" if managers else ""
