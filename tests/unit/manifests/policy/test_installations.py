"""Every kind of installation meets every rule, and no exemption is there for nothing."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import yaml

from speedscale_manifests.bundle import CONTENT, bundle
from speedscale_manifests.components.inventory import inventory
from speedscale_manifests.policy import EXEMPTIONS, RULES, Finding, check, exempt, findings
from speedscale_manifests.values import from_mapping
from speedscale_schemas.errors import ConfigError

MANAGED = "certificates: {mode: cert-manager, issuerRef: {name: internal}}"
INSTALLATIONS = (
    "{}",
    "{profile: operator}",
    "{ebpf: {enabled: true}}",
    "{profile: operator, ebpf: {enabled: true}, backend: {enabled: true}, operator: {replicas: 3}}",
    "{preset: gke-autopilot}",
    "{preset: openshift, ebpf: {enabled: true}}",
    "{preset: bottlerocket, ebpf: {enabled: true}}",
    "{preset: eks, ebpf: {enabled: true}}",
    "{preset: eks-calico, operator: {replicas: 2}}",
    "{preset: eks-fargate}",
    "{namespaceSelector: [shop, pay], namespace: obs, forwarder: {replicas: 3}}",
    "{namespaceSelector: [shop], profile: operator}",
    "{privilegedSidecars: true, sidecar: {observeDns: true}}",
    f"{{preInstall: {{enabled: true}}, appUrl: x.example.com, {MANAGED}}}",
    "{secretAccessList: ['*'], argocd: {annotations: false}, networkPolicies: {enabled: false}}",
    "{createNamespace: false, deployDemo: '', dashboardAccess: false, dlp: {enabled: false}}",
    "{forwarder: {persistence: {enabled: false}}, image: {pullSecrets: [r]}, operator: {leaderElection: false}}",
    "{hostNetwork: true, globalLabels: {example.com/cost: '42'}, globalAnnotations: {example.com/team: p}}",
    "{ebpf: {enabled: true, nettap: {capture: {podSecurityContext: {capabilities: {add: [BPF, SYS_ADMIN]}}}}}}",
)


@cache
def judged(text: str) -> tuple[Finding, ...]:
    """Return every finding, exempt or not; judging takes a while."""
    values = from_mapping(yaml.safe_load(text))
    objects = [*(item.manifest for item in inventory(values)), *bundle(values)]
    return tuple(findings(objects, values.preset))


@pytest.mark.parametrize("text", INSTALLATIONS)
def test_it_meets_every_rule(text: str) -> None:
    assert [str(finding) for finding in judged(text) if not exempt(finding)] == []


@pytest.mark.parametrize("exemption", EXEMPTIONS, ids=[f"{e.rule} {e.component} {e.container}" for e in EXEMPTIONS])
def test_each_exemption_is_needed_in_full(exemption: Any) -> None:
    covered = [finding for text in INSTALLATIONS for finding in judged(text) if exemption.covers(finding)]
    assert covered, "nothing breaks this rule any more: take the exemption out"
    if exemption.allows != ("*",):
        assert set(exemption.allows) == {finding.what for finding in covered}


@pytest.mark.parametrize(
    "what", ["privileged", "NET_RAW", "SYS_ADMIN", "SYS_RESOURCE", "hostNetwork", "hostPID", "secrets"]
)
def test_nothing_that_values_must_ask_for_is_there_by_default(what: str) -> None:
    assert not [finding for finding in judged("{}") if finding.what == what]


def test_exemptions_have_reasons_and_known_rules() -> None:
    for exemption in EXEMPTIONS:
        assert len(exemption.reason) > 20
        assert exemption.rule in {rule.id for rule in RULES}


def test_an_exemption_is_for_its_component_and_container_only(world: Callable[..., Any]) -> None:
    spoilt = world()
    capture = spoilt.box("DaemonSet", "nettap")
    ingest = spoilt.pod("DaemonSet", "nettap")["containers"][1]
    ingest["securityContext"]["capabilities"] = capture["securityContext"]["capabilities"]
    found = spoilt.findings("no-added-capabilities")
    assert {finding.container for finding in found} == {"speedscale-nettap-ingest"}


def test_what_the_bundle_holds_is_judged_in_profile_operator() -> None:
    values = from_mapping({"profile": "operator"})
    visible = [*(item.manifest for item in inventory(values)), *bundle(values)]
    assert not [
        item for item in visible if item["metadata"]["name"] == "speedscale-forwarder" and item["kind"] == "Deployment"
    ]
    for box in visible:
        if box["metadata"]["name"] == "speedscale-bundle-forwarder":
            key = "deployment-speedscale-forwarder.yaml"
            box["data"][key] = box["data"][key].replace("readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false")
    found = {(finding.rule, str(finding.object)) for finding in check(visible)}
    assert ("read-only-root", "Deployment speedscale/speedscale-forwarder") in found


def test_an_unreadable_bundle_is_an_error_that_says_where(world: Callable[..., Any]) -> None:
    spoilt = world()
    spoilt.one("ConfigMap", "speedscale-bundle-forwarder")["data"]["x.yaml"] = "a: ["
    with pytest.raises(ConfigError, match=r"speedscale-bundle-forwarder: data\['x\.yaml'\]: is no object"):
        spoilt.check()


def test_a_bundle_that_does_not_say_what_it_holds_is_an_error(world: Callable[..., Any]) -> None:
    spoilt = world()
    spoilt.one("ConfigMap", "speedscale-bundle-sidecar")["metadata"]["annotations"].pop(CONTENT)
    with pytest.raises(ConfigError, match=r"speedscale-bundle-sidecar: annotation .* expected managed or templates"):
        spoilt.check()


def test_foreign_objects_can_be_judged_as_well() -> None:
    """Users check their own overlays: nothing may be taken for granted."""
    bare = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"containers": [{"name": "a"}]}}
    found = {finding.rule for finding in check([bare])}
    assert {"run-as-non-root", "image-pinned", "resources-set", "explicit-namespace"} <= found
    assert check([]) == []
