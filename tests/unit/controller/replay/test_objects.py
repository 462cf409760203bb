"""The objects of a replay: the installation's own templates, filled."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from speedscale_controller.bundle import Bundle
from speedscale_controller.replay import Replay, plan
from speedscale_controller.replay.objects import Objects, Place, build, needed_secrets
from speedscale_controller.replay.plan import Plan, Surroundings
from speedscale_controller.snapshots import Traffic
from speedscale_controller.snapshots.index import SnapshotIndex
from speedscale_kube import Ref
from speedscale_manifests.bundle import bundle
from speedscale_manifests.values import from_mapping

OWN = "speedscale"
BUNDLE = Bundle.read(bundle(from_mapping({"namespace": OWN})))
UID = "6f1d8f0e-3c1c-4b7e-9d57-0a6f5d2f8b11"
VOLUME = ({"name": "snapshot", "configMap": {"name": "s"}}, "s", None)


def traffic(key: str, protocol: str = "http") -> Traffic:
    service, host, port = key.rsplit(":", 2)
    return Traffic(key, service, host, int(port), protocol, 1)


INDEX = SnapshotIndex(
    "s",
    "",
    {k: traffic(k) for k in ("app:checkout:80", "app:admin:80")},
    {"app:pay.example.com:443": traffic("app:pay.example.com:443", "https"), "app:stock:80": traffic("app:stock:80")},
    (("login", "user"), ("login", "password")),
)


def replay(name: str = "yucca", namespace: str = "shop", **spec: Any) -> Replay:
    target = {"ref": {"name": "checkout", "namespace": "shop"}, "tests": ["*"], "mocks": ["*"]}
    return Replay.read(
        {
            "metadata": {"name": name, "namespace": namespace, "uid": UID},
            "spec": {"snapshotID": "s", "testConfigID": "standard", "workloads": [target], **spec},
        }
    )


def planned(made: Replay, **config: Any) -> Plan:
    selector = {"matchLabels": {"app": "checkout"}}
    workload = {
        "kind": "Deployment",
        "metadata": {"name": "checkout", "namespace": "shop"},
        "spec": {"selector": selector, "template": {"metadata": {"labels": {"app": "checkout"}}}},
    }
    service = {"metadata": {"name": "web"}, "spec": {"selector": {"app": "checkout"}, "ports": [{"port": 80}]}}
    around = Surroundings(
        workloads={Ref("apps/v1", "Deployment", "shop", "checkout"): workload},
        services={"shop": (service,)},
        secret_access=("*",),
    )
    found, problems = plan(made, INDEX, {"id": "standard", **config}, around)
    assert found is not None, problems
    return found


def objects(made: Replay, suffix: str = "", **config: Any) -> Objects:
    place = Place(own_namespace=OWN, snapshots={"shop": VOLUME}, suffixes={"shop": suffix}, pull_secrets=("pull",))
    return build(made, planned(made, **config), place, BUNDLE.template)


def names(found: Any) -> list[tuple[str, str, str]]:
    return [(m["kind"], m["metadata"]["namespace"], m["metadata"]["name"]) for m in found]


def test_everything_of_a_replay_is_called_after_it_and_bears_its_marks() -> None:
    made = objects(replay())
    assert names(made.collector) == [
        ("NetworkPolicy", OWN, made.collector[0]["metadata"]["name"]),
        ("Service", OWN, made.collector[1]["metadata"]["name"]),
        ("Deployment", OWN, made.collector[2]["metadata"]["name"]),
    ]
    assert names(made.responders["shop"]) == [
        ("NetworkPolicy", "shop", "speedscale-responder-yucca"),
        ("Service", "shop", "responder-http"),
        ("Service", "shop", "responder-https"),
        ("Deployment", "shop", "speedscale-responder-yucca"),
    ]
    assert names(made.generator)[-1] == ("Job", "shop", "speedscale-generator-yucca")
    for manifest in made.all:
        meta = manifest["metadata"]
        assert meta["labels"]["replay.speedscale.com/id"] == UID
        assert ("ownerReferences" in meta) == (meta["namespace"] == "shop")


def test_two_replays_of_one_name_share_nothing() -> None:
    here, there = objects(replay()), objects(replay(namespace="other"))
    assert not set(names(here.collector)) & set(names(there.collector))
    assert not set(names(here.generator)) & set(names(there.generator))


def test_only_what_is_asked_for_reaches_generator_and_responder() -> None:
    target = {"ref": {"name": "checkout"}, "tests": ["admin"], "mocks": ["stock"]}
    made = objects(replay(workloads=[target], timeout="90s", buildTag="v2"), responder={"timing": "multiplied"})
    job, responder = made.generator[-1], made.responders["shop"][-1]
    env = {e["name"]: e.get("value") for e in job["spec"]["template"]["spec"]["containers"][0]["env"]}
    assert (env["TESTS"], env["TIMEOUT"], env["BUILD_TAG"]) == ("app:admin:80", "90.000s", "v2")
    assert env["CUSTOM_URL"] == "http://web.shop.svc:80"
    assert job["spec"]["activeDeadlineSeconds"] == 210
    assert (job["spec"]["backoffLimit"], job["spec"]["completionMode"]) == (0, "NonIndexed")
    env = {e["name"]: e.get("value") for e in responder["spec"]["template"]["spec"]["containers"][0]["env"]}
    assert (env["MOCKS"], env["RESPONSE_TIMING"], env["ON_MISS"]) == ("app:stock:80", "1x", "fail")
    assert [n for k, _, n in names(made.responders["shop"]) if k == "Service"] == ["responder-http"]


def test_more_pods_are_an_indexed_job_and_more_responders_share_counters() -> None:
    made = objects(replay(), cluster={"generatorPods": 3}, responder={"numReplicas": 2})
    assert made.generator[-1]["spec"]["completionMode"] == "Indexed"
    assert made.generator[-1]["spec"]["completions"] == 3
    found = [n for k, _, n in names(made.responders["shop"]) if k == "Deployment"]
    assert found == ["speedscale-redis-yucca", "speedscale-responder-yucca"]


def test_secrets_are_mounted_with_exactly_the_keys_that_are_asked_for() -> None:
    made = objects(replay())
    needed = needed_secrets(made.generator)
    assert needed[("shop", "login")] == {"password", "user"}
    assert ("shop", "speedscale-dlp-key") in needed
    assert ("shop", "speedscale-certs") in needed_secrets(made.responders["shop"])
    mounts = made.generator[-1]["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]
    assert "/var/lib/speedscale/secrets/login" in [m["mountPath"] for m in mounts]


def test_a_snapshot_s_copy_is_the_replay_s() -> None:
    copy = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "shop", "labels": {}}}
    place = Place(own_namespace=OWN, snapshots={"shop": (VOLUME[0], "s.tgz", copy)})
    made = build(replay(), planned(replay()), place, BUNDLE.template)
    copies = [m for m in made.all if m["kind"] == "ConfigMap"]
    assert len(copies) == 1
    assert copies[0]["metadata"]["labels"]["replay.speedscale.com/id"] == UID
    responder = made.responders["shop"][-1]["spec"]["template"]["spec"]["containers"][0]
    assert {"name": "SNAPSHOT_ID", "value": "/snapshots/s.tgz"} in responder["env"]


@pytest.mark.parametrize("suffix", ["", "-yucca"])
def test_services_get_another_name_where_theirs_is_taken(suffix: str) -> None:
    made = objects(replay(), suffix)
    assert ("Service", "shop", f"responder-http{suffix}") in names(made.responders["shop"])


def test_logs_are_not_collected_where_the_config_says_so() -> None:
    assert objects(replay(), cluster={"logsCollected": False}).collector == ()


def environment(manifest: dict[str, Any]) -> dict[str, Any]:
    return {e["name"]: e.get("value") for e in manifest["spec"]["template"]["spec"]["containers"][0]["env"]}


def test_pods_bring_results_to_their_collector_in_whatever_namespace_they_are() -> None:
    made = objects(replay())
    service = next(m for m in made.collector if m["kind"] == "Service")["metadata"]
    url = f"https://{service['name']}.{service['namespace']}.svc"
    assert environment(made.generator[-1])["COLLECTOR_URL"] == url
    assert environment(made.responders["shop"][-1])["COLLECTOR_URL"] == url
    assert environment(made.collector[-1])["REPLAY_NAMESPACES"] == "shop"
    without = objects(replay(), cluster={"logsCollected": False})
    assert environment(without.generator[-1])["COLLECTOR_URL"] == ""


def test_a_snapshot_that_is_a_volume_is_not_fetched() -> None:
    made = objects(replay())
    for manifest in (made.generator[-1], made.responders["shop"][-1]):
        assert "initContainers" not in manifest["spec"]["template"]["spec"]
    assert environment(made.collector[-1])["SNAPSHOT_SOURCE"] == "none"
    assert not made.collector_vital


def test_a_snapshot_of_the_backend_comes_through_the_collector_whatever_the_config_says() -> None:
    place = Place(own_namespace=OWN, snapshots={}, remote=True)
    made = build(replay(), planned(replay(), cluster={"logsCollected": False}), place, BUNDLE.template)
    assert made.collector_vital
    assert environment(made.collector[-1])["SNAPSHOT_SOURCE"] == "backend"
    id_ = environment(made.collector[-1])["SNAPSHOT_ID"]
    for manifest in (made.generator[-1], made.responders["shop"][-1]):
        pod = manifest["spec"]["template"]["spec"]
        (fetch,) = pod["initContainers"]
        told = {e["name"]: e.get("value") for e in fetch["env"]}
        assert told["SNAPSHOT_ID"] == f"{id_}.tar"
        assert environment(manifest)["SNAPSHOT_ID"].endswith(f"{id_}.tar")
        assert {"name": "snapshot", "emptyDir": {"sizeLimit": "16Gi"}} in pod["volumes"]
    assert all(m["kind"] != "ConfigMap" for m in made.all)


def test_the_longest_names_fit() -> None:
    made = objects(replace(replay(), name="a." + "x" * 200))
    assert all(len(m["metadata"]["name"]) <= 63 for m in made.all)
