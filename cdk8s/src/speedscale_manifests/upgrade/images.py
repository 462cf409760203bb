"""Image references that change, by reference and not by workload. Called by `compare`. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from .model import ImageChange, Key, Manifest

_LISTS = ("initContainers", "containers", "ephemeralContainers")


def changes(old: Mapping[Key, Manifest], new: Mapping[Key, Manifest]) -> tuple[ImageChange, ...]:
    """Return each image that another takes the place of in the same container, with the workloads that run it."""
    users: dict[tuple[str, str], set[str]] = defaultdict(set)
    for key in old.keys() & new.keys():
        before, after = dict(_images(old[key])), dict(_images(new[key]))
        for container in before.keys() & after.keys():
            if before[container] != after[container]:
                users[before[container], after[container]].add(str(key))
    return tuple(ImageChange(a, b, tuple(sorted(found))) for (a, b), found in sorted(users.items()))


def _images(node: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield (where, image) of every container, wherever in an object a pod is described."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            if key in _LISTS and isinstance(value, list | tuple):
                for item in value:
                    if isinstance(item, Mapping) and isinstance(item.get("image"), str):
                        yield f"{path}.{key}[{item.get('name')}]", item["image"]
            else:
                yield from _images(value, f"{path}.{key}")
