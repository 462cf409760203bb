"""One object: where it differs from what is wanted, what to send, what to take out. Pure.

The comparison is `speedscale_kube.compare.judge` without the server's dry run: the right to look at components is
granted more often than the right to write them. Two things are added here:

- *Who may differ.* What only controllers and other parts of the operator set is theirs; and applying must not take it
  back, so it is left out of what is sent (`Differences.manifest`).
- *What may be a default.* Who creates an object whole (Argo CD's client-side apply, Helm, `kubectl create`) is recorded
  as having set the defaults. Additions of such a writer that could be defaults, plain fields, are no drift; what
  can be none still is: a list item, a label, a key of a ConfigMap.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from speedscale_kube import Object
from speedscale_kube.compare import (
    ABSENT,
    Change,
    Entry,
    Item,
    Member,
    Path,
    child,
    entries,
    is_controller,
    judge,
    leaves,
    owners,
    subset,
    value_at,
)

MANAGER: Final = "speedscale-operator/components"
TRUSTED: Final = frozenset(
    f"speedscale-operator/{concern}" for concern in ("injection", "workload", "certificates", "inventory", "status")
) | {"speedscale-replay"}
"""Other concerns of the operator: a sidecar in the demo, what a replay does to it."""

_MAPS: Final = frozenset({"data", "binaryData", "labels", "annotations", "matchLabels", "nodeSelector"})


@dataclass(frozen=True, slots=True)
class Differences:
    """What of one object is not as wanted: `changes` by path; `manifest` is what applying may say."""

    changes: tuple[Change, ...]
    manifest: Object

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self.changes)

    @property
    def message(self) -> str:
        """The changes in one line, the first three by name."""
        shown = [_told(change) for change in self.changes[:3]]
        more = len(self.changes) - len(shown)
        return "; ".join([*shown, *([f"and {more} more"] if more else [])])


def compare(desired: Mapping[str, Any], live: Mapping[str, Any]) -> Differences:
    """Return how `live` (with managedFields) differs from `desired`; neither is changed."""
    found = judge(desired, live, None, TRUSTED)
    recorded = entries(live)
    whole = _whole_writers(recorded, desired, live)
    changes = tuple(
        change
        for change in found
        if not _may_be_default(change, recorded, live, whole) and not _told_inside(change, found, live)
    )
    return Differences(changes, _without(desired, _yielded(desired, live, recorded)))


def removal(live: Mapping[str, Any], changes: Iterable[Change]) -> list[dict[str, Any]]:
    """Return the JSON Patch (RFC 6902) that takes additions out of exactly this version of a live object.

    Empty when none of the changes is an addition. The first operation tests the resourceVersion.
    """
    pointers = [_pointer(live, change.path) for change in changes if change.what == "added"]
    # from the back, so that removing one item of a list does not move the next
    ordered = sorted((p for p in pointers if p is not None), key=_position, reverse=True)
    if not ordered:
        return []
    return [_tested(live), *({"op": "remove", "path": _text(pointer)} for pointer in ordered)]


def mending(live: Mapping[str, Any], changes: Iterable[Change]) -> list[dict[str, Any]]:
    """Return the JSON Patch that undoes changes one by one in exactly this version of a live object.

    For what applying cannot do: server-side apply knows a port of a Service by its number, so of 80, changed to 8080,
    it sees one too many and one that is missing, and refuses two of one name.
    """
    operations, removals = [], []
    for change in changes:
        if change.what == "added":
            removals.append(change)
        elif change.what == "changed":
            pointer = _pointer(live, change.path)
            if pointer is not None:
                operations.append({"op": "replace", "path": _text(pointer), "value": change.git})
        else:
            pointer = _pointer(live, change.path[:-1])
            if pointer is not None:
                last = change.path[-1] if isinstance(change.path[-1], str) else "-"
                operations.append({"op": "add", "path": _text((*pointer, last)), "value": change.git})
    operations += removal(live, removals)[1:]
    return [_tested(live), *operations] if operations else []


def _tested(live: Mapping[str, Any]) -> dict[str, Any]:
    version = (live.get("metadata") or {}).get("resourceVersion")
    return {"op": "test", "path": "/metadata/resourceVersion", "value": version}


def _yielded(desired: Mapping[str, Any], live: Mapping[str, Any], recorded: tuple[Entry, ...]) -> list[Path]:
    """Return the paths that differ and that only controllers set: `spec.replicas` under an autoscaler."""
    found = []
    for difference in subset(desired, live):
        holders = owners(recorded, live, difference.path) if difference.live is not ABSENT else ()
        if holders and all(is_controller(holder.manager, TRUSTED) for holder in holders):
            found.append(difference.path)
    return found


def _without(desired: Mapping[str, Any], paths: Iterable[Path]) -> Object:
    made = copy.deepcopy(dict(desired))
    for path in paths:
        parent = value_at(made, path[:-1])
        if isinstance(parent, dict) and isinstance(path[-1], str):
            parent.pop(path[-1], None)
    return made


def _whole_writers(recorded: tuple[Entry, ...], desired: Mapping[str, Any], live: Mapping[str, Any]) -> frozenset[str]:
    """Return the managers that are recorded, by an Update, with most of what is wanted: they wrote it whole."""
    wanted = [path for path in _leaves(desired) if path[0] not in ("apiVersion", "kind")]
    found = set()
    for entry in recorded:
        if entry.operation == "Apply":
            continue
        owned = set(leaves(entry.tree, live))
        if 2 * sum(path in owned for path in wanted) > len(wanted):
            found.add(entry.manager)
    return frozenset(found)


def _leaves(node: Any, path: Path = ()) -> Iterable[Path]:
    """Yield the paths to what is no mapping: a rough measure, lists count as one."""
    for name, value in node.items():
        if path == ("metadata",) and name in ("name", "namespace"):
            continue
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, (*path, name))
        elif not isinstance(value, list):
            yield (*path, name)


def _may_be_default(
    change: Change, recorded: tuple[Entry, ...], live: Mapping[str, Any], whole: frozenset[str]
) -> bool:
    if change.what != "added" or not set(change.managers) <= whole:
        return False
    last = change.path[-1]
    if isinstance(last, Item | Member):
        return False
    return not any(step in _MAPS for step in change.path[:-1])


def _told_inside(change: Change, found: Iterable[Change], live: Mapping[str, Any]) -> bool:
    """Say whether an added item is one of ours whose key was changed: a port by its number, and by its name."""
    if change.what != "added":
        return False
    pointer = _pointer(live, change.path)
    others = (_pointer(live, other.path) for other in found if other.what == "changed")
    return pointer is not None and any(other is not None and other[: len(pointer)] == pointer for other in others)


def _pointer(live: Any, path: Path) -> tuple[str | int, ...] | None:
    """Return a path with list items by number, None when the value is not there."""
    node = live
    found: list[str | int] = []
    for step in path:
        value = child(node, step)
        if value is ABSENT:
            return None
        if isinstance(step, Item | Member):
            index = next(i for i, one in enumerate(node) if one is value or (isinstance(step, Member) and one == value))
            found.append(index)
        else:
            found.append(step)
        node = value
    return tuple(found)


def _position(pointer: tuple[str | int, ...]) -> tuple[tuple[bool, int, str], ...]:
    return tuple((isinstance(p, str), p if isinstance(p, int) else 0, p if isinstance(p, str) else "") for p in pointer)


def _text(pointer: tuple[str | int, ...]) -> str:
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in pointer)


def _told(change: Change) -> str:
    by = f" (by {', '.join(change.managers)})" if change.managers else ""
    if change.what == "added":
        return f"{change.where} was added{by}"
    if change.what == "removed":
        return f"{change.where} is gone{by}"
    return f"{change.where} is {_short(change.live)}, wanted {_short(change.git)}{by}"


def _short(value: Any) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:59] + "…"
