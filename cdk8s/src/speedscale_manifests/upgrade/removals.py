"""What is lost with an object that is no longer there. Called by `compare`. A table. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from .model import Key, Manifest, Risk

_SYNC = "argocd.argoproj.io/sync-options"
_KEEP = "helm.sh/resource-policy"

_LOST: Mapping[tuple[str, str], tuple[Risk, str]] = {
    ("", "Namespace"): (Risk.LOSS, "everything in the namespace is deleted with it"),
    ("apiextensions.k8s.io", "CustomResourceDefinition"): (Risk.LOSS, "every object of this kind is deleted with it"),
    ("", "PersistentVolumeClaim"): (
        Risk.LOSS,
        "its volume is deleted with all it holds, unless the reclaim policy is Retain",
    ),
    ("", "PersistentVolume"): (Risk.LOSS, "the volume is no longer known to the cluster"),
    ("", "Secret"): (Risk.LOSS, "its content is in no repository: keep a copy if it is still needed"),
    ("apps", "StatefulSet"): (Risk.NOTE, "its pods stop; their claims stay"),
    ("apps", "Deployment"): (Risk.NOTE, "its pods stop"),
    ("apps", "DaemonSet"): (Risk.NOTE, "its pods stop on every node"),
    ("batch", "Job"): (Risk.NOTE, "its pods stop"),
    ("", "Service"): (Risk.NOTE, "its name no longer resolves"),
    ("", "ServiceAccount"): (Risk.NOTE, "tokens of it are void"),
    ("policy", "PodDisruptionBudget"): (Risk.NOTE, "a drain may stop all its pods at once"),
    ("networking.k8s.io", "NetworkPolicy"): (Risk.NOTE, "pods it selected may speak to more, if no other selects them"),
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"): (
        Risk.NOTE,
        "what it changed is no longer changed",
    ),
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"): (Risk.NOTE, "what it refused is let in"),
}


def lost(key: Key, manifest: Manifest) -> tuple[Risk, str]:
    """Return how grave the removal of an object is, what goes with it, and what holds the removal up."""
    risk, note = _LOST.get((key.group, key.kind), (Risk.NONE, ""))
    annotations = (manifest.get("metadata") or {}).get("annotations") or {}
    options = {option.strip() for option in str(annotations.get(_SYNC, "")).split(",")}
    if "Prune=false" in options:
        note = f"Argo CD leaves it in the cluster (Prune=false): delete it by hand; then {note}"
    elif "Prune=confirm" in options:
        note = f"Argo CD asks before it prunes it; {note}"
    if annotations.get(_KEEP) == "keep":
        note += "; Helm leaves it in the cluster"
    return risk, note
