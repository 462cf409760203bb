"""Which GitOps tool owns a live object, by the marks that it leaves. Pure.

A tool that reconciles mends its objects itself, and two that mend one object with different wishes never rest. So what
bears such a mark is looked at and told, never written. Helm alone is none: it writes when somebody runs it and
mends nothing, and its release brings the new bundle along. Flux's HelmRelease is one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_MARKS: Final = (
    # part of metadata, name or (ending in /) prefix, tool
    ("annotations", "argocd.argoproj.io/tracking-id", "Argo CD"),
    ("labels", "argocd.argoproj.io/instance", "Argo CD"),
    ("labels", "kustomize.toolkit.fluxcd.io/", "Flux"),
    ("labels", "helm.toolkit.fluxcd.io/", "Flux"),
    # Argo CD's own default until version 3; Helm charts bear it as well, and then together with meta.helm.sh
    ("labels", "app.kubernetes.io/instance", "Argo CD"),
)
_HELM: Final = "meta.helm.sh/release-name"
_INSTANCE: Final = "app.kubernetes.io/instance"


def gitops_tool(live: Mapping[str, Any], desired: Mapping[str, Any] | None = None) -> str:
    """Return the tool that owns a live object, as people call it; empty when none does.

    A label that the wanted form bears itself (`globalLabels`) is no mark.
    """
    ours = {part: _part(desired or {}, part) for part in ("annotations", "labels")}
    helm = _HELM in _part(live, "annotations")
    for part, mark, tool in _MARKS:
        for name in _part(live, part):
            found = name == mark or (mark.endswith("/") and name.startswith(mark))
            if found and name not in ours[part] and not (mark == _INSTANCE and helm):
                return tool
    return ""


def _part(obj: Mapping[str, Any], part: str) -> Mapping[str, Any]:
    metadata = obj.get("metadata")
    found = metadata.get(part) if isinstance(metadata, Mapping) else None
    return found if isinstance(found, Mapping) else {}
