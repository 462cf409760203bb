"""An object of the cluster as a construct, exactly as it is given.

`ApiObject(spec=…)` is no way to say a spec in Python, and a mapping handed through jsii as properties loses it: here
metadata goes through the constructor, so that labels and annotations can be added later, and all else as JSON patches.
Called by every construct of ours, and by users for objects of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cdk8s import ApiObject, ApiObjectMetadata, Chart, JsonPatch
from constructs import Construct

from .plain import plain
from .scopes import is_cluster_scoped

_METADATA = ("name", "namespace", "labels", "annotations", "finalizers")


class RawObject(ApiObject):
    """One object, e.g. `RawObject(chart, "limits", {"apiVersion": "v1", "kind": "LimitRange", …})`.

    A namespaced object without a namespace takes the chart's; a cluster-scoped one never does.
    """

    def __init__(
        self, scope: Construct, id: str, manifest: Mapping[str, Any], *, cluster_scoped: bool | None = None
    ) -> None:
        """Take the manifest: plain JSON types with apiVersion, kind and metadata.name.

        `cluster_scoped` says the scope of a kind that Kubernetes does not bring along; None means namespaced, for
        those. Raises ValueError, with the path, for a manifest without a name and for values that JavaScript would
        change (null, integers beyond 53 bits).
        """
        copy = plain(manifest)
        metadata = copy.get("metadata", {})
        missing = [key for key in ("apiVersion", "kind") if not copy.get(key)]
        missing += [] if metadata.get("name") else ["metadata.name"]
        if missing:
            raise ValueError(f"{scope.node.path}/{id}: {', '.join(missing)} is missing; names are always explicit here")
        super().__init__(
            scope,
            id,
            api_version=copy["apiVersion"],
            kind=copy["kind"],
            metadata=ApiObjectMetadata(**{key: metadata[key] for key in _METADATA if metadata.get(key)}),
        )
        patches = [JsonPatch.add(f"/{_pointer(key)}", copy[key]) for key in copy if key not in _OWN]
        patches += [
            JsonPatch.add(f"/metadata/{_pointer(key)}", value)
            for key, value in metadata.items()
            if key not in _METADATA or not value
        ]
        scoped = is_cluster_scoped(copy) if cluster_scoped is None else cluster_scoped
        if scoped and not metadata.get("namespace") and Chart.of(self).namespace:
            patches.append(JsonPatch.remove("/metadata/namespace"))
        if patches:
            self.add_json_patch(*patches)


_OWN = frozenset({"apiVersion", "kind", "metadata"})


def _pointer(key: str) -> str:
    """Return a key as a part of a JSON pointer (RFC 6901)."""
    return key.replace("~", "~0").replace("/", "~1")
