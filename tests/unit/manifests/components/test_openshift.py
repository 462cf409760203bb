"""SecurityContextConstraints: closed, but for what is named."""

from __future__ import annotations

from speedscale_manifests.components import openshift
from speedscale_manifests.values import from_mapping


def test_only_on_openshift() -> None:
    assert openshift.applies(from_mapping({"preset": "openshift"}))
    assert not openshift.applies(from_mapping({"preset": "eks"}))
    assert not openshift.applies(from_mapping({}))


def test_everything_is_closed_unless_named() -> None:
    values = from_mapping({"preset": "openshift"})
    closed = openshift.constraints(values, "nettap")
    assert not [key for key, value in closed.items() if key.startswith("allow") and value]
    assert "hostPath" not in closed["volumes"]
    assert "namespace" not in closed["metadata"]
    opened = openshift.constraints(values, "nettap", allowHostPID=True, allowedCapabilities=["BPF"])
    changed = {key for key in opened if opened[key] != closed[key]}
    assert changed == {"allowHostPID", "allowedCapabilities"}


def test_the_right_names_them() -> None:
    rule = openshift.use("speedscale-nettap").rule()
    assert rule == {
        "apiGroups": ["security.openshift.io"],
        "resources": ["securitycontextconstraints"],
        "verbs": ["use"],
        "resourceNames": ["speedscale-nettap"],
    }
