"""Names of Kubernetes objects: which one is meant, apart from what it holds.

Called by every module of this package and by those who compare objects. Objects themselves stay plain JSON
(`dict[str, Any]`): their shape is the API server's business, and a new Kubernetes version needs no new class here.
"""

from __future__ import annotations

from typing import Any, NamedTuple

Object = dict[str, Any]


class Ref(NamedTuple):
    """One object by name. `namespace` is empty for kinds that lie in none; refs sort in the order people read them."""

    api_version: str
    kind: str
    namespace: str
    name: str

    @property
    def group(self) -> str:
        """The API group, empty for the core group (`v1`)."""
        return self.api_version.rpartition("/")[0]

    def __str__(self) -> str:
        place = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"{self.kind} {place}"


def ref(obj: Object, namespace: str = "") -> Ref:
    """Return the object's name; `namespace` stands in where the object names none.

    ValueError when `apiVersion`, `kind` or `metadata.name` is missing or no text.
    """
    metadata = obj.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    parts = {
        "apiVersion": obj.get("apiVersion"),
        "kind": obj.get("kind"),
        "metadata.name": metadata.get("name"),
    }
    for path, value in parts.items():
        if not isinstance(value, str) or not value:
            raise ValueError(f"{path} is missing: a Kubernetes object has apiVersion, kind and metadata.name")
    place = metadata.get("namespace") or namespace
    return Ref(str(parts["apiVersion"]), str(parts["kind"]), str(place), str(parts["metadata.name"]))
