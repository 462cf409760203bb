"""Resources of the sidecar under LimitRanges and quotas: set beforehand, or refused with figures."""

from __future__ import annotations

from typing import Any

import pytest

from speedscale_controller.injection import Inject, Limits, Namespace, Quota, Reason, Skip, decide

DEFAULT = {"requests": {"cpu": "10m", "memory": "32Mi"}}


@pytest.fixture
def resources(shop: Any, facts_of: Any) -> Any:
    def made(*, quotas: Any = (), limits: Any = (), pod: Any = None, **annotations: str) -> Any:
        obj = shop.workload(spec=pod, inject="true", **annotations)
        verdict = decide(obj, facts_of(quotas=tuple(quotas), limits=tuple(limits)))
        if isinstance(verdict, Skip):
            return verdict
        assert isinstance(verdict, Inject)
        proxy = shop.container_of(verdict.object, "speedscale-goproxy")["resources"]
        assert shop.container_of(verdict.object, "speedscale-initproxy-iptables")["resources"] == proxy
        return proxy

    return made


def container(**parts: Any) -> Limits:
    return Limits(name="small", type="Container", **parts)


def test_without_demands_the_defaults_hold(resources: Any) -> None:
    assert resources() == DEFAULT


def test_annotations_are_taken_as_they_are(resources: Any) -> None:
    found = resources(cpu_request="20m", cpu_limit="1", memory_limit="128Mi", ephemeral_storage_limit="1Gi")
    assert found == {
        "requests": {"cpu": "20m", "memory": "32Mi"},
        "limits": {"cpu": "1", "memory": "128Mi", "ephemeral-storage": "1Gi"},
    }


def test_the_values_defaults_stand_below_annotations(shop: Any, facts_of: Any) -> None:
    config = {
        "resources": {"limits": {"cpu": "700m", "memory": "700Mi"}, "requests": {"memory": "100Mi"}},
        "tls_out": True,
    }
    verdict = decide(shop.workload(inject="true", cpu_limit="1"), facts_of(sidecar_config=config))
    assert isinstance(verdict, Inject)
    proxy = shop.container_of(verdict.object, "speedscale-goproxy")
    assert proxy["resources"] == {
        "requests": {"cpu": "10m", "memory": "100Mi"},
        "limits": {"cpu": "1", "memory": "700Mi"},
    }
    assert shop.env_of(proxy)["TLS_OUT_UNWRAP"] == "true"


@pytest.mark.parametrize(
    ("namespace", "requests", "limits"),
    [
        (
            {"quotas": [Quota(name="q", hard={"limits.cpu": "9", "limits.memory": "9Gi"})]},
            {},
            {"cpu": "500m", "memory": "256Mi"},
        ),
        ({"quotas": [Quota(name="q", hard={"requests.ephemeral-storage": "9Gi"})]}, {"ephemeral-storage": "64Mi"}, {}),
        ({"limits": [container(default={"memory": "64Mi"})]}, {}, {"memory": "256Mi"}),
        ({"limits": [container(default={"memory": "64Mi"}, max={"memory": "128Mi"})]}, {}, {"memory": "128Mi"}),
        ({"limits": [container(max={"memory": "16Mi"})]}, {"memory": "16Mi"}, {"memory": "16Mi"}),
        ({"limits": [container(min={"cpu": "50m"})]}, {"cpu": "50m"}, {}),
        ({"limits": [container(min={"cpu": "800m"}, default={"cpu": "1"})]}, {"cpu": "800m"}, {"cpu": "800m"}),
        ({"limits": [container(max_ratio={"cpu": "4"})]}, {"cpu": "125m"}, {"cpu": "500m"}),
        ({"limits": [container(max_ratio={"memory": "2"})]}, {"memory": str(128 << 20)}, {"memory": "256Mi"}),
    ],
)
def test_what_is_demanded_is_set(namespace: Any, requests: Any, limits: Any, resources: Any) -> None:
    found = resources(**namespace)
    assert found["requests"] == {**DEFAULT["requests"], **requests}
    assert found.get("limits", {}) == limits


@pytest.mark.parametrize(
    ("limits", "annotations", "words"),
    [
        ([container(min={"cpu": "50m"})], {"cpu_request": "20m"}, "cpu-request: 20m is less than the 50m"),
        ([container(max_ratio={"cpu": "2"})], {"cpu_request": "20m", "cpu_limit": "1"}, "further below the limit"),
        ([container(max={"cpu": "1"})], {"cpu_request": "2"}, "more than the 1 that LimitRange small allows"),
    ],
)
def test_what_a_user_asks_for_is_never_changed(limits: Any, annotations: Any, words: str, resources: Any) -> None:
    found = resources(limits=limits, **annotations)
    assert isinstance(found, Skip)
    assert found.reason is Reason.QUOTA
    assert words in found.message


def test_a_pod_s_range_counts_all_containers(resources: Any) -> None:
    app = {"containers": [{"name": "app", "resources": {"limits": {"memory": "900Mi"}}}]}
    whole = Limits(name="pods", type="Pod", max={"memory": "1Gi"})
    found = resources(limits=[whole], pod=app, memory_limit="256Mi")
    assert isinstance(found, Skip)
    assert "pod's memory limits are above 1Gi" in found.message
    assert isinstance(resources(limits=[whole], pod=app, memory_limit="64Mi"), dict)


def quota(used: str, hard: str = "1") -> Quota:
    return Quota(name="team", hard={"requests.cpu": hard}, used={"requests.cpu": used})


@pytest.mark.parametrize(
    ("operation", "used", "refused"),
    [
        ("CREATE", "0", False),
        ("CREATE", "475m", True),  # 5 × 100m of the application fit, 5 × 10m of ours do not
        ("CREATE", "900m", False),  # the application does not fit either: its owner is told by the quota itself
        ("UPDATE", "900m", False),
        ("UPDATE", "960m", True),
    ],
)
def test_a_quota_has_room_for_all_pods(operation: Any, used: str, refused: bool, shop: Any, facts_of: Any) -> None:
    spec = {"containers": [{"name": "app", "resources": {"requests": {"cpu": "100m"}}}]}
    obj = shop.workload(spec=spec, inject="true")
    obj["spec"]["replicas"] = 5
    verdict = decide(obj, facts_of(quotas=(quota(used),)), operation=operation)
    assert isinstance(verdict, Skip if refused else Inject)


def test_what_was_in_before_has_its_share_also_when_the_object_is_replaced(shop: Any, facts_of: Any) -> None:
    facts = facts_of(quotas=(quota("1"),))
    obj = shop.workload(inject="true")
    stored = decide(obj, facts_of())
    assert isinstance(stored, Inject)
    assert isinstance(decide(obj, facts, operation="UPDATE"), Skip)
    assert isinstance(decide(obj, facts, operation="UPDATE", old=stored.object), Inject)


@pytest.mark.parametrize(
    ("scopes", "pod", "applies"),
    [
        ({"scopes": ["BestEffort"]}, {}, False),
        ({"scopes": ["NotBestEffort"]}, {}, True),
        ({"scopes": ["Terminating"]}, {}, False),
        ({"scopes": ["Terminating"]}, {"activeDeadlineSeconds": 9}, True),
        ({"scopes": ["NotTerminating"]}, {}, True),
        (
            {
                "scopeSelector": {
                    "matchExpressions": [{"scopeName": "PriorityClass", "operator": "In", "values": ["high"]}]
                }
            },
            {"priorityClassName": "high"},
            True,
        ),
        (
            {
                "scopeSelector": {
                    "matchExpressions": [{"scopeName": "PriorityClass", "operator": "In", "values": ["high"]}]
                }
            },
            {},
            False,
        ),
    ],
)
def test_scopes_of_quotas(scopes: Any, pod: Any, applies: bool, resources: Any) -> None:
    obj = {"metadata": {"name": "q"}, "spec": {"hard": {"limits.memory": "9Gi"}, **scopes}}
    (made,) = Namespace.of({"metadata": {"name": "shop"}}, quotas=[obj]).quotas
    assert ("limits" in resources(quotas=[made], pod=pod)) is applies


def test_a_namespace_is_read_from_its_objects() -> None:
    found = Namespace.of(
        {"metadata": {"name": "shop", "labels": {"a": "b"}, "deletionTimestamp": "now"}},
        quotas=[
            {"metadata": {"name": "q"}, "spec": {"hard": {"limits.cpu": 2}}, "status": {"used": {"limits.cpu": "1"}}}
        ],
        limit_ranges=[
            {
                "metadata": {"name": "r"},
                "spec": {
                    "limits": [
                        {"type": "Container", "max": {"cpu": 1}, "maxLimitRequestRatio": {"cpu": "2"}},
                        {"type": "PersistentVolumeClaim", "max": {"storage": "1Gi"}},
                    ]
                },
            }
        ],
    )
    assert (found.deleting, found.labels) == (True, {"a": "b"})
    assert found.quotas == (Quota(name="q", hard={"limits.cpu": "2"}, used={"limits.cpu": "1"}),)
    assert found.limits == (Limits(name="r", type="Container", max={"cpu": "1"}, max_ratio={"cpu": "2"}),)
