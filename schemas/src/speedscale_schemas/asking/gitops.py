"""Whose an object is: the GitOps tool that would undo what is changed by hand.

Pure. Used by verbs that write to users' objects or remove ours: such a change belongs into git. Marks are those that
the tools themselves leave (Argo CD, "Resource Tracking"; Flux, labels of its controllers), and as a second proof the
field managers of their appliers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_ARGO_ANNOTATION: Final = "argocd.argoproj.io/tracking-id"
_ARGO_LABEL: Final = "argocd.argoproj.io/instance"
_FLUX: Final = {"kustomize.toolkit.fluxcd.io/name": "Kustomization", "helm.toolkit.fluxcd.io/name": "HelmRelease"}
_MANAGERS: Final = {
    "argocd-controller": "Argo CD",
    "argocd-application-controller": "Argo CD",
    "kustomize-controller": "Flux",
    "helm-controller": "Flux",
}


@dataclass(frozen=True, slots=True)
class Owner:
    """The tool, and its object that declares this one (empty where only the tool is known)."""

    tool: str
    name: str = ""

    def __str__(self) -> str:
        kind = {"Argo CD": "Application "}.get(self.tool, "")
        return f"{self.tool} ({kind}{self.name})" if self.name else self.tool


def owner(obj: Mapping[str, Any]) -> Owner | None:
    """Return the GitOps tool that has this object in git, None where no mark of one is on it."""
    meta = obj.get("metadata") or {}
    annotations, labels = meta.get("annotations") or {}, meta.get("labels") or {}
    if tracking := annotations.get(_ARGO_ANNOTATION):
        return Owner("Argo CD", str(tracking).partition(":")[0])
    if name := labels.get(_ARGO_LABEL):
        return Owner("Argo CD", str(name))
    for label, kind in _FLUX.items():
        if label in labels:
            place = labels.get(label.replace("/name", "/namespace"), "")
            return Owner("Flux", f"{kind} {place}/{labels[label]}" if place else f"{kind} {labels[label]}")
    for entry in meta.get("managedFields") or ():
        if tool := _MANAGERS.get(str(entry.get("manager", ""))):
            return Owner(tool)
    return None
