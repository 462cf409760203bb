"""Workloads, accounts, Services and claims."""

from __future__ import annotations

from speedscale_manifests.objects import (
    claim,
    claim_template,
    container,
    deployment,
    names,
    pod_template,
    selector,
    service,
    service_account,
    volume,
    workload,
)
from speedscale_manifests.values import Values, from_mapping


def template(values: Values) -> dict[str, object]:
    return pod_template(values, "forwarder", [container(values, "a", "forwarder", {})])


def test_ours_are_never_injected_and_the_demo_may_be() -> None:
    values = from_mapping({})
    ours = deployment(values, "forwarder", template(values))
    assert ours["metadata"]["annotations"] == {names.IGNORE: "true"}
    assert "annotations" not in deployment(values, "forwarder", template(values), ignore=False)["metadata"]


def test_a_workload_selects_its_own_pods() -> None:
    values = from_mapping({})
    spec = workload(values, "DaemonSet", "forwarder", template(values))["spec"]
    assert spec["selector"]["matchLabels"] == selector("forwarder")
    assert spec["template"]["metadata"]["labels"].items() >= selector("forwarder").items()


def test_how_pods_are_replaced() -> None:
    values = from_mapping({})
    assert deployment(values, "forwarder", template(values), recreate=True)["spec"]["strategy"] == {"type": "Recreate"}
    rolling = deployment(values, "forwarder", template(values), replicas=3)["spec"]
    assert rolling["replicas"] == 3
    assert rolling["strategy"]["type"] == "RollingUpdate"
    own = deployment(values, "forwarder", template(values), strategy={"type": "OnDelete"})["spec"]["strategy"]
    assert own == {"type": "OnDelete"}


def test_private_registries() -> None:
    account = service_account(from_mapping({"image": {"pullSecrets": ["one", "two"]}}), "forwarder")
    assert account["imagePullSecrets"] == [{"name": "one"}, {"name": "two"}]
    assert account["automountServiceAccountToken"] is False
    assert "imagePullSecrets" not in service_account(from_mapping({}), "forwarder")


def test_services_stay_inside() -> None:
    spec = service(from_mapping({}), "forwarder", [{"port": 80, "targetPort": "x"}])["spec"]
    assert spec == {
        "type": "ClusterIP",
        "selector": selector("forwarder"),
        "ports": [{"protocol": "TCP", "port": 80, "targetPort": "x"}],
    }


def test_a_claim_asks_for_a_class_only_where_one_is_named() -> None:
    plain = from_mapping({})
    spec = claim(plain, "forwarder", plain.forwarder.persistence)["spec"]
    assert spec == {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "2Gi"}}}
    named = from_mapping({"forwarder": {"persistence": {"storageClassName": "fast"}}})
    assert claim(named, "forwarder", named.forwarder.persistence)["spec"]["storageClassName"] == "fast"


def test_a_claim_template_does_not_change_with_the_version() -> None:
    values = from_mapping({})
    found = claim_template("forwarder", values.forwarder.persistence, "spool")
    assert found["metadata"] == {"name": "spool", "labels": selector("forwarder")}


def test_without_persistence_there_is_a_bounded_empty_volume() -> None:
    kept = from_mapping({}).forwarder.persistence
    assert volume("spool", "c", kept) == {"name": "spool", "persistentVolumeClaim": {"claimName": "c"}}
    lost = from_mapping({"forwarder": {"persistence": {"enabled": False, "size": "3Gi"}}}).forwarder.persistence
    assert volume("spool", "c", lost) == {"name": "spool", "emptyDir": {"sizeLimit": "3Gi"}}
