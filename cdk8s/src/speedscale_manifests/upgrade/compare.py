"""Two sets of manifests → what an upgrade from one to the other changes. Called by `against` and tests. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from speedscale_manifests.objects import names

from . import bundles, definitions, images, immutable, removals, rights, webhooks
from .fields import differences
from .model import Action, Change, Key, Manifest, ObjectChange, Report, Risk

_WORKLOADS = frozenset(("Deployment", "DaemonSet", "StatefulSet"))
_ALIKE = 0.7
"""Share of equal leaves from which on a removed and an added object of one kind count as renamed."""


def compare(
    old: Sequence[Manifest], new: Sequence[Manifest], *, old_name: str = "before", new_name: str = "after"
) -> Report:
    """Return what changes between two sets of manifests, by object and field, with the risk of each change.

    Objects are the same when group, kind, namespace and name are. `old_name` and `new_name` are for the reader.
    """
    before, after = _index(old), _index(new)
    had, has = (bundles.contents(side, "managed") for side in (old, new))
    drafts_old, drafts_new = (bundles.contents(side, "templates") for side in (old, new))
    plain = _objects(before, after, "")
    inside = _inside(had, has, "bundle")
    news = [change for change in inside if replace(change, origin="") not in plain]
    news += [_template(change) for change in _inside(drafts_old, drafts_new, "template")]
    told = _counted(_kept(plain, had, has), inside, news, before)
    every_old = {**_boxed(drafts_old), **_boxed(had), **before}
    every_new = {**_boxed(drafts_new), **_boxed(has), **after}
    return Report(old_name, new_name, (*told, *news), images.changes(every_old, every_new), rights.changes(old, new))


def key(manifest: Manifest) -> Key:
    """Return what identifies a manifest."""
    metadata: Mapping[str, Any] = manifest.get("metadata") or {}
    group, _, _ = str(manifest.get("apiVersion", "")).rpartition("/")
    name = metadata.get("name") or metadata.get("generateName") or ""
    return Key(group, str(manifest.get("kind", "")), str(metadata.get("namespace") or ""), str(name))


def _index(manifests: Iterable[Manifest]) -> dict[Key, Manifest]:
    return {key(manifest): manifest for manifest in manifests}


def _boxed(boxes: Mapping[str, Sequence[Manifest]]) -> dict[Key, Manifest]:
    return {key(manifest): manifest for box in boxes.values() for manifest in box}


def _inside(
    before: Mapping[str, Sequence[Manifest]], after: Mapping[str, Sequence[Manifest]], what: str
) -> list[ObjectChange]:
    """Return what changes inside of bundles, component by component."""
    found: list[ObjectChange] = []
    for component in sorted({*before, *after}):
        was, becomes = (_index(boxes.get(component, ())) for boxes in (before, after))
        found += _objects(was, becomes, f"{what} {component}")
    return found


def _template(change: ObjectChange) -> ObjectChange:
    """Return the change of a template without risk: what was made of it stays, the next one is made of the new."""
    fields = tuple(replace(one, risk=Risk.NONE, note="") for one in change.changes)
    return replace(change, changes=fields, risk=Risk.NONE, note="")


def _objects(before: Mapping[Key, Manifest], after: Mapping[Key, Manifest], origin: str) -> list[ObjectChange]:
    gone = [one for one in sorted(before) if one not in after]
    come = [one for one in sorted(after) if one not in before]
    renamed = dict(_renames(gone, come, before, after))
    found = []
    for one in gone:
        risk, note = removals.lost(one, before[one])
        found.append(ObjectChange(one, Action.REMOVED, (), risk, note, origin, renamed.get(one)))
    found += [ObjectChange(one, Action.ADDED, (), Risk.NONE, "", origin) for one in come]
    for one in sorted(before.keys() & after.keys()):
        change = _changed(one, before[one], after[one], origin)
        if change is not None:
            found.append(change)
    return found


def _changed(one: Key, old: Manifest, new: Manifest, origin: str) -> ObjectChange | None:
    if old == new:
        return None
    boxed = bool(bundles.component(old) and bundles.component(new))
    if boxed:
        old, new = bundles.outside(old), bundles.outside(new)
    changes = tuple(sorted(_fields(one, old, new), key=lambda change: -change.risk.rank))
    if not changes and not boxed:  # equal but for how it is written, such as 1 and 1.0
        return None
    rolls = one.kind in _WORKLOADS and any(change.path.startswith("spec.template.") for change in changes)
    risk = max((change.risk for change in changes), key=lambda risk: risk.rank, default=Risk.NONE)
    return ObjectChange(one, Action.CHANGED, changes, risk, "its pods are replaced" if rolls else "", origin)


def _fields(one: Key, old: Manifest, new: Manifest) -> Iterator[Change]:
    is_definition = one.kind == "CustomResourceDefinition"
    for change in differences(old, new):
        if is_definition and change.path.startswith("spec.versions"):
            continue
        risk, note = immutable.judge(one, change, old)
        if risk is Risk.NONE:
            risk, note = webhooks.judge(one, change)
        if risk is Risk.NONE:
            risk, note = _general(one, change)
        yield replace(change, risk=risk, note=note)
    if is_definition:
        yield from definitions.changes(old, new)


def _general(one: Key, change: Change) -> tuple[Risk, str]:
    if change.path == "apiVersion":
        return Risk.NOTE, "the same object by another version of its API"
    if one.kind == "Namespace" and "pod-security.kubernetes.io/" in change.path:
        return Risk.NOTE, "which pods are admitted here changes"
    if change.path.endswith(f"[{names.CONFIG_HASH}]"):
        return Risk.NONE, "its configuration changed"
    if change.path == "spec.replicas" and change.new == 0:
        return Risk.NOTE, "all its pods stop"
    return Risk.NONE, ""


def _kept(
    plain: Sequence[ObjectChange], before: Mapping[str, Sequence[Manifest]], after: Mapping[str, Sequence[Manifest]]
) -> list[ObjectChange]:
    """Say of what moved between output and bundle (another profile) that it is not new, or not gone."""
    was, stays = set(_boxed(before)), set(_boxed(after))
    made = []
    for change in plain:
        if change.action is Action.ADDED and change.key in was:
            note = "the controller made it out of the bundle before; now it is applied"
            change = replace(change, note=note, risk=Risk.NOTE)
        elif change.action is Action.REMOVED and change.key in stays:
            note = "no longer in the output: the controller makes it out of the bundle, once it is pruned"
            risk = change.risk if change.risk is Risk.LOSS else Risk.NOTE
            change = replace(change, note=f"{note}; {change.note}" if risk is Risk.LOSS else note, risk=risk)
        made.append(change)
    return made


def _counted(
    changes: Sequence[ObjectChange],
    inside: Sequence[ObjectChange],
    news: Sequence[ObjectChange],
    before: Mapping[Key, Manifest],
) -> list[ObjectChange]:
    """Say of each changed bundle how many of its objects change as others do, and where the rest is told."""
    all_of, new_of = (Counter(one.origin.partition(" ")[2] for one in found) for found in (inside, news))
    made = []
    for change in changes:
        component = bundles.component(before[change.key]) if change.action is Action.CHANGED else ""
        if component:
            copies = max(0, all_of[component] - new_of[component])
            same = f"the same {copies} change{'' if copies == 1 else 's'} as told above" if copies else ""
            rest = "what changes in it is told below" if new_of[component] else ""
            note = "; ".join(filter(None, (same, rest))) or "the same objects, written otherwise"
            change = replace(change, note=note)
        made.append(change)
    return made


def _renames(
    gone: Sequence[Key], come: Sequence[Key], before: Mapping[Key, Manifest], after: Mapping[Key, Manifest]
) -> Iterator[tuple[Key, Key]]:
    """Yield (old, new) for objects that only changed name or namespace, each at most once, the most alike first."""
    scores = []
    for a in gone:
        for b in come:
            if (a.group, a.kind) == (b.group, b.kind):
                score = _alike(before[a], after[b])
                if score >= _ALIKE:
                    scores.append((-score, a, b))
    taken: set[Key] = set()
    for _, a, b in sorted(scores):
        if a not in taken and b not in taken:
            taken |= {a, b}
            yield a, b


def _alike(old: Manifest, new: Manifest) -> float:
    a, b = Counter(_leaves(old)), Counter(_leaves(new))
    most = max(sum(a.values()), sum(b.values()))
    return sum((a & b).values()) / most if most else 0.0


def _leaves(node: Any, path: str = "") -> Iterator[str]:
    """Yield path and value of each leaf but the name and namespace."""
    if isinstance(node, Mapping):
        for name, value in node.items():
            if not (path == ".metadata" and name in ("name", "namespace")):
                yield from _leaves(value, f"{path}.{name}")
    elif isinstance(node, list | tuple):
        for value in node:
            yield from _leaves(value, path)
    else:
        yield f"{path}={node!r}"
