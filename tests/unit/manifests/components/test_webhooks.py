"""The three webhook configurations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from speedscale_manifests.components import webhooks

Build = Callable[..., Any]
MUTATING, VALIDATING = "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"


def only(objects: Any, kind: str, name: str) -> dict[str, Any]:
    (webhook,) = objects.one(kind, name)["webhooks"]
    return dict(webhook)


def test_a_dead_operator_keeps_no_workload_from_starting(build: Build) -> None:
    webhook = only(build(webhooks.COMPONENT), MUTATING, "speedscale-operator")
    assert webhook["name"] == "sidecar.speedscale.com"
    assert webhook["failurePolicy"] == "Ignore"
    assert webhook["timeoutSeconds"] == 3
    assert webhook["reinvocationPolicy"] == "IfNeeded"
    assert webhook["clientConfig"]["service"]["path"] == "/mutate"


def test_a_dead_operator_keeps_no_replay_from_being_deleted(build: Build) -> None:
    objects = build(webhooks.COMPONENT)
    for kind, path in ((MUTATING, "mutate"), (VALIDATING, "validate")):
        webhook = only(objects, kind, "speedscale-operator-replay")
        assert webhook["name"] == "replay.speedscale.com"
        assert webhook["failurePolicy"] == "Fail"
        assert webhook["clientConfig"]["service"]["path"] == f"/{path}-speedscale-com-v1-trafficreplay"
        (rule,) = webhook["rules"]
        assert rule["operations"] == ["CREATE", "UPDATE"]
        assert rule["apiGroups"] == ["speedscale.com"]
        assert rule["resources"] == ["trafficreplays"]
    assert "reinvocationPolicy" not in only(objects, VALIDATING, "speedscale-operator-replay")


def test_which_workloads_are_seen(build: Build) -> None:
    rules = only(build(webhooks.COMPONENT), MUTATING, "speedscale-operator")["rules"]
    seen = {(group, resource) for rule in rules for group in rule["apiGroups"] for resource in rule["resources"]}
    assert seen >= {("apps", name) for name in ("deployments", "statefulsets", "daemonsets", "replicasets")}
    assert seen >= {("batch", "jobs"), ("batch", "cronjobs"), ("", "pods"), ("argoproj.io", "rollouts")}


def test_every_webhook_can_be_dry_run_and_has_no_certificate(build: Build) -> None:
    for item in build(webhooks.COMPONENT).all:
        for webhook in item["webhooks"]:
            assert webhook["sideEffects"] == "None"
            assert webhook["admissionReviewVersions"] == ["v1"]
            assert set(webhook["clientConfig"]) == {"service"}
            service = webhook["clientConfig"]["service"]
            assert (service["name"], service["namespace"], service["port"]) == (
                "speedscale-operator",
                "speedscale",
                443,
            )


def test_the_clusters_own_namespaces_are_not_seen(build: Build) -> None:
    for item in build(webhooks.COMPONENT).all:
        assert item["webhooks"][0]["namespaceSelector"]["matchExpressions"] == [
            {
                "key": "kubernetes.io/metadata.name",
                "operator": "NotIn",
                "values": ["kube-system", "kube-node-lease"],
            }
        ]


def test_only_selected_namespaces_and_ours_are_seen(build: Build) -> None:
    for item in build(webhooks.COMPONENT, namespaceSelector=["shop"]).all:
        _, chosen = item["webhooks"][0]["namespaceSelector"]["matchExpressions"]
        assert chosen["operator"] == "In"
        assert chosen["values"] == ["shop", "speedscale"]


def test_annotations_of_the_user_and_of_cert_manager(build: Build) -> None:
    objects = build(
        webhooks.COMPONENT,
        namespace="obs",
        globalAnnotations={"a.example.com/x": "1"},
        webhookAnnotations={"b.example.com/y": "2"},
        certificates={"mode": "cert-manager", "issuerRef": {"name": "internal"}},
    )
    for item in objects.all:
        assert item["metadata"]["annotations"] == {
            "a.example.com/x": "1",
            "b.example.com/y": "2",
            "cert-manager.io/inject-ca-from": "obs/speedscale-webhook-certs",
        }
    assert all("annotations" not in item["metadata"] for item in build(webhooks.COMPONENT).all)


def test_how_long_the_api_server_waits(build: Build) -> None:
    objects = build(webhooks.COMPONENT, operator={"webhookTimeoutSeconds": 1, "replayWebhookTimeoutSeconds": 7})
    assert only(objects, MUTATING, "speedscale-operator")["timeoutSeconds"] == 1
    assert only(objects, VALIDATING, "speedscale-operator-replay")["timeoutSeconds"] == 7


@pytest.mark.parametrize("tree", [{}, {"namespaceSelector": ["shop"]}])
def test_kubernetes_takes_them(tree: dict[str, Any], build: Build, problems: Callable[..., list[str]]) -> None:
    assert problems(build(webhooks.COMPONENT, **tree).all) == []
