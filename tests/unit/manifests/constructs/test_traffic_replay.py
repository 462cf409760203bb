"""The construct TrafficReplay: what it emits, as a gate too, and what it refuses at synthesis."""

from __future__ import annotations

from typing import Any

import pytest
from cdk8s import App, Chart

from speedscale_manifests.constructs.traffic_replay import GATE, Target, TrafficReplay
from speedscale_manifests.lint import Document, lint
from speedscale_schemas import trafficreplay
from speedscale_schemas.errors import ConfigError


def chart(**props: Any) -> Chart:
    return Chart(App(), "shop", **props)


def test_a_small_one() -> None:
    shop = chart(namespace="shop")
    TrafficReplay(shop, "nightly", snapshot_id="s")
    assert shop.to_json() == [
        {
            "apiVersion": "speedscale.com/v1",
            "kind": "TrafficReplay",
            "metadata": {"name": "nightly", "namespace": "shop"},
            "spec": {"snapshotID": "s", "testConfigID": "standard"},
        }
    ]


def test_a_full_one() -> None:
    shop = chart()
    TrafficReplay(
        shop,
        "replay",
        name="gate",
        namespace="prod",
        snapshot_id="s",
        test_config_id="load",
        workloads=[
            Target(
                name="pay",
                kind="StatefulSet",
                api_version="apps/v1",
                namespace="x",
                tests=["a"],
                mocks=["*"],
                routing="nat",
            ),
            Target(custom_uri="https://a.example", tests=["b"]),
        ],
        custom_url="https://b.example",
        mode="full-replay",
        build_tag="v1",
        cleanup="none",
        needs_report=False,
        timeout="10m",
        ttl_after_ready="24h",
        secrets=["login"],
        gate=True,
        labels={"team": "shop"},
        annotations={"a": "b"},
    )
    (manifest,) = shop.to_json()
    assert manifest["metadata"] == {
        "name": "gate",
        "namespace": "prod",
        "labels": {"team": "shop"},
        "annotations": {"a": "b", **GATE},
    }
    assert manifest["spec"] == {
        "snapshotID": "s",
        "testConfigID": "load",
        "workloads": [
            {
                "ref": {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "pay", "namespace": "x"},
                "routing": "nat",
                "tests": ["a"],
                "mocks": ["*"],
            },
            {"customURI": "https://a.example", "tests": ["b"]},
        ],
        "customURL": "https://b.example",
        "mode": "full-replay",
        "buildTag": "v1",
        "cleanup": "none",
        "needsReport": False,
        "timeout": "10m",
        "ttlAfterReady": "24h",
        "secretRefs": [{"name": "login"}],
    }
    assert trafficreplay.validate(manifest) == []
    assert lint([Document("x.yaml", manifest)]) == []


def test_a_replay_that_is_no_gate_under_argo_is_what_lint_warns_of() -> None:
    shop = chart()
    TrafficReplay(shop, "r", snapshot_id="s", annotations={"argocd.argoproj.io/sync-wave": "3"})
    assert [p.rule for p in lint([Document("x.yaml", shop.to_json()[0])])] == ["SPD033"]


@pytest.mark.parametrize(
    ("props", "said"),
    [
        ({"snapshot_id": "$SNAPSHOT"}, "spec.snapshotID"),
        ({"snapshot_id": "s", "mode": "full"}, "expected one of full-replay"),
        ({"snapshot_id": "s", "mode": "generator-only"}, trafficreplay.MESSAGE_GENERATOR),
        ({"snapshot_id": "s", "timeout": "10"}, "spec.timeout"),
        ({"snapshot_id": "s", "workloads": [Target()]}, trafficreplay.MESSAGE_TARGET),
        ({"snapshot_id": "s", "workloads": [Target(name="a", custom_uri="x")]}, trafficreplay.MESSAGE_TARGET),
        (
            {"snapshot_id": "s", "workloads": [Target(name="a", tests=["*"]), Target(name="b", tests=["*"])]},
            "one workload only",
        ),
        ({"snapshot_id": "s", "mode": "responder-only", "gate": True}, "a gate would never open"),
        ({"snapshot_id": "s", "name": "Not A Name"}, "metadata.name"),
    ],
)
def test_what_is_wrong_fails_at_synthesis(props: dict[str, Any], said: str) -> None:
    shop = chart()
    with pytest.raises(ConfigError) as caught:
        TrafficReplay(shop, "x", **props)
    assert said in str(caught.value)
    assert "TrafficReplay shop/x" in str(caught.value)
    assert shop.to_json() == []
