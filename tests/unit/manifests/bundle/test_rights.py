"""The operator may make what the bundle asks of it, and its rights are not asked for anything else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
import yaml

from speedscale_manifests.bundle import CONTENT, bundle
from speedscale_manifests.components import rbac
from speedscale_manifests.objects import Manifest
from speedscale_manifests.values import Values, from_mapping

PLURALS = {
    "ConfigMap": ("", "configmaps"),
    "DaemonSet": ("apps", "daemonsets"),
    "Deployment": ("apps", "deployments"),
    "Job": ("batch", "jobs"),
    "NetworkPolicy": ("networking.k8s.io", "networkpolicies"),
    "PersistentVolumeClaim": ("", "persistentvolumeclaims"),
    "Service": ("", "services"),
    "StatefulSet": ("apps", "statefulsets"),
}
NEEDED = {"get", "create", "patch", "delete"}


def bundled(values: Values, content: str) -> list[Manifest]:
    return [
        yaml.safe_load(text)
        for item in bundle(values)
        if item["metadata"]["annotations"][CONTENT] == content
        for text in item["data"].values()
    ]


def allowed(roles: Iterable[Manifest]) -> dict[tuple[str, str], set[str]]:
    """Return verbs by group and resource, of rules that name no object."""
    found: dict[tuple[str, str], set[str]] = {}
    for role in roles:
        for rule in role["rules"]:
            if "resourceNames" not in rule:
                for group in rule["apiGroups"]:
                    for resource in rule["resources"]:
                        found.setdefault((group, resource), set()).update(rule["verbs"])
    return found


def roles(values: Values, *kinds: str) -> list[Manifest]:
    return [m for m in rbac.COMPONENT.identity(values) if m["kind"] in kinds]


@pytest.mark.parametrize("tree", [{}, {"namespaceSelector": ["shop"]}, {"networkPolicies": {"enabled": False}}])
def test_what_a_replay_is_made_of(tree: dict[str, Any]) -> None:
    values = from_mapping(tree)
    holds = "Role" if values.namespace_selector else "ClusterRole"
    found = allowed(
        r for r in roles(values, holds) if not values.namespace_selector or r["metadata"].get("namespace") == "shop"
    )
    kinds = {m["kind"] for m in bundled(values, "templates")} - {"PodTemplate"}
    assert kinds >= {"Deployment", "Job", "Service"}
    for kind in kinds:
        assert found.get(PLURALS[kind], set()) >= NEEDED, kind
    assert ("NetworkPolicy" in kinds) is values.network_policies.enabled


@pytest.mark.parametrize("replicas", [1, 3])
def test_what_profile_operator_makes(replicas: int) -> None:
    tree = {"backend": {"enabled": True}, "ebpf": {"enabled": True}, "forwarder": {"replicas": replicas}}
    values = from_mapping({**tree, "profile": "operator"})
    found = allowed(r for r in roles(values, "Role") if r["metadata"]["namespace"] == values.namespace)
    cluster = allowed(roles(values, "ClusterRole"))
    for kind in {m["kind"] for m in bundled(values, "managed")}:
        verbs = found.get(PLURALS[kind], set()) | cluster.get(PLURALS[kind], set())
        assert verbs >= NEEDED, kind


def test_nothing_in_the_bundle_grants_rights_or_carries_a_secret() -> None:
    values = from_mapping({"backend": {"enabled": True}, "ebpf": {"enabled": True}, "preset": "openshift"})
    kinds = {m["kind"] for content in ("managed", "templates") for m in bundled(values, content)}
    assert kinds <= {*PLURALS, "PodTemplate"}
