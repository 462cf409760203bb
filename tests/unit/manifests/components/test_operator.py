"""The operator's workload and what stands around it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from speedscale_manifests.components import operator
from speedscale_manifests.objects import names

Build = Callable[..., Any]


@pytest.mark.parametrize(
    "tree",
    [
        {},
        {"operator": {"replicas": 2}},
        {"hostNetwork": True},
        {"preset": "openshift"},
        {"preset": "gke-autopilot"},
        {"image": {"pullSecrets": ["registry"]}},
        {"http_proxy": "http://proxy:3128"},
    ],
)
def test_kubernetes_takes_it(tree: dict[str, Any], build: Build, problems: Callable[..., list[str]]) -> None:
    assert problems(build(operator.COMPONENT, **tree).all) == []


def test_it_is_the_users_deployment_that_the_chart_made(build: Build, container_of: Callable[..., Any]) -> None:
    objects = build(operator.COMPONENT, apiKeySecret="existing-key")
    deployment = objects.one("Deployment", "speedscale-operator")
    assert deployment["metadata"]["annotations"] == {"operator.speedscale.com/ignore": "true"}
    pod = objects.pod("Deployment")
    assert pod["serviceAccountName"] == "speedscale-operator"
    assert pod["automountServiceAccountToken"] is True
    assert pod["securityContext"] == {"fsGroup": 2100, "runAsNonRoot": True, "supplementalGroups": [2100]}
    box = container_of(pod, "operator")
    assert box["command"] == ["/operator"]
    assert box["resources"] == {
        "limits": {"cpu": "500m", "memory": "512Mi"},
        "requests": {"cpu": "100m", "memory": "192Mi"},
    }
    assert box["envFrom"] == [
        {"configMapRef": {"name": "speedscale-operator"}},
        {"configMapRef": {"name": "speedscale-operator-override", "optional": True}},
        {"secretRef": {"name": "existing-key", "optional": True}},
    ]
    assert [item["name"] for item in box["env"]] == ["POD_NAME", "POD_NAMESPACE"]


def test_it_listens_without_a_capability(build: Build, container_of: Callable[..., Any]) -> None:
    objects = build(operator.COMPONENT)
    box = container_of(objects.pod("Deployment"))
    assert {port["name"]: port["containerPort"] for port in box["ports"]} == {
        "webhook-server": 9443,
        "health-check": 8081,
    }
    assert box["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    (port,) = objects.one("Service")["spec"]["ports"]
    assert (port["port"], port["targetPort"]) == (443, "webhook-server")


def test_no_secret_keeps_it_from_starting(build: Build) -> None:
    """Certificates are made by this very pod, so none may be mounted."""
    pod = build(operator.COMPONENT).pod("Deployment")
    assert [volume["name"] for volume in pod["volumes"]] == ["tmp"]
    assert "emptyDir" in pod["volumes"][0]


def test_it_rolls_when_its_configuration_changes(build: Build) -> None:
    def stamp(level: str) -> str:
        template = build(operator.COMPONENT, logLevel=level).one("Deployment")["spec"]["template"]
        return str(template["metadata"]["annotations"][names.CONFIG_HASH])

    assert stamp("info") == stamp("info") != stamp("debug")


@pytest.mark.parametrize(
    ("tree", "strategy"),
    [
        ({}, {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}),
        ({"operator": {"leaderElection": False}}, {"type": "Recreate"}),
        ({"hostNetwork": True}, {"type": "Recreate"}),
        (
            {"hostNetwork": True, "operator": {"replicas": 2}},
            {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}},
        ),
    ],
)
def test_admission_has_no_blind_moment_where_that_is_possible(
    tree: dict[str, Any], strategy: dict[str, Any], build: Build
) -> None:
    assert build(operator.COMPONENT, **tree).one("Deployment")["spec"]["strategy"] == strategy


def test_replicas_spread_softly_and_one_may_be_drained(build: Build) -> None:
    objects = build(operator.COMPONENT, operator={"replicas": 3})
    (wish,) = objects.pod("Deployment")["topologySpreadConstraints"]
    assert wish["whenUnsatisfiable"] == "ScheduleAnyway"
    assert objects.one("PodDisruptionBudget")["spec"]["minAvailable"] == 1


@pytest.mark.parametrize("settings", [{}, {"replicas": 2, "podDisruptionBudget": False}])
def test_one_pod_or_no_wish_means_no_budget(settings: dict[str, Any], build: Build) -> None:
    objects = build(operator.COMPONENT, operator=settings)
    assert objects.none("PodDisruptionBudget")
    assert ("topologySpreadConstraints" in objects.pod("Deployment")) is (settings.get("replicas", 1) > 1)


def test_the_nodes_network_resolves_names_of_the_cluster(build: Build) -> None:
    objects = build(operator.COMPONENT, hostNetwork=True)
    pod = objects.pod("Deployment")
    assert pod["hostNetwork"] is True
    assert pod["dnsPolicy"] == "ClusterFirstWithHostNet"
    assert objects.none("NetworkPolicy")
    assert "hostNetwork" not in build(operator.COMPONENT).pod("Deployment")


def test_who_may_call_it_and_whom_it_may_call(build: Build) -> None:
    spec = build(operator.COMPONENT).one("NetworkPolicy")["spec"]
    assert [[port["port"] for port in rule["ports"]] for rule in spec["ingress"]] == [[9443]]
    assert [[port["port"] for port in rule["ports"]] for rule in spec["egress"]] == [
        [53, 5353, 53, 5353],
        [443, 6443],
        [9443],
        [8443],
        [443, 4318],
    ]
    assert spec["egress"][2]["to"][0]["podSelector"]["matchLabels"]["app"] == "speedscale-operator"
    assert spec["egress"][3]["to"][0]["podSelector"]["matchLabels"]["app"] == "speedscale-collector"


def test_metrics_are_for_those_who_are_named(build: Build) -> None:
    spec = build(operator.COMPONENT, networkPolicies={"metricsNamespaces": ["monitoring"]}).one("NetworkPolicy")["spec"]
    assert spec["ingress"][1] == {
        "from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}],
        "ports": [{"port": 8081, "protocol": "TCP"}],
    }


def test_a_proxy_and_a_backend_of_ours_are_reached(build: Build) -> None:
    spec = build(operator.COMPONENT, https_proxy="http://proxy:3129", backend={"enabled": True}).one("NetworkPolicy")
    egress = spec["spec"]["egress"]
    assert 3129 in [port["port"] for port in egress[4]["ports"]]
    assert egress[5]["to"][0]["podSelector"]["matchLabels"]["app"] == "speedscale-cloud"


def test_everything_of_it_is_in_git_in_both_profiles(build: Build) -> None:
    objects = build(operator.COMPONENT, profile="operator")
    assert objects.managed == objects.templates == []
    assert objects.one("Deployment")
