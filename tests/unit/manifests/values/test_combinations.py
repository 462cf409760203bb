"""Every rule about several values: what fires it, whom it blames, and that ordinary values do not."""

from __future__ import annotations

from typing import Any

import pytest

from speedscale_manifests import values as v
from speedscale_manifests.values.combinations import LAYER, MERGED

EXPORTER = {"otel_endpoint": "http://otelcol.example.com:4318"}
TARGETS = "ebpf.configuration.capture.targets"


def target(**more: Any) -> dict[str, Any]:
    selector = {"podSelector": {"matchLabels": {"app": "x"}}, **more}
    return {"ebpf": {"enabled": True, "configuration": {"capture": {"targets": [{"name": "t", **selector}]}}}}


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("api-key", {"apiKey": "abc"}, "apiKey"),
    ("secret-in-values", {"http_proxy": "http://u:hunter2@proxy:3128"}, "http_proxy"),
    ("secret-in-values", {"globalAnnotations": {"a": "-----BEGIN RSA PRIVATE KEY-----"}}, "globalAnnotations.a"),
    (
        "secret-in-values",
        {"forwarder": {"exporters": {"x": {"otel_endpoint": "https://u:p@h:4318"}}}},
        "forwarder.exporters.x.otel_endpoint",
    ),
    ("leader-election", {"operator": {"replicas": 2, "leaderElection": False}}, "operator.leaderElection"),
    ("certificates-off", {"createTLSCerts": False}, "createTLSCerts"),
    ("issuer-missing", {"certificates": {"mode": "cert-manager"}}, "certificates.issuerRef.name"),
    ("nettap-impossible", {"preset": "gke-autopilot", "ebpf": {"enabled": True}}, "ebpf.enabled"),
    ("nettap-impossible", {"preset": "eks-fargate", "ebpf": {"enabled": True}}, "ebpf.enabled"),
    ("preset-limit", {"preset": "eks-fargate", "privilegedSidecars": True}, "privilegedSidecars"),
    (
        "exporter-keys",
        {"forwarder": {"exporters": {"x": {"filter_rule": "standard"}}}},
        "forwarder.exporters.x.otel_endpoint",
    ),
    ("exporter-keys", {"forwarder": {"exporters": {"x": {"type": "s3"}}}}, "forwarder.exporters.x.bucket"),
    (
        "exporter-keys",
        {"forwarder": {"exporters": {"x": {"type": "s3", "bucket": "b", "topic": "t"}}}},
        "forwarder.exporters.x.topic",
    ),
    (
        "exporter-keys",
        {"forwarder": {"exporters": {"x": {"type": "kafka", "brokers": ["k:1"], "topic": "t", "saslSecret": "s"}}}},
        "forwarder.exporters.x.saslSecret",
    ),
    (
        "exporter-address",
        {"forwarder": {"exporters": {"x": {"otel_endpoint": "http://a:99999"}}}},
        "forwarder.exporters.x.otel_endpoint",
    ),
    ("unknown-rule", {"filterRule": "standrd"}, "filterRule"),
    ("unknown-rule", {"dlp": {"config": "none"}}, "dlp.config"),
    (
        "unknown-rule",
        {"forwarder": {"exporters": {"x": {**EXPORTER, "dlp_config_id": "q"}}}},
        "forwarder.exporters.x.dlp_config_id",
    ),
    ("invalid-rule", {"rules": {"filters": {"f": {"query": ""}}}}, "rules.filters.f.query"),
    ("invalid-rule", {"rules": {"filters": {"f": {"id": "g", "query": '(url CONTAINS "/x")'}}}}, "rules.filters.f.id"),
    ("invalid-rule", {"rules": {"dlp": {"standard": {"id": "standard"}}}}, "rules.dlp.standard"),
    ("addresses", {"sidecar": {"ignore_src_ips": "10.0.0.0/8, nohost"}}, "sidecar.ignore_src_ips"),
    ("addresses", {"sidecar": {"ignore_dst_hosts": "exa mple.com!"}}, "sidecar.ignore_dst_hosts"),
    ("addresses", {"networkPolicies": {"apiServerCidrs": ["10.0.0.1/8"]}}, "networkPolicies.apiServerCidrs[0]"),
    (
        "targets",
        target(podSelector={"matchExpressions": [{"key": "a", "operator": "In"}]}),
        f"{TARGETS}[0].podSelector.matchExpressions[0]",
    ),
    (
        "targets",
        {"ebpf": {"enabled": True, "configuration": {"capture": {"targets": [{"name": "a"}, {"name": "a"}]}}}},
        f"{TARGETS}[1].name",
    ),
    (
        "requests-above-limits",
        {"operator": {"resources": {"requests": {"cpu": "2"}}}},
        "operator.resources.requests.cpu",
    ),
    ("resource-name", {"sidecar": {"resources": {"limits": {"mem": "1Gi"}}}}, "sidecar.resources.limits.mem"),
    ("own-labels", {"globalLabels": {"app": "x"}}, "globalLabels.app"),
    (
        "own-labels",
        {"globalLabels": {"controlplane.speedscale.com/component": "x"}},
        r"globalLabels.controlplane\.speedscale\.com/component",
    ),
    (
        "own-annotations",
        {"globalAnnotations": {"argocd.argoproj.io/sync-wave": "5"}},
        r"globalAnnotations.argocd\.argoproj\.io/sync-wave",
    ),
    ("own-annotations", {"globalAnnotations": {f"k{n}": "x" * 65_000 for n in range(5)}}, "globalAnnotations"),
    ("secret-wildcard", {"secretAccessList": ["a", "*"]}, "secretAccessList[1]"),
    ("security-context", {"globalPodSecurityContext": {"runAsUser": 0}}, "globalPodSecurityContext.runAsUser"),
    (
        "security-context",
        {"globalPodSecurityContext": {"privileged": True}},
        "globalPodSecurityContext.allowPrivilegeEscalation",
    ),
    (
        "security-context",
        {"globalSecurityContext": {"seccompProfile": {"type": "Localhost"}}},
        "globalSecurityContext.seccompProfile",
    ),
    ("volume-size", {"backend": {"persistence": {"size": 0}}}, "backend.persistence.size"),
]
WARNED: list[tuple[str, dict[str, Any], str]] = [
    ("issuer-unused", {"certificates": {"issuerRef": {"name": "ca"}}}, "certificates.issuerRef.name"),
    ("own-namespace", {"namespaceSelector": ["shop", "speedscale"]}, "namespaceSelector[1]"),
    ("system-namespace", {"namespace": "kube-system"}, "namespace"),
    ("host-port", {"hostNetwork": True, "operator": {"replicas": 2}}, "operator.replicas"),
    ("drift-off", {"profile": "operator", "operator": {"drift": "off"}}, "operator.drift"),
    ("pre-install-alone", {"preInstall": {"enabled": True}}, "preInstall.enabled"),
    ("unused-rule", {"rules": {"dlp": {"staff": {"id": "staff"}}}}, "rules.dlp.staff"),
    ("roots-unused", {"appRoots": "company-roots"}, "appRoots"),
    ("no-redaction", {"dlp": {"enabled": False}}, "dlp.enabled"),
    ("proxy-in-cluster", {"https_proxy": "http://proxy:3128", "no_proxy": "10.0.0.0/8"}, "https_proxy"),
    ("idle-targets", {**target(), "ebpf": {**target()["ebpf"], "enabled": False}}, TARGETS),
    ("idle-targets", target(podSelector={}), f"{TARGETS}[0]"),
    ("tiny-memory", {"sidecar": {"resources": {"limits": {"memory": "512m"}}}}, "sidecar.resources.limits.memory"),
    ("all-secrets", {"secretAccessList": ["*"]}, "secretAccessList[0]"),
    ("local-registry", {}, "image.registry"),
    (
        "openshift-ids",
        {"preset": "openshift", "globalSecurityContext": {"fsGroup": 7}},
        "globalSecurityContext.fsGroup",
    ),
    (
        "autopilot-resources",
        {"preset": "gke-autopilot", "forwarder": {"resources": {"limits": {"cpu": "2"}}}},
        "forwarder.resources.limits.cpu",
    ),
    ("moving-tag", {"imageTags": {"redis": "latest"}}, "imageTags.redis"),
    (
        "tag-and-digest",
        {"imageTags": {"redis": "v1"}, "imageDigests": {"redis": "sha256:" + "0" * 64}},
        "imageTags.redis",
    ),
    ("open-network", {"networkPolicies": {"enabled": False}}, "networkPolicies.enabled"),
    ("lag-above-spool", {"forwarder": {"exporterMaxLag": "3Gi"}}, "forwarder.exporterMaxLag"),
    ("unused-s3", {"backend": {"s3": {"region": "eu-central-1"}}}, "backend.s3.region"),
]


@pytest.mark.parametrize(("rule", "tree", "path"), REFUSED)
def test_refused(rule: str, tree: dict[str, Any], path: str) -> None:
    with pytest.raises(v.ValuesError) as caught:
        v.from_mapping(tree)
    found = [(refusal.rule, refusal.path) for refusal in caught.value.refusals]
    assert found == [(rule, path)], caught.value.problems
    refusal = caught.value.refusals[0]
    assert refusal.reason
    assert refusal.remedy
    assert refusal.place.source == "values", "the place is what the user wrote, not a default"


@pytest.mark.parametrize(("rule", "tree", "path"), WARNED)
def test_warned(rule: str, tree: dict[str, Any], path: str) -> None:
    warnings = v.from_mapping(tree).warnings
    expected = {(rule, path), ("local-registry", "image.registry")}
    assert {(warning.rule, warning.path) for warning in warnings} == expected
    assert all(warning.reason and warning.remedy and warning.place for warning in warnings)


def test_every_rule_is_tested_and_named_once() -> None:
    names = [rule.name for rule in (*LAYER, *MERGED)]
    assert len(names) == len(set(names))
    assert {rule for rule, _, _ in REFUSED} == {r.name for r in (*LAYER, *MERGED) if r.level == "refuse"}
    assert {rule for rule, _, _ in WARNED} == {r.name for r in (*LAYER, *MERGED) if r.level == "warn"}


@pytest.mark.parametrize(
    "tree",
    [
        {"operator": {"replicas": 2}},
        {"createTLSCerts": False, "certificates": {"mode": "manual"}},
        {"certificates": {"mode": "cert-manager", "issuerRef": {"name": "ca"}}},
        {"forwarder": {"exporters": {"x": {**EXPORTER, "filter_rule": "standard", "headersSecret": "otel"}}}},
        {"filterRule": "mine", "rules": {"filters": {"mine": {"id": "mine", "query": '(url CONTAINS "/x")'}}}},
        {"sidecar": {"ignore_src_hosts": "*.example.com, .svc", "ignore_dst_ips": "2001:db8::/32"}},
        {"operator": {"resources": {"requests": {"cpu": "0.5"}, "limits": {"cpu": "500m", "nvidia.com/gpu": 1}}}},
        {"globalAnnotations": {"vault.example.com/agent-inject-secret-password": "secret/data/db"}},
        {"globalPodSecurityContext": {"privileged": True, "allowPrivilegeEscalation": None}},
        {"globalPodSecurityContext": {"runAsUser": 0, "runAsNonRoot": False}},
        {"https_proxy": "http://proxy:3128", "no_proxy": ".svc,10.0.0.0/8"},
        target(),
    ],
)
def test_ordinary_values_pass(tree: dict[str, Any]) -> None:
    assert [warning.rule for warning in v.from_mapping(tree).warnings] == ["local-registry"]


@pytest.mark.parametrize("preset", ["gke-autopilot", "openshift", "bottlerocket", "eks", "eks-calico", "eks-fargate"])
def test_a_preset_alone_warns_of_nothing_more(preset: str) -> None:
    assert {warning.rule for warning in v.load(sets=[f"preset={preset}"]).warnings} == {"local-registry"}


def test_a_limit_below_the_default_request_blames_the_limit() -> None:
    with pytest.raises(v.ValuesError) as caught:
        v.load(sets=["operator.resources.limits.cpu=50m"])
    assert caught.value.problems[0].startswith(
        "--set operator.resources.limits.cpu=50m: operator.resources.requests.cpu"
    )


def test_a_secret_is_refused_although_a_later_layer_overrides_it() -> None:
    with pytest.raises(v.ValuesError, match="apiKeySecret"):
        v.load(sets=["apiKey=x", "apiKey="])
