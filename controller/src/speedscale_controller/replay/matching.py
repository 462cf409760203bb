"""Which traffic of a snapshot `tests` and `mocks` mean: an exact key, else a part that fits one key only, else `*`.

Called by `plan`; admission may call it with the keys of a snapshot it knows. Pure. A key of tests belongs to one
workload; `*` means what no other workload names. Nothing is guessed: what fits several keys or none is refused, and the
refusal names the candidates.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from speedscale_schemas.wording import nearest

ALL: Final = "*"
_SHOWN: Final = 8


def one(pattern: str, keys: Collection[str], path: str, what: str) -> tuple[str | None, str]:
    """Return the key that a pattern means, or None and why there is none; `what` is `tests` or `mocks`."""
    if pattern in keys:
        return pattern, ""
    fits = [key for key in keys if pattern in key]
    if len(fits) == 1:
        return fits[0], ""
    if fits:
        return None, f"{path}: {pattern!r} fits {len(fits)} keys: {listed(fits)}; write one of them"
    if not keys:
        return None, f"{path}: {pattern!r}: the snapshot has no {what}"
    near = nearest(pattern, keys)
    hint = f"did you mean {near[0]}? There is {listed(keys)}" if near else f"there is {listed(keys)}"
    return None, f"{path}: {pattern!r} is no key of the snapshot's {what}; {hint}"


def mocks(patterns: Sequence[str], keys: Collection[str], path: str) -> tuple[tuple[str, ...], list[str]]:
    """Return the keys that one workload's `mocks` mean, in the snapshot's order, and the problems."""
    chosen: set[str] = set()
    problems: list[str] = []
    for number, pattern in enumerate(patterns):
        if pattern == ALL:
            chosen.update(keys)
            continue
        key, problem = one(pattern, keys, f"{path}.mocks[{number}]", "mocks")
        if key is None:
            problems.append(problem)
        else:
            chosen.add(key)
    return tuple(key for key in keys if key in chosen), problems


def tests(
    wanted: Sequence[tuple[str, Sequence[str]]], keys: Collection[str]
) -> tuple[list[tuple[str, ...]], list[str]]:
    """Return the keys of each workload's `tests`, and the problems; `wanted` is (path, patterns) by workload.

    A key that two workloads name is a problem; of several `*` the first gets what is left.
    """
    owner: dict[str, int] = {}
    problems: list[str] = []
    for index, (path, patterns) in enumerate(wanted):
        for number, pattern in enumerate(patterns):
            if pattern == ALL:
                continue
            key, problem = one(pattern, keys, f"{path}.tests[{number}]", "tests")
            if key is None:
                problems.append(problem)
            elif owner.setdefault(key, index) != index:
                first = wanted[owner[key]][0]
                problems.append(f"{path}.tests[{number}]: {key} is claimed by {first} already; a test runs once")
    rest = [index for index, (_, patterns) in enumerate(wanted) if ALL in patterns]
    for key in keys:
        if rest:
            owner.setdefault(key, rest[0])
    for index in rest[1:]:
        path = wanted[index][0]
        problems.append(f"{path}.tests: '*' stands at {wanted[rest[0]][0]} already, which gets all tests that are left")
    return [tuple(k for k in keys if owner.get(k) == i) for i in range(len(wanted))], problems


def listed(keys: Collection[str]) -> str:
    """Return keys as people read them, the first few."""
    shown = sorted(keys)[:_SHOWN]
    more = len(keys) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
