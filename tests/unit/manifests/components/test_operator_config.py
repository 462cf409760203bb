"""The operator's ConfigMap: keys and forms of the vendor's chart, and ours."""

from __future__ import annotations

import json
from typing import Any

import pytest

from speedscale_manifests.components.operator_config import operator_config
from speedscale_manifests.values import from_mapping

OWN = {"CERTIFICATES_MODE", "CREATE_JKS", "DLP_KEY_SECRET_NAME", "DRIFT", "LEADER_ELECTION", "PROFILE"}
CHART = {
    "CLUSTER_NAME": "test",
    "IMAGE_PULL_POLICY": "Always",
    "IMAGE_PULL_SECRETS": "",
    "IMAGE_REGISTRY": "gcr.io/speedscale",
    "IMAGE_TAG": "v2.5.602",
    "COMPONENT_IMAGE_TAGS": "nettap=v0.1.25",
    "LOG_LEVEL": "info",
    "SPEEDSCALE_DLP_CONFIG": "standard",
    "SPEEDSCALE_FILTER_RULE": "standard",
    "TELEMETRY_INTERVAL": "60s",
    "WITH_DLP": "false",
    "WITH_INSPECTOR": "true",
    "API_KEY_SECRET_NAME": "",
    "DEPLOY_DEMO": "java",
    "GLOBAL_ANNOTATIONS": "{}",
    "GLOBAL_LABELS": "{}",
    "GLOBAL_POD_SECURITY_CONTEXT": (
        '{"allowPrivilegeEscalation":false,"capabilities":{"drop":["ALL"]},"privileged":false,'
        '"readOnlyRootFilesystem":true,"runAsGroup":2100,"runAsNonRoot":true,"runAsUser":2100,'
        '"seccompProfile":{"type":"RuntimeDefault"}}'
    ),
    "GLOBAL_SECURITY_CONTEXT": '{"fsGroup":2100,"runAsNonRoot":true,"supplementalGroups":[2100]}',
    "PRIVILEGED_SIDECARS": "false",
    "DISABLE_SMARTDNS": "false",
    "SIDECAR_CONFIG": "{}",
    "FORWARDER_CONFIG": (
        '{"replicas":1,"resources":{"limits":{"cpu":"2","memory":"512M"},"requests":{"cpu":"300m","memory":"250M"}}}'
    ),
    "INSPECTOR_CONFIG": (
        '{"accessLabels":{},"resources":{"limits":{"cpu":"400m","memory":"500M"},'
        '"requests":{"cpu":"200m","memory":"128M"}}}'
    ),
    "COLLECTOR_CONFIG": (
        '{"resources":{"limits":{"cpu":"1","memory":"500M"},"requests":{"cpu":"300m","memory":"250M"}}}'
    ),
    "GENERATOR_CONFIG": '{"resources":{"limits":{"cpu":"8","memory":"8G"},"requests":{"cpu":"200m","memory":"256M"}}}',
    "RESPONDER_CONFIG": (
        '{"resources":{"limits":{"cpu":"1.5","memory":"500M"},"requests":{"cpu":"500m","memory":"250M"}}}'
    ),
    "REDIS_CONFIG": '{"resources":{"limits":{"cpu":"500m","memory":"2G"},"requests":{"cpu":"100m","memory":"100M"}}}',
    "TEST_PREP_TIMEOUT": "10m",
    "CONTROL_PLANE_TIMEOUT": "5m",
}
"""What the chart renders for clusterName=test, without INSTANCE_ID, which ours keeps out of git."""


def data(**tree: Any) -> dict[str, str]:
    found: dict[str, str] = operator_config(from_mapping(tree))["data"]
    return found


def test_the_charts_keys_in_the_charts_form() -> None:
    found = data(
        clusterName="test",
        image={"registry": "gcr.io/speedscale", "tag": "v2.5.602"},
        imageTags={"nettap": "v0.1.25"},
        dlp={"enabled": False},
    )
    assert {key: found[key] for key in CHART} == CHART
    assert set(found) - set(CHART) == OWN
    assert "INSTANCE_ID" not in found


def test_settings_that_differ_are_told_as_the_chart_tells_them() -> None:
    found = data(
        imageTags={"nettap": "v9.0.0", "goproxy": "v9.0.1"},
        globalAnnotations={"example.com/team": "platform"},
        globalLabels={"example.com/cost": "42"},
        sidecar={
            "ignore_dst_ips": "8.8.8.8",
            "insert_init_first": True,
            "resources": {"limits": {"cpu": "700m", "memory": "700Mi"}},
            "tls_out": True,
        },
        inspector={"accessLabels": {"env": "test"}},
        secretAccessList=["my-secret", "other-secret"],
        namespaceSelector=["shop", "pay"],
        http_proxy="http://proxy.example.com:3128",
        no_proxy=".svc,10.0.0.0/8",
    )
    assert found["COMPONENT_IMAGE_TAGS"] == "goproxy=v9.0.1,nettap=v9.0.0"
    assert found["GLOBAL_ANNOTATIONS"] == '{"example.com/team":"platform"}'
    assert found["GLOBAL_LABELS"] == '{"example.com/cost":"42"}'
    assert found["SIDECAR_CONFIG"] == (
        '{"ignore_dst_ips":"8.8.8.8","insert_init_first":true,'
        '"resources":{"limits":{"cpu":"700m","memory":"700Mi"}},"tls_out":true}'
    )
    assert json.loads(found["INSPECTOR_CONFIG"])["accessLabels"] == {"env": "test"}
    assert found["SECRET_ACCESS_LIST"] == (
        "my-secret,other-secret,speedscale-certs,speedscale-apikey,speedscale-jks,speedscale-webhook-certs"
    )
    assert found["NAMESPACE_SELECTOR"] == "shop,pay,speedscale"
    assert found["HTTP_PROXY"] == "http://proxy.example.com:3128"
    assert found["NO_PROXY"] == ".svc,10.0.0.0/8"
    assert "HTTPS_PROXY" not in found


def test_exporters_are_told_without_what_was_not_set() -> None:
    exporter = {"otel_endpoint": "http://otelcol.example.com:4318", "filter_rule": "standard", "dlp_config_id": ""}
    config = json.loads(data(forwarder={"replicas": 2, "exporters": {"mine": exporter}})["FORWARDER_CONFIG"])
    assert config["replicas"] == 2
    assert config["exporters"] == {"mine": exporter}
    assert set(config) == {"replicas", "resources", "exporters"}


def test_a_spool_of_another_size_is_told() -> None:
    config = json.loads(data(forwarder={"persistence": {"size": "9Gi"}})["FORWARDER_CONFIG"])
    assert config["persistence"]["size"] == "9Gi"


def test_all_secrets_are_said_to_be_all() -> None:
    assert "SECRET_ACCESS_LIST" not in data()
    assert data(secretAccessList=["*"])["SECRET_ACCESS_LIST"] == "*"


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        ({}, "report"),
        ({"profile": "operator"}, "enforce"),
        ({"operator": {"drift": "off"}}, "off"),
        ({"profile": "operator", "operator": {"drift": "report"}}, "report"),
    ],
)
def test_what_is_done_with_drift_follows_from_who_owns_the_components(tree: dict[str, Any], expected: str) -> None:
    assert data(**tree)["DRIFT"] == expected


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        ({}, "controller"),
        ({"createTLSCerts": False, "certificates": {"mode": "manual"}}, "manual"),
        ({"certificates": {"mode": "manual"}}, "manual"),
        ({"certificates": {"mode": "cert-manager", "issuerRef": {"name": "i"}}}, "cert-manager"),
    ],
)
def test_who_makes_certificates(tree: dict[str, Any], expected: str) -> None:
    assert data(**tree)["CERTIFICATES_MODE"] == expected


def test_where_the_backend_is() -> None:
    assert "SPEEDSCALE_APP_URL" not in data()
    assert data(appUrl="app.example.com")["SPEEDSCALE_APP_URL"] == "https://app.example.com"
    assert data(backend={"enabled": True})["SPEEDSCALE_APP_URL"] == "https://speedscale-cloud.speedscale.svc"


def test_every_value_is_text() -> None:
    assert all(isinstance(value, str) for value in data().values())
