"""Every command of the inspector on a real API server, with the rights that the installation gives it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from harness.cluster import Cluster
from harness.inspecting import Backend, Manifest, Played, deployment
from structlog.testing import capture_logs

from speedscale_kube import Client, Ref
from speedscale_schemas import trafficreplay
from speedscale_schemas.annotations import SIDECAR
from speedscale_schemas.inspector import COMMANDS


@pytest.fixture
def backend(played: Played) -> Backend:
    """The other end of the channel."""
    return played.backend


@pytest.fixture
def cart(kube: Client, namespace: str) -> Manifest:
    """A Deployment that nobody captures."""
    return kube.create(deployment(namespace), "team")


def events(kube: Client, namespace: str, name: str) -> list[Manifest]:
    return kube.list("v1", "Event", namespace, fields=f"involvedObject.name={name}")


def ours(obj: Manifest) -> dict[str, str]:
    return {k: v for k, v in obj["metadata"].get("annotations", {}).items() if k.startswith(SIDECAR)}


def test_it_says_who_it_is(backend: Backend, played: Played) -> None:
    hello = backend.hellos[0]
    assert (hello["cluster"], hello["namespace"], hello["namespaces"]) == ("north", played.namespace, [])
    assert hello["commands"] == list(COMMANDS)
    assert played.metric("speedscale_inspector_backend_state", state="connected") == 1


def test_workloads(backend: Backend, kube: Client, namespace: str, cart: Manifest) -> None:
    kube.create(deployment(namespace, "shop", {f"{SIDECAR}/inject": "true"}), "team")
    found = backend.ask("list-workloads", {"namespace": namespace})
    assert found.result["missing"] == []
    assert found.named("cart")["state"] == "none"
    shop = found.named("shop")
    assert (shop["kind"], shop["state"], shop["annotated"], shop["injected"]) == ("Deployment", "pending", True, False)
    assert shop["annotations"] == {f"{SIDECAR}/inject": "true"}
    assert shop["containers"] == [{"name": "shop", "image": "example.com/shop:1"}]
    assert [one["name"] for one in backend.ask("list-workloads", {"namespace": namespace, "captured": True}).items] == [
        "shop"
    ]
    everywhere = backend.ask("list-workloads")
    assert {"cart", "shop"} <= {one["name"] for one in everywhere.items if one["namespace"] == namespace}


def test_why_a_sidecar_is_missing_is_what_the_operator_said(backend: Backend, kube: Client, namespace: str) -> None:
    made = kube.create(deployment(namespace, "shop", {f"{SIDECAR}/inject": "true"}), "team")
    meta = made["metadata"]
    about = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop", "namespace": namespace, "uid": meta["uid"]}
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "shop.1", "namespace": namespace},
        "involvedObject": about,
        "type": "Warning",
        "reason": "HostNetwork",
        "message": "pods on the host's network are left alone; ask mary.jones@example.com",
        "source": {"component": "speedscale-operator"},
        "lastTimestamp": "2026-01-01T00:00:00Z",
    }
    kube.create(event, "operator")
    shop = backend.ask("list-workloads", {"namespace": namespace}).named("shop")
    assert shop["reason"] == "HostNetwork"
    assert "left alone" in shop["message"]
    assert "mary.jones" not in shop["message"]


def test_pods_services_nodes_namespaces(backend: Backend, kube: Client, namespace: str) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "one", "namespace": namespace, "labels": {"app": "one"}},
        "spec": {"containers": [{"name": "c", "image": "example.com/c:1"}], "automountServiceAccountToken": False},
    }
    account = Ref("v1", "ServiceAccount", namespace, "default")
    Cluster.until(lambda: kube.find(account) is not None, f"{account} is there")
    kube.create(pod, "team")
    ports = [{"name": "http", "port": 80, "targetPort": 8080}]
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "one", "namespace": namespace}}
    kube.create({**service, "spec": {"selector": {"app": "one"}, "ports": ports}}, "team")
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": f"node-{namespace}"}}
    kube.create(node, "team")
    try:
        found = backend.ask("list-pods", {"namespace": namespace, "labels": "app=one"}).named("one")
        assert (found["phase"], found["containers"][0]["state"]) == ("Pending", "waiting")
        assert backend.ask("list-pods", {"namespace": namespace, "labels": "app=two"}).items == []
        assert backend.ask("list-services", {"namespace": namespace}).named("one")["ports"][0]["port"] == 80
        assert backend.ask("list-nodes").named(f"node-{namespace}")["ready"] is False
        assert backend.ask("list-namespaces").named(namespace)["phase"] == "Active"
        wrong = backend.ask("list-pods", {"namespace": namespace, "labels": "app in one"})
        assert wrong.reason == "refused_by_cluster"
    finally:
        kube.delete(kube.ref(node))


def test_names_of_secrets_are_those_of_the_values_unless_it_may_list_them(
    backend: Backend, kube: Client, namespace: str, played: Played
) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db", "namespace": namespace}}
    kube.create({**secret, "stringData": {"password": "hunter2hunter2"}}, "team")
    found = backend.ask("list-secret-names", {"namespace": namespace})
    assert {one["source"] for one in found.items} == {"values"}
    assert "speedscale-certs" in {one["name"] for one in found.items}
    (missing,) = found.result["missing"]
    assert (missing["verb"], missing["resource"], missing["namespace"]) == ("list", "secrets", namespace)
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role"}
    meta = {"metadata": {"name": "names", "namespace": namespace}}
    kube.create({**role, **meta, "rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["list"]}]}, "team")
    account = {"kind": "ServiceAccount", "name": "speedscale-inspector", "namespace": played.namespace}
    ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "names"}
    kube.create({**role, "kind": "RoleBinding", **meta, "subjects": [account], "roleRef": ref}, "team")

    def listed() -> bool:
        answer = backend.ask("list-secret-names", {"namespace": namespace})
        assert "hunter2" not in str(answer.items)
        return answer.items == [{"namespace": namespace, "name": "db", "source": "cluster"}]

    Cluster.until(listed, "the account may list Secrets")


def test_a_sidecar_is_asked_for_and_taken_back(backend: Backend, kube: Client, namespace: str, cart: Manifest) -> None:
    which = Ref("apps/v1", "Deployment", namespace, "cart")
    asked = {"namespace": namespace, "workload": "deployment/cart", "settings": {"tls-out": "true"}}
    dry = backend.ask("sidecar-add", {**asked, "dryRun": True})
    assert dry.result["change"] == {f"{SIDECAR}/inject": "true", f"{SIDECAR}/tls-out": "true"}
    assert ours(kube.get(which)) == {}
    added = backend.ask("sidecar-add", asked)
    assert (added.result["state"], added.result["dryRun"]) == ("pending", False)
    before, after = cart, kube.get(which)
    assert ours(after) == added.result["change"]
    assert after["spec"] == before["spec"]
    assert "speedscale-inspector" in {entry["manager"] for entry in after["metadata"]["managedFields"]}
    assert backend.ask("sidecar-add", asked).result["change"] == {}
    removed = backend.ask("sidecar-remove", {"namespace": namespace, "workload": "cart"})
    assert removed.result["change"] == {f"{SIDECAR}/inject": None}
    assert ours(kube.get(which)) == {f"{SIDECAR}/tls-out": "true"}
    Cluster.until(lambda: len(events(kube, namespace, "cart")) == 2, "both changes are told in Events")
    told = {event["reason"]: event["message"] for event in events(kube, namespace, "cart")}
    assert set(told) == {"SidecarAsked", "SidecarDeclined"}
    assert all("ci-checkout" in message for message in told.values())


@pytest.mark.parametrize(
    ("more", "reason", "words"),
    [
        ({"workload": "deployment/none"}, "not_found", "no Deployment 'none'"),
        ({"workload": "none"}, "not_found", "no workload 'none'"),
        ({"workload": "pod/cart"}, "invalid_arguments", "name a Deployment"),
        ({"workload": "thing/cart"}, "invalid_arguments", "no kind of workload"),
        ({"workload": "cart", "settings": {"tls-outt": "true"}}, "invalid_arguments", "tls-out"),
        ({"workload": "cart", "settings": {"log-level": "loud"}}, "invalid_arguments", "loud"),
        ({"workload": "cart", "colour": "red"}, "invalid_arguments", "colour"),
    ],
)
def test_a_wrong_wish_is_refused(
    backend: Backend, namespace: str, cart: Manifest, more: dict[str, Any], reason: str, words: str
) -> None:
    answer = backend.ask("sidecar-add", {"namespace": namespace, **more})
    assert answer.reason == reason
    assert words in answer.message


def test_an_ambiguous_name_and_an_owner_in_git(backend: Backend, kube: Client, namespace: str, cart: Manifest) -> None:
    job = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": "cart", "namespace": namespace, "labels": {"argocd.argoproj.io/instance": "shop"}},
        "spec": {
            "schedule": "0 0 1 1 *",
            "jobTemplate": {
                "spec": {
                    "template": {
                        "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "example.com/c:1"}]}
                    }
                }
            },
        },
    }
    kube.create(job, "team")
    asked = {"namespace": namespace, "workload": "cart"}
    answer = backend.ask("sidecar-add", asked)
    assert answer.reason == "ambiguous"
    assert "deployment/cart, cronjob/cart" in answer.message
    owned = backend.ask("sidecar-add", {**asked, "workload": "cronjob/cart"})
    assert owned.reason == "managed_by_gitops"
    assert "Argo CD (Application shop)" in owned.message
    assert backend.ask("sidecar-add", {**asked, "workload": "cj/cart", "force": True}).result["state"] == "pending"


@pytest.fixture
def replay(backend: Backend, kube: Client, namespace: str, cart: Manifest) -> Iterator[Ref]:
    """A TrafficReplay that the inspector made."""
    asked = {"namespace": namespace, "snapshotId": "latest", "workloads": ["deployment/cart"], "buildTag": "v1"}
    made = backend.ask("replay-start", asked).result
    which = Ref(trafficreplay.API_VERSION, trafficreplay.KIND, namespace, made["name"])
    yield which
    kube.delete(which)


def test_a_replay_is_started_as_speedctl_starts_it(backend: Backend, kube: Client, namespace: str, replay: Ref) -> None:
    spec = kube.get(replay)["spec"]
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "cart", "namespace": namespace}
    assert spec["workloads"] == [{"ref": target, "tests": ["*"], "mocks": ["*"]}]
    assert (spec["snapshotID"], spec["testConfigID"], spec["buildTag"]) == ("latest", "standard", "v1")
    Cluster.until(lambda: bool(events(kube, namespace, replay.name)), "the start is told in an Event")
    asked = {"namespace": namespace, "snapshotId": "latest", "workloads": ["cart"]}
    taken = backend.ask("replay-start", {**asked, "name": replay.name})
    assert taken.reason == "exists"
    wrong = backend.ask("replay-start", {**asked, "name": "Yes.."})
    assert wrong.reason == "invalid_arguments"
    dry = backend.ask("replay-start", {**asked, "dryRun": True}).result
    assert kube.find(replay._replace(name=dry["name"])) is None


def status(kube: Client, replay: Ref, *conditions: Manifest) -> None:
    """Write a status as the operator does."""
    kube.patch(replay, {"status": {"active": True, "conditions": list(conditions)}}, "operator", subresource="status")


def condition(type_: str, state: str, reason: str, message: str) -> Manifest:
    stamp = "2026-01-01T00:00:00Z"
    told = {"type": type_, "status": state, "reason": reason, "message": message, "lastTransitionTime": stamp}
    return {**told, "observedGeneration": 1}


def test_a_replay_is_followed_to_its_end(backend: Backend, kube: Client, namespace: str, replay: Ref) -> None:
    asked = {"namespace": namespace, "name": replay.name}
    id_ = backend.begin("replay-follow", asked)
    assert backend.next(id_)["item"]["standing"] == "the operator has not seen it yet"
    status(kube, replay, condition("Running", "True", "Started", "looking for the snapshot"))
    assert backend.next(id_)["item"]["standing"] == "Started: looking for the snapshot"
    status(kube, replay, condition("Ready", "True", "TestFailed", "Failed: Missed Goals: 25 % of jo@example.com"))
    seen = backend.next(id_)
    assert "jo@example.com" not in str(seen)
    end = backend.next(id_)
    assert (end["kind"], end["result"]["outcome"]) == ("end", "failed")
    (one,) = backend.ask("replay-status", asked).items
    assert one["status"]["conditions"][0]["reason"] == "TestFailed"
    assert replay.name in {item["name"] for item in backend.ask("replay-status").items}
    assert backend.ask("replay-status", {**asked, "name": "none"}).reason == "not_found"


def test_a_replay_is_canceled(backend: Backend, kube: Client, namespace: str, replay: Ref) -> None:
    asked = {"namespace": namespace, "name": replay.name}
    id_ = backend.begin("replay-follow", asked)
    backend.next(id_)
    assert backend.ask("replay-cancel", {**asked, "wait": True}).result["gone"] is True
    assert kube.find(replay) is None
    while (last := backend.next(id_))["kind"] == "item":
        pass
    assert last["result"]["outcome"] == "canceled"
    assert backend.ask("replay-cancel", asked).reason == "not_found"


def test_configuration(backend: Backend, kube: Client, played: Played) -> None:
    which = Ref("v1", "ConfigMap", played.namespace, "speedscale-operator-override")
    kube.patch(which, {"data": {"SPEEDSCALE_API_KEY": "0123456789abcdef", "VENDORS": "jo@example.com"}}, "somebody")
    with capture_logs() as logs:
        changed = backend.ask("config-set", {"set": {"LOG_LEVEL": "debug", "TEST_PREP_TIMEOUT": "7m"}})
    assert changed.result["changed"] == ["LOG_LEVEL", "TEST_PREP_TIMEOUT"]
    assert kube.get(which)["data"]["LOG_LEVEL"] == "debug"
    shown = backend.ask("config-get").result["config"]
    assert (shown["LOG_LEVEL"], shown["SPEEDSCALE_API_KEY"]) == ("debug", "(hidden)")
    assert shown["VENDORS"] != "jo@example.com"
    dry = backend.ask("config-set", {"unset": ["LOG_LEVEL"], "dryRun": True})
    assert dry.result == {"changed": ["LOG_LEVEL"], "dryRun": True, "items": 0, "notes": [], "missing": []}
    assert kube.get(which)["data"]["LOG_LEVEL"] == "debug"
    backend.ask("config-set", {"unset": ["LOG_LEVEL", "TEST_PREP_TIMEOUT"]})
    assert set(kube.get(which)["data"]) == {"SPEEDSCALE_API_KEY", "VENDORS"}
    Cluster.until(lambda: bool(events(kube, played.namespace, which.name)), "the change is told in an Event")
    (line,) = [one for one in logs if one["event"] == "command_audited"]
    assert (line["actor"], line["command"], line["result"]) == ("ci-checkout", "config-set", "ok")
    assert line["arguments"] == {"set": ["LOG_LEVEL", "TEST_PREP_TIMEOUT"]}
    assert line["changed"] == [f"ConfigMap {played.namespace}/speedscale-operator-override"]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"set": {"LOG_LEVL": "debug"}}, "did you mean 'LOG_LEVEL'"),
        ({"set": {"LOG_LEVEL": "loud"}}, "LOG_LEVEL"),
        ({"set": {"WITH_DLP": "false"}}, "in profile gitops components are what git says"),
        ({"set": {"PROFILE": "operator"}}, "stand in git"),
        ({"set": {"SPEEDSCALE_API_KEY": "x"}}, "never overridden"),
        ({"unset": ["LOG_LEVEL"]}, "is not in the override"),
    ],
)
def test_a_wrong_configuration_is_not_written(
    backend: Backend, kube: Client, played: Played, asked: Manifest, words: str
) -> None:
    which = Ref("v1", "ConfigMap", played.namespace, "speedscale-operator-override")
    before = kube.get(which)
    answer = backend.ask("config-set", asked)
    assert answer.reason == "override_refused"
    assert words in answer.message
    assert kube.get(which) == before


def test_events_are_listed_newest_last_and_redacted(backend: Backend, kube: Client, namespace: str) -> None:
    for number, kind in ((2, "Warning"), (1, "Normal")):
        meta = {"name": f"e{number}", "namespace": namespace}
        about = {"apiVersion": "v1", "kind": "Pod", "name": "one", "namespace": namespace}
        said = {"type": kind, "reason": "Said", "message": "card 4111 1111 1111 1111", "involvedObject": about}
        stamp = {"lastTimestamp": f"2026-01-01T00:00:0{number}Z"}
        kube.create({"apiVersion": "v1", "kind": "Event", "metadata": meta, **said, **stamp}, "team")
    found = backend.ask("list-events", {"namespace": namespace, "about": "Pod/one"}).items
    assert [one["type"] for one in found] == ["Normal", "Warning"]
    assert all("4111" not in one["message"] for one in found)
    assert len(backend.ask("list-events", {"namespace": namespace, "warnings": True}).items) == 1
    assert backend.ask("list-events", {"namespace": namespace, "about": "Pod/two"}).items == []


def test_what_nobody_knows_is_refused(backend: Backend, played: Played) -> None:
    answer = backend.ask("drop-database")
    assert answer.reason == "unknown_command"
    assert "list-workloads" in answer.message
    assert played.metric("speedscale_inspector_commands_total", command="unknown", outcome="unknown_command") == 1


def test_it_comes_back_after_the_connection_was_lost(backend: Backend, played: Played) -> None:
    before = len(backend.hellos)
    backend.drop()
    backend.wait_connected()
    assert len(backend.hellos) == before + 1
    assert backend.ask("list-namespaces").result["items"] > 0
