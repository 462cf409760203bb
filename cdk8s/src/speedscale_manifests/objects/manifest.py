"""What a manifest is, and what identifies one.

Called by every builder. Invariant: a manifest holds dicts with string keys, lists, strings, numbers and booleans; never
null, tuples or read-only values, so that every writer and jsii take it as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

Manifest = dict[str, Any]
"""A Kubernetes object, or a part of one, as plain JSON types without null."""


class Reference(NamedTuple):
    """What makes an object the same object: its group (not its version), kind, namespace and name."""

    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        where = f"{self.namespace}/" if self.namespace else ""
        return f"{self.kind} {where}{self.name}"


def reference(manifest: Manifest) -> Reference:
    """Return the identity of an object; KeyError when it has no kind or name."""
    api_version = str(manifest.get("apiVersion", "v1"))
    group = api_version.rpartition("/")[0]
    metadata = manifest["metadata"]
    return Reference(group, str(manifest["kind"]), str(metadata.get("namespace", "")), str(metadata["name"]))


def prune(node: Any) -> Any:
    """Return a changeable copy of JSON without keys and items that are None; read-only values become plain."""
    if isinstance(node, Mapping):
        return {str(key): prune(value) for key, value in node.items() if value is not None}
    if isinstance(node, list | tuple):
        return [prune(item) for item in node if item is not None]
    return node


def tidy(node: Mapping[str, Any]) -> Manifest:
    """Return `prune` of a mapping without its own empty lists and mappings; what is empty further inside stays.

    `emptyDir: {}` and `podSelector: {}` mean something, so only the first level is cleared.
    """
    pruned: Manifest = prune(node)
    return {key: value for key, value in pruned.items() if value not in ({}, [])}
