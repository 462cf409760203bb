"""Every switch of the values, alone and in pairs, drawn from the schema: a new switch is in the matrix by itself.

    SWITCHES              -> every value of a boolean or an enum that is not its default; a preset and a profile too
    tree(*switches)       -> the values that set these, and what they cannot be without
    pairs()               -> all pairs of different settings
    rows(accepts)         -> few trees in which each pair that `accepts` takes occurs in at least one

Not in it are Kubernetes' own types (security contexts): what weakens a pod there is refused by policy, as it should be.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from speedscale_schemas import validation

Tree = dict[str, Any]
Path = tuple[str, ...]


class Switch(NamedTuple):
    """One setting at one value."""

    path: Path
    value: Any

    def __str__(self) -> str:
        return f"{'.'.join(self.path)}={self.value}"


def _resolved(node: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in node:
        return node
    target = validation.schema("values")["$defs"][node["$ref"].rpartition("/")[2]]
    return {**target, **{key: value for key, value in node.items() if key != "$ref"}}


def _switches(node: Mapping[str, Any], path: Path = ()) -> Iterator[Switch]:
    for key, raw in node.get("properties", {}).items():
        inner = _resolved(raw)
        if inner.get("deprecated") or key.endswith("ecurityContext"):
            continue
        if inner.get("type") == "boolean":
            yield Switch((*path, key), not inner["default"])
        elif "enum" in inner:
            yield from (Switch((*path, key), value) for value in inner["enum"] if value != inner["default"])
        else:
            yield from _switches(inner, (*path, key))


SWITCHES: tuple[Switch, ...] = tuple(_switches(validation.schema("values")))

# What a switch cannot be without: (path, value) -> settings that stand unless another switch sets them.
_COMPANIONS: Mapping[tuple[Path, Any], tuple[tuple[Path, Any], ...]] = {
    (("createTLSCerts",), False): ((("certificates", "mode"), "manual"),),
    (("certificates", "mode"), "cert-manager"): ((("certificates", "issuerRef", "name"), "issuer"),),
}


def tree(*switches: Switch) -> Tree:
    """Return the values that set these switches."""
    given = {switch.path: switch.value for switch in switches}
    for switch in switches:
        for path, value in _COMPANIONS.get((switch.path, switch.value), ()):
            given.setdefault(path, value)
    made: Tree = {}
    for path, value in given.items():
        node = made
        for key in path[:-1]:
            node = node.setdefault(key, {})
        node[path[-1]] = value
    return made


def pairs() -> Iterator[tuple[Switch, Switch]]:
    """Yield all pairs of switches of different settings."""
    return ((a, b) for a, b in itertools.combinations(SWITCHES, 2) if a.path != b.path)


def rows(accepts: Callable[[Tree], bool], seed: int = 0) -> Iterator[tuple[Switch, ...]]:
    """Yield sets of switches so that each accepted pair stands in one of them: a covering array, made greedily."""
    rng = random.Random(seed)
    open_pairs = {frozenset(pair) for pair in pairs() if accepts(tree(*pair))}
    while open_pairs:
        row = sorted(min(open_pairs, key=sorted))
        candidates = list(SWITCHES)
        rng.shuffle(candidates)
        candidates.sort(key=lambda one: -sum(frozenset((one, other)) in open_pairs for other in row))
        for one in candidates:
            taken = {other.path for other in row}
            gains = any(frozenset((one, other)) in open_pairs for other in row)
            if one.path not in taken and gains and accepts(tree(*row, one)):
                row.append(one)
        open_pairs -= {frozenset(pair) for pair in itertools.combinations(row, 2)}
        yield tuple(row)
