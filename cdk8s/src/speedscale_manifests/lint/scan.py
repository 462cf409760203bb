"""Where in a document the Kubernetes objects are, and every mapping of annotations and labels.

Called by `engine`. Pure. A list (`kind: List`, `DeploymentList`) is taken apart; a document that is no Kubernetes
object (Helm values, say) is searched for mappings whose key ends in `annotations`. Invariant: each annotation mapping
is found once, under the innermost object that holds it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .model import Document, Path

_WORKLOADS = {
    "": {"Pod"},
    "apps": {"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"},
    "extensions": {"Deployment", "DaemonSet", "ReplicaSet"},  # where they stood before 1.16
    "batch": {"Job", "CronJob"},
    "argoproj.io": {"Rollout"},
}
_HOLDS_ANNOTATIONS = re.compile(r"(^|[a-z])[aA]nnotations$")
_HOLDS_LABELS = re.compile(r"(^|[a-z])[lL]abels$")


@dataclass(frozen=True, slots=True)
class Object:
    """A Kubernetes object inside a document; `path` is where it begins."""

    document: Document
    path: Path
    value: dict[str, Any]

    @property
    def kind(self) -> str:
        """Return the kind, empty when there is none."""
        return text(self.value.get("kind"))

    @property
    def group(self) -> str:
        """Return the API group; empty for the core group."""
        group, slash, _ = text(self.value.get("apiVersion")).rpartition("/")
        return group if slash else ""

    @property
    def name(self) -> str:
        """Return kind and name, for messages."""
        name = text(self.metadata.get("name")) or text(self.metadata.get("generateName"))
        return f"{self.kind} {name}".strip()

    @property
    def metadata(self) -> dict[str, Any]:
        """Return the metadata."""
        return mapping(self.value.get("metadata"))

    @property
    def annotations(self) -> dict[str, Any]:
        """Return the annotations on the object itself."""
        return mapping(self.metadata.get("annotations"))

    @property
    def namespace(self) -> str:
        """Return the namespace that is written down, empty when none is."""
        return text(self.metadata.get("namespace"))

    @property
    def is_workload(self) -> bool:
        """Return whether annotations of ours stand on such an object."""
        return self.kind in _WORKLOADS.get(self.group, ())

    @property
    def is_builtin(self) -> bool:
        """Return whether the kind is one of Kubernetes itself."""
        return "." not in self.group or self.group.endswith(".k8s.io")

    def pod_spec(self) -> tuple[Path, dict[str, Any]]:
        """Return where the pod's spec stands in the document, and the spec."""
        inside: Path = ("spec",) if self.kind == "Pod" else ("spec", "template", "spec")
        if self.kind == "CronJob":
            inside = ("spec", "jobTemplate", "spec", "template", "spec")
        value: Any = self.value
        for part in inside:
            value = mapping(value).get(str(part))
        return (*self.path, *inside), mapping(value)


@dataclass(frozen=True, slots=True)
class Mapping:
    """A mapping of annotations or labels; `owner` is the object around it, None outside of any."""

    document: Document
    owner: Object | None
    path: Path
    value: dict[str, Any]

    @property
    def inside(self) -> Path:
        """Return the path inside the owner."""
        return self.path[len(self.owner.path) :] if self.owner else self.path


def text(value: object) -> str:
    """Return a string as it is, anything else as empty."""
    return value if isinstance(value, str) else ""


def mapping(value: object) -> dict[str, Any]:
    """Return a mapping as it is, anything else as empty."""
    return value if isinstance(value, dict) else {}


def objects(document: Document) -> Iterator[Object]:
    """Yield the document's objects, those inside lists too."""
    stack: list[tuple[Path, Any]] = [((), document.value)]
    while stack:
        path, value = stack.pop()
        if not isinstance(value, dict) or not isinstance(value.get("kind"), str) or "apiVersion" not in value:
            continue
        items = value.get("items")
        if value["kind"].endswith("List") and isinstance(items, list):
            stack += [((*path, "items", index), item) for index, item in reversed(list(enumerate(items)))]
        else:
            yield Object(document, path, value)


def mappings(document: Document) -> tuple[list[Mapping], list[Mapping]]:
    """Return every mapping of annotations, and every mapping of labels, in document order."""
    owners = {found.path: found for found in objects(document)}
    annotations: list[Mapping] = []
    labels: list[Mapping] = []
    stack: list[tuple[Path, Any, Object | None]] = [((), document.value, None)]
    while stack:
        path, value, owner = stack.pop()
        owner = owners.get(path, owner)
        if isinstance(value, list):
            stack += [((*path, index), item, owner) for index, item in reversed(list(enumerate(value)))]
        elif isinstance(value, dict):
            for key, inner in value.items():
                if isinstance(inner, dict) and isinstance(key, str):
                    if _HOLDS_ANNOTATIONS.search(key):
                        annotations.append(Mapping(document, owner, (*path, key), inner))
                    elif _HOLDS_LABELS.search(key):
                        labels.append(Mapping(document, owner, (*path, key), inner))
            stack += [((*path, key), inner, owner) for key, inner in reversed(value.items())]
    return annotations, labels
