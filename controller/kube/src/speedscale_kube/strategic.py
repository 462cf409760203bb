"""Strategic merge patch for workloads, as `kubectl patch` means it: maps are merged, lists by a key. Pure.

Called where a patch has to be applied without asking the API server: it stands in a TrafficReplay, and admission
answers from memory. The keys are those that Kubernetes' API types give to the lists of a pod (`patchMergeKey`); any
other list is replaced whole. null takes a field away. Directives: `$patch: delete`, `$patch: replace`, `$retainKeys`.
Those that only kubectl computes (`$setElementOrder/…`, `$deleteFromPrimitiveList/…`) are told by `problems`.
Source: kubernetes/community, contributors/devel/sig-api-machinery/strategic-merge-patch.md.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

KEYS: Final[Mapping[str, str]] = {
    "containers": "name",
    "initContainers": "name",
    "volumes": "name",
    "imagePullSecrets": "name",
    "hostAliases": "ip",
    "topologySpreadConstraints": "topologyKey",
    "env": "name",
    "ports": "containerPort",
    "volumeMounts": "mountPath",
    "volumeDevices": "devicePath",
}
"""Lists that are merged, and the key of their elements."""

_DIRECTIVE, _RETAIN = "$patch", "$retainKeys"
_DEEPEST: Final = 50


def merged(given: Any, change: Any, name: str = "") -> Any:
    """Return `given` with `change` applied; neither is changed. `name` is the field that both stand in.

    `change` has to be free of `problems`.
    """
    if isinstance(change, Mapping):
        return _map(given if isinstance(given, Mapping) else {}, change)
    if isinstance(change, list) and name in KEYS:
        return _list(given if isinstance(given, list) else [], change, KEYS[name])
    return copy.deepcopy(change)


def problems(change: Any, path: str = "", name: str = "") -> Iterator[tuple[str, str]]:
    """Yield path and reason of what cannot be applied: unknown directives, elements without their key, depth."""
    if path.count("/") > _DEEPEST:
        yield path, "is nested too deeply"
    elif isinstance(change, Mapping):
        for key, value in change.items():
            here = f"{path}/{key}"
            if not isinstance(key, str):
                yield here, "the name of a field has to be a string"
            elif key.startswith("$"):
                yield from _directive(here, key, value)
            else:
                yield from problems(value, here, key)
    elif isinstance(change, list):
        key = KEYS.get(name)
        for index, item in enumerate(change):
            here = f"{path}/{index}"
            if key and not (isinstance(item, Mapping) and (item.get(key) or set(item) == {_DIRECTIVE})):
                yield here, f"an element of {name} is merged by its {key}, which is missing"
            yield from problems(item, here)


def _directive(here: str, key: str, value: Any) -> Iterator[tuple[str, str]]:
    if key == _DIRECTIVE and value in ("delete", "replace", "merge"):
        return
    if key == _RETAIN and isinstance(value, list) and all(isinstance(one, str) for one in value):
        return
    yield here, "is no directive that can be applied; $patch (delete, replace, merge) and $retainKeys can"


def _map(given: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    plain = {key: value for key, value in change.items() if not key.startswith("$")}
    if change.get(_DIRECTIVE) == "replace":
        return copy.deepcopy(plain)
    made = {key: copy.deepcopy(value) for key, value in given.items() if key not in plain}
    result: dict[str, Any] = {}
    for key in [*(key for key in given if key in made or key in plain), *(key for key in plain if key not in given)]:
        if key in made:
            result[key] = made[key]
        elif not _deletes(plain[key]):
            result[key] = merged(given.get(key), plain[key], key)
    retained = change.get(_RETAIN)
    return {key: value for key, value in result.items() if retained is None or key in retained}


def _deletes(value: Any) -> bool:
    return value is None or (isinstance(value, Mapping) and value.get(_DIRECTIVE) == "delete")


def _list(given: Sequence[Any], change: Sequence[Mapping[str, Any]], key: str) -> list[Any]:
    if any(item.get(_DIRECTIVE) == "replace" and key not in item for item in change):
        return [_map({}, item) for item in change if key in item]
    made = [copy.deepcopy(item) for item in given]
    for item in change:
        same = [index for index, there in enumerate(made) if isinstance(there, Mapping) and there.get(key) == item[key]]
        if item.get(_DIRECTIVE) == "delete":
            made = [there for index, there in enumerate(made) if index not in same]
        elif same:
            made[same[0]] = _map(made[same[0]], item)
        else:
            made.append(_map({}, item))
    return made
