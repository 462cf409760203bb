"""Argo CD's waves, hooks and options."""

from __future__ import annotations

import pytest

from speedscale_manifests.objects import hook, option, stamp, waves
from speedscale_manifests.values import from_mapping

VALUES = from_mapping({})


def thing(kind: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": "a"}}


@pytest.mark.parametrize(
    ("chart", "kind", "managed", "expected"),
    [
        ("base", "Namespace", False, -3),
        ("base", "CustomResourceDefinition", False, -3),
        ("operator", "ServiceAccount", False, -2),
        ("operator", "ConfigMap", False, -2),
        ("operator", "NetworkPolicy", False, -2),
        ("operator", "MutatingWebhookConfiguration", False, -1),
        ("operator", "ValidatingWebhookConfiguration", False, -1),
        ("operator", "Deployment", False, 0),
        ("operator", "Service", False, 0),
        ("operator", "PodDisruptionBudget", False, 0),
        ("forwarder", "ServiceAccount", False, -2),
        ("forwarder", "ConfigMap", True, 1),
        ("backend", "PersistentVolumeClaim", True, 1),
        ("demo", "ServiceAccount", False, -2),
        ("demo", "Deployment", True, 2),
    ],
)
def test_waves(chart: str, kind: str, managed: bool, expected: int) -> None:
    assert waves.wave(chart, thing(kind), managed=managed) == expected
    stamped = stamp(VALUES, chart, thing(kind), managed=managed)
    assert stamped["metadata"]["annotations"] == {"argocd.argoproj.io/sync-wave": str(expected)}


def test_annotations_are_added_to_a_copy() -> None:
    original = thing("Service")
    both = option(VALUES, stamp(VALUES, "base", original, managed=False), "Prune=false")
    assert set(both["metadata"]["annotations"]) == {waves.WAVE, waves.OPTIONS}
    assert original == thing("Service")


def test_a_hook_is_deleted_by_policy() -> None:
    found = hook(VALUES, thing("Job"), "PreSync", delete="HookSucceeded")["metadata"]["annotations"]
    assert found == {waves.HOOK: "PreSync", waves.HOOK_DELETE: "HookSucceeded"}


def test_other_tools_may_do_without_all_of_it() -> None:
    without = from_mapping({"argocd": {"annotations": False}})
    assert stamp(without, "base", thing("Namespace"), managed=False) == thing("Namespace")
    assert option(without, thing("Job"), "Prune=false") == thing("Job")
    assert hook(without, thing("Job"), "Sync", delete="HookSucceeded") == thing("Job")
