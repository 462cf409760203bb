"""The TrafficReplay CRD on a real API server: it compiles, fills in, prunes nothing silently, and its rules bite.

What the API server refuses is what `trafficreplay.validate` refuses without one, case for case.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from harness.cluster import Cluster
from harness.definitions import define, undefine

from speedscale_kube import Client, Ref
from speedscale_kube.errors import InvalidError
from speedscale_schemas import trafficreplay
from speedscale_schemas.trafficreplay import FROZEN, MESSAGE_GENERATOR, MESSAGE_TARGET, MESSAGE_TESTS

CRD = f"{trafficreplay.PLURAL}.{trafficreplay.GROUP}"
STARTED = {"startedTime": "2026-01-15T18:45:59Z"}


@pytest.fixture(scope="module", autouse=True)
def crd(kube: Client) -> Iterator[dict[str, Any]]:
    manifest = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": CRD},
        "spec": {
            "group": trafficreplay.GROUP,
            "names": trafficreplay.crd_names(),
            "scope": "Namespaced",
            "versions": trafficreplay.crd_versions(),
        },
    }
    yield define(kube, manifest)
    undefine(kube, manifest)


def replay(namespace: str, name: str = "x", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": trafficreplay.API_VERSION,
        "kind": trafficreplay.KIND,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"snapshotID": "s", "testConfigID": "standard", **spec},
    }


def create(cluster: Cluster, obj: dict[str, Any], *flags: str) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(cluster.kubectl("create", "-f", "-", "-o", "json", *flags, stdin=json.dumps(obj)))
    return made


def test_the_server_finds_nothing_to_say_about_the_schema(crd: dict[str, Any]) -> None:
    told = {c["type"]: (c["status"], c.get("message")) for c in crd["status"]["conditions"]}
    assert told["Established"][0] == "True"
    assert told["NamesAccepted"][0] == "True"
    assert "NonStructuralSchema" not in told
    assert crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"] == trafficreplay.crd_schema()


def test_defaults_are_filled_in_and_no_others(cluster: Cluster, namespace: str) -> None:
    made = create(cluster, replay(namespace))
    assert made["spec"] == {"snapshotID": "s", "testConfigID": "standard", "cleanup": "inventory"}
    assert made["status"] == {"observedGeneration": -1}


def test_an_object_without_spec_passes(cluster: Cluster, namespace: str) -> None:
    bare = replay(namespace)
    del bare["spec"]
    made = create(cluster, bare)
    assert "spec" not in made
    assert trafficreplay.validate(bare) == []


def test_kubectl_shows_the_columns_under_the_short_name(cluster: Cluster, namespace: str, kube: Client) -> None:
    create(cluster, replay(namespace, mode="responder-only"))
    at = {"lastTransitionTime": "2026-01-15T18:45:59Z", "reason": "R"}
    conditions = [
        {"type": "Running", "status": "False", "message": "first", **at},
        {"type": "Ready", "status": "True", "message": "Failed: Missed Goals", **at},
    ]
    status(kube, namespace, {"active": False, "conditions": conditions, "observedGeneration": 1})
    header, row = cluster.kubectl("get", "replay", "-n", namespace).strip().splitlines()
    assert header.split() == ["NAME", "ACTIVE", "MODE", "STATUS", "AGE"]
    assert row.split()[:3] == ["x", "false", "responder-only"]
    assert "Failed: Missed Goals" in row


GOOD: list[dict[str, Any]] = [
    {"mode": "generator-only", "customURL": "https://a"},
    {"mode": "generator-only", "workloads": [{"customURI": "https://a"}]},
    {"mode": "generator-only", "workloadRef": {"name": "a"}},
    {"workloads": [{"ref": {"name": "a"}, "customURI": ""}]},
    {"workloads": [{"ref": {"name": "a"}, "tests": ["x"]}, {"ref": {"name": "b"}, "tests": ["y"], "mocks": ["*"]}]},
    {"timeout": "0", "ttlAfterReady": "1h30m1.5s"},
    {"sidecar": {"inject": True, "patch": "e30=", "tls": {"in": {"secret": "a"}, "out": True}}},
]
BAD: list[tuple[dict[str, Any], str]] = [
    ({"mode": "full"}, "spec.mode"),
    ({"snapshotID": "$SNAPSHOT"}, "spec.snapshotID"),
    ({"snapshotID": ""}, "spec.snapshotID"),
    ({"timeout": "10"}, "spec.timeout"),
    ({"timeout": "-1m"}, "spec.timeout"),
    ({"cleanup": "None"}, "spec.cleanup"),
    ({"sidecar": {"patch": "%%"}}, "spec.sidecar.patch"),
    ({"workloads": [{"ref": {"name": "a"}}] * 17}, "spec.workloads"),
    ({"workloads": [{"ref": {}}]}, "spec.workloads[0].ref.name"),
    ({"workloads": [{}]}, MESSAGE_TARGET),
    ({"workloads": [{"ref": {"name": "a"}, "customURI": "x"}]}, MESSAGE_TARGET),
    ({"mode": "generator-only"}, MESSAGE_GENERATOR),
    ({"mode": "generator-only", "workloads": []}, MESSAGE_GENERATOR),
    ({"workloads": [{"ref": {"name": "a"}, "tests": ["*"]}, {"ref": {"name": "b"}, "tests": ["*"]}]}, MESSAGE_TESTS),
]


@pytest.mark.parametrize("spec", GOOD, ids=str)
def test_what_passes_here_passes_without_a_cluster(cluster: Cluster, namespace: str, spec: dict[str, Any]) -> None:
    obj = replay(namespace, **spec)
    create(cluster, obj)
    assert trafficreplay.validate(obj) == []


@pytest.mark.parametrize(("spec", "said"), BAD, ids=str)
def test_what_is_refused_here_is_refused_without_a_cluster(
    kube: Client, namespace: str, spec: dict[str, Any], said: str
) -> None:
    obj = replay(namespace, **spec)
    with pytest.raises(InvalidError) as caught:
        kube.apply(obj, "tests", dry_run=True)
    assert said in str(caught.value)
    assert trafficreplay.validate(obj)


def test_the_largest_one_still_costs_little_enough(kube: Client, namespace: str) -> None:
    def keys(word: str, count: int) -> list[str]:
        return [f"{word}-{number}-".ljust(253, "x") for number in range(count)]

    workloads = [{"ref": {"name": f"w{n}"}, "tests": keys(f"t{n}", 32), "mocks": keys("m", 128)} for n in range(16)]
    obj = replay(namespace, workloads=workloads)
    kube.apply(obj, "tests")
    status(kube, namespace, STARTED)
    kube.patch(Ref(trafficreplay.API_VERSION, trafficreplay.KIND, namespace, "x"), {"spec": {"timeout": "1h"}}, "tests")
    assert trafficreplay.validate(obj) == []


def test_an_unknown_field_is_refused_by_kubectl_too(cluster: Cluster, namespace: str) -> None:
    with pytest.raises(AssertionError, match=r'unknown field "spec\.snapshotId"'):
        create(cluster, replay(namespace, snapshotId="x"), "--validate=strict")


CHANGES: dict[str, Any] = {
    "snapshotID": "other",
    "testConfigID": "other",
    "mode": "responder-only",
    "customURL": "https://b",
    "workloads": [{"ref": {"name": "b"}}],
    "workloadRef": {"name": "b"},
}


def status(kube: Client, namespace: str, value: dict[str, Any]) -> dict[str, Any]:
    return kube.patch(
        Ref(trafficreplay.API_VERSION, trafficreplay.KIND, namespace, "x"),
        {"status": value},
        "status",
        subresource="status",
    )


@pytest.mark.parametrize("field", FROZEN)
def test_a_started_replay_keeps_what_it_replays(kube: Client, namespace: str, field: str) -> None:
    which = Ref(trafficreplay.API_VERSION, trafficreplay.KIND, namespace, "x")
    kube.apply(replay(namespace), "tests")
    change = {"spec": {field: CHANGES[field]}}
    kube.patch(which, change, "tests", dry_run=True)
    status(kube, namespace, STARTED)
    with pytest.raises(InvalidError, match=f"spec.{field} cannot change once the replay has started"):
        kube.patch(which, change, "tests")
    allowed = {"timeout": "1h", "ttlAfterReady": "2h", "cleanup": "none", "mode": "full-replay"}
    assert kube.patch(which, {"spec": allowed}, "tests")["spec"]["timeout"] == "1h"
    status(kube, namespace, {"finishedTime": "2026-01-15T19:45:59Z"})


def test_the_newest_condition_stays_last_when_status_is_applied(cluster: Cluster, kube: Client, namespace: str) -> None:
    kube.apply(replay(namespace), "tests")

    def apply(*types: str) -> list[str]:
        at = {"lastTransitionTime": "2026-01-15T18:45:59Z", "reason": "R", "message": "", "status": "True"}
        obj = replay(namespace)
        del obj["spec"]
        obj["status"] = {"conditions": [{"type": t, **at} for t in types]}
        flags = ("--server-side", "--field-manager=status", "--subresource=status", "-o", "json")
        made = json.loads(cluster.kubectl("apply", *flags, "-f", "-", stdin=json.dumps(obj)))
        return [c["type"] for c in made["status"]["conditions"]]

    assert apply("Running") == ["Running"]
    assert apply("Running", "MocksReady") == ["Running", "MocksReady"]
    assert apply("MocksReady", "Running", "Ready") == ["MocksReady", "Running", "Ready"]
    assert apply("Ready", "MocksReady", "Running") == ["Ready", "MocksReady", "Running"]


def test_two_conditions_of_one_type_are_refused(kube: Client, namespace: str) -> None:
    kube.apply(replay(namespace), "tests")
    one = {
        "type": "Ready",
        "status": "True",
        "lastTransitionTime": "2026-01-15T18:45:59Z",
        "reason": "R",
        "message": "",
    }
    with pytest.raises(InvalidError, match="Duplicate value"):
        status(kube, namespace, {"conditions": [one, one]})
