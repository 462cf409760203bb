"""Two plain JSON values → where they differ, each difference once and as deep as it can be named.

Called by `judge`, with what git would give on one side and the live object on the other. Pure.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from .paths import ABSENT, ORDER, Member, Path, child, item, keys_of

_MAPS = {"data", "stringData", "binaryData", "labels", "annotations", "matchLabels", "nodeSelector", "parameters"}
Same = Callable[[Path, Any, Any], bool]


class Difference(NamedTuple):
    """One place: the value by git and the live one; ABSENT where there is none."""

    path: Path
    git: Any
    live: Any


def equal(path: Path, git: Any, live: Any) -> bool:
    """Say whether two scalars are the same; 1 and true are not, 1 and 1.0 are (JSON has one number)."""
    return isinstance(git, bool) == isinstance(live, bool) and bool(git == live)


def differences(git: Any, live: Any, path: Path = (), *, same: Same = equal) -> Iterator[Difference]:
    """Yield where two values differ, in the order of the paths; `same` compares scalars."""
    if isinstance(git, Mapping) and isinstance(live, Mapping):
        for name in sorted({*git, *live}):
            yield from differences(git.get(name, ABSENT), live.get(name, ABSENT), (*path, name), same=same)
    elif isinstance(git, list) and isinstance(live, list):
        yield from _lists(git, live, path, same)
    elif git is ABSENT or live is ABSENT or not _scalars_same(path, git, live, same):
        yield Difference(path, git, live)


def subset(git: Any, live: Any, path: Path = (), *, same: Same = equal) -> Iterator[Difference]:
    """Yield where `live` does not hold what `git` says; what only `live` has is nobody's business here."""
    if isinstance(git, Mapping) and isinstance(live, Mapping):
        for name in sorted(git):
            inner = live.get(name, ABSENT)
            if inner is ABSENT and (git[name] in ({}, [], None) or (git[name] == "" and not _is_map(path))):
                continue  # an empty value of a field is stored as none
            yield from subset(git[name], inner, (*path, name), same=same)
    elif isinstance(git, list) and isinstance(live, list):
        names = keys_of(git, live)
        if names is None:
            yield from _lists(git, live, path, same, within=subset)
            return
        for value in git:
            step = item(value, names)
            yield from subset(value, child(live, step), (*path, step), same=same)
    elif git is ABSENT or live is ABSENT or not _scalars_same(path, git, live, same):
        yield Difference(path, git, live)


def _is_map(path: Path) -> bool:
    """Say whether the names below a path are the user's own, so that an empty text is kept."""
    return bool(path) and path[-1] in _MAPS


def _scalars_same(path: Path, git: Any, live: Any, same: Same) -> bool:
    containers = isinstance(git, Mapping | list) or isinstance(live, Mapping | list)
    return git == live if containers else same(path, git, live)


def _lists(
    git: list[Any], live: list[Any], path: Path, same: Same, within: Callable[..., Iterator[Difference]] = differences
) -> Iterator[Difference]:
    names = keys_of(git, live) if git and live else keys_of(git or live)
    if names is not None:
        yield from _keyed(git, live, path, same, names)
    elif all(not isinstance(value, Mapping | list) for value in [*git, *live]):
        yield from _scalars(git, live, path, same)
    else:
        yield from _aligned(git, live, path, same, within)


def _keyed(git: list[Any], live: list[Any], path: Path, same: Same, names: tuple[str, ...]) -> Iterator[Difference]:
    steps = [[item(value, names) for value in values] for values in (git, live)]
    for step in dict.fromkeys([*steps[0], *steps[1]]):
        yield from differences(child(git, step), child(live, step), (*path, step), same=same)
    common = [[step for step in one if step in other] for one, other in (steps, reversed(steps))]
    if common[0] != common[1]:
        yield Difference((*path, ORDER), _shown(common[0]), _shown(common[1]))


def _shown(steps: list[Any]) -> list[str]:
    return ["/".join(str(value) for _, value in step.key) for step in steps]


def _scalars(git: list[Any], live: list[Any], path: Path, same: Same) -> Iterator[Difference]:
    """Yield members that came or went where the rest stands in the same order, else the whole list."""
    if len(git) == len(live) and all(same(path, one, other) for one, other in zip(git, live, strict=True)):
        return
    kept_git, kept_live = [v for v in git if v in live], [v for v in live if v in git]
    unique = len({repr(v) for v in git}) == len(git) and len({repr(v) for v in live}) == len(live)
    if unique and kept_git == kept_live and git and live:
        yield from (Difference((*path, Member(value)), value, ABSENT) for value in git if value not in live)
        yield from (Difference((*path, Member(value)), ABSENT, value) for value in live if value not in git)
    else:
        yield Difference(path, git, live)


def _aligned(
    git: list[Any], live: list[Any], path: Path, same: Same, within: Callable[..., Iterator[Difference]]
) -> Iterator[Difference]:
    """Compare lists whose items have no name: equal ones are paired, what is between them is compared in order."""
    one_text, other_text = ([json.dumps(value, sort_keys=True) for value in values] for values in (git, live))
    matcher = difflib.SequenceMatcher(None, one_text, other_text, autojunk=False)
    for tag, low, high, first, last in matcher.get_opcodes():
        if tag == "equal":
            continue
        for offset in range(max(high - low, last - first)):
            one = git[low + offset] if low + offset < high else ABSENT
            other = live[first + offset] if first + offset < last else ABSENT
            index = first + offset if other is not ABSENT else low + offset
            yield from within(one, other, (*path, index), same=same)
