"""When an object is applied: Argo CD's sync waves, hooks and options as annotations.

Other tools ignore them; `argocd.annotations: false` leaves them out. The order they state is part of the product: the
demo must not start before the webhook sees.
"""

from __future__ import annotations

from typing import Final

from speedscale_manifests.values import Values

from .manifest import Manifest

WAVE: Final = "argocd.argoproj.io/sync-wave"
OPTIONS: Final = "argocd.argoproj.io/sync-options"
HOOK: Final = "argocd.argoproj.io/hook"
HOOK_DELETE: Final = "argocd.argoproj.io/hook-delete-policy"

WAVES: Final = {"base": -3, "identity": -2, "webhooks": -1, "operator": 0, "components": 1, "demo": 2}
"""Waves by what is applied in them."""

_LATER_IN_OPERATOR = frozenset({"Deployment", "Service", "PodDisruptionBudget"})
_WEBHOOKS = frozenset({"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"})


def wave(chart: str, manifest: Manifest, *, managed: bool) -> int:
    """Return the sync wave of an object of a chart; `managed`: it is a component's workload or belongs to it."""
    kind = str(manifest["kind"])
    if chart == "base":
        return WAVES["base"]
    if kind in _WEBHOOKS:
        return WAVES["webhooks"]
    if chart == "demo" and managed:
        return WAVES["demo"]
    if managed:
        return WAVES["components"]
    if chart == "operator" and kind in _LATER_IN_OPERATOR:
        return WAVES["operator"]
    return WAVES["identity"]


def stamp(values: Values, chart: str, manifest: Manifest, *, managed: bool) -> Manifest:
    """Return the object with its sync wave, unless the values leave Argo CD's annotations out."""
    return _annotated(values, manifest, {WAVE: str(wave(chart, manifest, managed=managed))})


def option(values: Values, manifest: Manifest, options: str) -> Manifest:
    """Return the object with sync options, e.g. `Prune=false,Delete=false`."""
    return _annotated(values, manifest, {OPTIONS: options})


def hook(values: Values, manifest: Manifest, phase: str, *, delete: str) -> Manifest:
    """Return the object as a hook: `phase` is PreSync, Sync or PostSync, `delete` the policies that remove it."""
    return _annotated(values, manifest, {HOOK: phase, HOOK_DELETE: delete})


def _annotated(values: Values, manifest: Manifest, annotations: dict[str, str]) -> Manifest:
    if not values.argocd.annotations:
        return manifest
    metadata = manifest["metadata"]
    merged = {**metadata.get("annotations", {}), **annotations}
    return {**manifest, "metadata": {**metadata, "annotations": merged}}
