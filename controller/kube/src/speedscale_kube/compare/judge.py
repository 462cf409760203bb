"""One object: git's form, the live one, and what applying would make of it → the fields that drifted. Pure.

Called by `speedctl diff` and by the controller. The order of the questions is the order of the functions: what git
says and the cluster does not do (`overwritten`), then what the cluster has and git does not say (`added`).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from speedscale_schemas.annotations.quantities import amount

from . import ownership
from .change import Change
from .fields import differences, equal, subset
from .known import UNCOMPARED, is_controller, is_mark
from .ownership import Entry
from .paths import ABSENT, ORDER, Item, Member, Path, child, text, value_at

HIDDEN = "(hidden)"
_METADATA = ("annotations", "labels")


def judge(
    desired: Mapping[str, Any],
    live: Mapping[str, Any],
    applied: Mapping[str, Any] | None,
    trusted: frozenset[str] = frozenset(),
) -> list[Change]:
    """Return the changes of one object, by path.

    `applied` is what a dry run of server-side apply made of it, None where the server would not do one: then git's
    form is compared with the live one by our own knowledge of quantities and empty values. `trusted` are managers
    whose fields the user does not want to see.
    """
    found = ownership.entries(live)
    changes = [*_overwritten(desired, live, applied, found, trusted), *_added(desired, live, found, trusted)]
    unique = {change.path: change for change in reversed(changes)}
    whole = [c for c in unique.values() if not any(c.path[:n] in unique for n in range(1, len(c.path)))]
    if desired.get("kind") == "Secret":
        whole = [_hidden(change) for change in whole]
    return sorted(whole, key=lambda change: change.where)


def recorded_defaults(changes: list[Change], fresh: Mapping[str, Any]) -> list[Change]:
    """Return the changes without additions that an untouched object has too.

    A manager that creates or replaces objects whole (`kubectl create`, Helm) is recorded as having set the defaults.
    `fresh` is what the server would make of git's form in a new object.
    """
    return [c for c in changes if not (c.what == "added" and not list(differences(value_at(fresh, c.path), c.live)))]


def needs_defaults(changes: list[Change], live: Mapping[str, Any]) -> bool:
    """Say whether some addition is recorded by an Update, so that it may be a default."""
    updaters = {entry.manager for entry in ownership.entries(live) if entry.operation != "Apply"}
    return any(change.what == "added" and updaters & set(change.managers) for change in changes)


def _overwritten(
    desired: Mapping[str, Any],
    live: Mapping[str, Any],
    applied: Mapping[str, Any] | None,
    found: tuple[Entry, ...],
    trusted: frozenset[str],
) -> Iterator[Change]:
    """Yield what applying would change, at paths that git names."""
    pairs = subset(desired, live, same=_means_same) if applied is None else differences(applied, live)
    for difference in pairs:
        path = _real(difference.path)
        owners = ownership.owners(found, live, path) if difference.live is not ABSENT else ()
        named = _named(desired, path, difference.live is not ABSENT)
        if UNCOMPARED.search(text(path)) or not (named or (owners and not _marked(path))):
            continue  # a default, or what admission makes of it
        if owners and all(is_controller(owner.manager, trusted) for owner in owners):
            continue  # a HorizontalPodAutoscaler's replicas
        shown_by_server = difference.git is ABSENT or path != difference.path or _numbered(path) < len(path)
        stated = ABSENT if shown_by_server else value_at(desired, path)
        git = difference.git if stated is ABSENT else stated  # without the defaults that the server put in
        yield _change(difference.path, git, difference.live, owners)


def _added(
    desired: Mapping[str, Any], live: Mapping[str, Any], found: tuple[Entry, ...], trusted: frozenset[str]
) -> Iterator[Change]:
    """Yield what somebody set that git does not name."""
    seen: set[Path] = set()
    for entry in found:
        if is_controller(entry.manager, trusted):
            continue
        for leaf in ownership.leaves(entry.tree, live):
            path = _missing(desired, live, leaf)
            if path is None or path in seen or UNCOMPARED.search(text(path)) or _marked(path):
                continue
            seen.add(path)
            owners = ownership.owners(found, live, path)
            people = tuple(owner for owner in owners if not is_controller(owner.manager, trusted))
            yield _change(path, ABSENT, value_at(live, path), people)


def _missing(desired: Mapping[str, Any], live: Mapping[str, Any], leaf: Path) -> Path | None:
    """Return the part of an owned path to report because git does not have it: a whole list item, else the field."""
    node: Any = desired
    for depth, step in enumerate(leaf):
        if not isinstance(node, Mapping | list):
            return None  # git has a scalar here: a change, not an addition
        node = child(node, step)
        if node is ABSENT:
            if value_at(live, leaf[: depth + 1]) in ({}, [], None):
                return None  # an empty value is what an absent one is stored as
            items = (n for n in range(depth, len(leaf)) if isinstance(leaf[n], Item | Member))
            return leaf[: next(items, len(leaf) - 1) + 1]
    return None


def _named(desired: Mapping[str, Any], path: Path, lives: bool) -> bool:
    """Say whether git names the path, or (of what `lives`) the list that applying would take it out of.

    A list whose items have numbers only is one value: git names all of it or nothing, and numbers shift. What does not
    live and git does not name is what admission would put in: a sidecar.
    """
    path = path[: _numbered(path)]
    if value_at(desired, path) is not ABSENT:
        return True
    in_list = bool(path) and not isinstance(path[-1], str)
    return lives and in_list and isinstance(value_at(desired, path[:-1]), list)


def _numbered(path: Path) -> int:
    """Return where the first item stands that is named by its number; the length when there is none."""
    return next((index for index, step in enumerate(path) if isinstance(step, int)), len(path))


def _real(path: Path) -> Path:
    return path[:-1] if path and path[-1] == ORDER else path


def _marked(path: Path) -> bool:
    """Say whether a path is a tool's mark: a label or annotation of the object or of its pod template."""
    pairs = itertools.pairwise(path)
    return any(parent in _METADATA and isinstance(name, str) and is_mark(name) for parent, name in pairs)


def _change(path: Path, git: Any, live: Any, owners: tuple[Entry, ...]) -> Change:
    latest = max((owner.time for owner in owners), default="")
    return Change(path, git, live, tuple(sorted({owner.manager for owner in owners})), latest)


def _hidden(change: Change) -> Change:
    git, live = (value if value is ABSENT else HIDDEN for value in (change.git, change.live))
    return Change(change.path, git, live, change.managers, change.time)


def _means_same(path: Path, git: Any, live: Any) -> bool:
    """Compare scalars without the server's help: quantities by amount, numbers in text as they are."""
    if equal(path, git, live):
        return True
    if not {"limits", "requests", "capacity", "hard", "sizeLimit", "divisor"} & set(path):
        return False
    try:
        return amount(str(git)) == amount(str(live))
    except (ValueError, TypeError):
        return False
