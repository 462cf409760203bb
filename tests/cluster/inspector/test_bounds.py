"""Where the inspector's might ends: labels of the caller, namespaces of the installation, rights of its account."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from harness.cluster import Cluster
from harness.inspecting import ACTOR, Answer, Backend, Played, deployment
from structlog.testing import capture_logs

from speedscale_kube import Client, Ref
from speedscale_schemas.asking.workloads import KINDS


def test_a_caller_without_the_labels_is_refused_everything(play: Any, namespace: str, kube: Client) -> None:
    backend: Backend = play(inspector={"accessLabels": {"env": "test", "team": "shop"}}).backend
    kube.create(deployment(namespace), "team")
    for labels in ({}, {"env": "test"}, {"env": "prod", "team": "shop"}):
        answer = backend.ask("list-workloads", {"namespace": namespace}, actor={"name": "x", "labels": labels})
        assert answer.reason == "access_labels"
        assert "team=shop" in answer.message or "env=test" in answer.message
    asked = {"namespace": namespace, "workload": "cart"}
    with capture_logs() as logs:
        assert backend.ask("sidecar-add", asked, actor={"name": "x"}).reason == "access_labels"
    (line,) = [one for one in logs if one["event"] == "command_audited"]
    assert (line["actor"], line["result"], line["changed"]) == ("x", "access_labels", [])
    found = kube.get(Ref("apps/v1", "Deployment", namespace, "cart"))
    assert "sidecar.speedscale.com/inject" not in found["metadata"].get("annotations", {})
    both = {"env": "test", "team": "shop", "other": "y"}
    assert backend.ask("list-workloads", {"namespace": namespace}, actor={"name": "x", "labels": both}).items


def test_other_namespaces_are_not_seen(play: Any, namespace: str, kube: Client) -> None:
    other = f"{namespace}-other"
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": other}}, "tests")
    for space in (namespace, other):
        kube.create(deployment(space), "team")
    played: Played = play(namespaceSelector=[namespace])
    backend = played.backend
    assert backend.hellos[0]["namespaces"] == [namespace, played.namespace]
    for command in ("list-workloads", "list-pods", "list-services", "list-events", "replay-status"):
        refused = backend.ask(command, {"namespace": other})
        assert refused.reason == "namespace_not_watched"
        assert namespace in refused.message
        everywhere = backend.ask(command)
        assert everywhere.result["missing"] == []
        assert {item["namespace"] for item in everywhere.items} <= {namespace, played.namespace}
    assert {item["name"] for item in backend.ask("list-namespaces").items} == {namespace, played.namespace}
    assert {item["namespace"] for item in backend.ask("list-workloads").items} == {namespace}
    assert backend.ask("sidecar-add", {"namespace": other, "workload": "cart"}).reason == "namespace_not_watched"
    assert backend.ask("sidecar-add", {"namespace": namespace, "workload": "cart"}).result["annotated"] is True
    kube.delete(Ref("v1", "Namespace", "", other))


_LISTS = {
    "list-workloads": [
        ("apps", "deployments"),
        ("apps", "statefulsets"),
        ("apps", "daemonsets"),
        ("apps", "replicasets"),
        ("batch", "jobs"),
        ("batch", "cronjobs"),
        ("argoproj.io", "rollouts"),
    ],
    "list-pods": [("", "pods")],
    "list-services": [("", "services")],
    "list-events": [("", "events")],
    "list-nodes": [("", "nodes")],
    "list-namespaces": [("", "namespaces")],
    "replay-status": [("speedscale.com", "trafficreplays")],
}
_CHANGED = [
    ("apps", "deployments", "Deployment"),
    ("apps", "statefulsets", "StatefulSet"),
    ("apps", "daemonsets", "DaemonSet"),
    ("argoproj.io", "rollouts", "Rollout"),
    ("batch", "cronjobs", "CronJob"),
    ("batch", "jobs", "Job"),
]


def workload(namespace: str, kind: str) -> dict[str, Any]:
    """Return a workload of any kind that can be annotated."""
    made = {**deployment(namespace), "apiVersion": KINDS[kind], "kind": kind}
    template = made["spec"]["template"]
    if kind == "StatefulSet":
        made["spec"]["serviceName"] = "cart"
    if kind == "DaemonSet":
        del made["spec"]["replicas"]
    if kind in ("Job", "CronJob"):
        job = {"template": {"spec": {**template["spec"], "restartPolicy": "Never"}}}
        made["spec"] = (
            {"suspend": True, **job} if kind == "Job" else {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": job}}
        )
    return made


def without(played: Played, group: str, resource: str, verb: str, ask: Callable[[], Answer]) -> Answer:
    """Take a right away; return the first answer that shows it (the authorizer learns of it a moment later)."""
    answers: list[Answer] = []

    def shown() -> bool:
        answers.append(ask())
        last = answers[-1].last
        return last["kind"] == "error" or bool(last["result"]["missing"])

    with played.without(group, resource, verb):
        Cluster.until(shown, f"{verb} {resource} is lacking")
    return answers[-1]


def restored(ask: Callable[[], Answer]) -> None:
    """Wait until what was taken away is back."""

    def whole() -> bool:
        last = ask().last
        return last["kind"] == "end" and not last["result"]["missing"]

    Cluster.until(whole, "the right is back")


def test_each_right_of_the_account_is_needed_and_named_when_it_is_gone(
    played: Played, kube: Client, namespace: str
) -> None:
    """All of them: what the walk below took away is what the manifests grant."""
    backend = played.backend
    taken: set[tuple[str, str, str]] = set()

    def lacks(group: str, resource: str, verb: str, ask: Callable[[], Answer]) -> None:
        restored(ask)
        answer = without(played, group, resource, verb, ask)
        error = answer.last["kind"] == "error"
        missing = answer.missing if error else answer.result["missing"][0]
        assert (missing["group"], missing["resource"], missing["verb"]) == (group, resource, verb)
        if error:
            assert answer.reason == "forbidden"
            assert f"may not {verb} {resource}" in answer.message
        taken.add((group, resource, verb))

    for command, kinds in _LISTS.items():
        for group, resource in kinds:
            lacks(group, resource, "list", lambda command=command: backend.ask(command))  # type: ignore[misc]
    for group, resource, kind in _CHANGED:
        name = f"{kind.lower()}/cart"
        kube.create(workload(namespace, kind), "team")
        asked = {"namespace": namespace, "workload": name}
        lacks(group, resource, "get", lambda a=asked: backend.ask("sidecar-add", {**a, "dryRun": True}))  # type: ignore[misc]
        numbers = iter(range(10_000))
        patched = lambda a=asked, n=numbers: backend.ask(  # type: ignore[misc] # noqa: E731
            "sidecar-add", {**a, "dryRun": True, "settings": {"memory-limit": f"{100 + next(n)}Mi"}}
        )
        lacks(group, resource, "patch", patched)
    started = {"namespace": namespace, "workloads": ["deployment/cart"], "snapshotId": "latest"}
    lacks(
        "speedscale.com", "trafficreplays", "create", lambda: backend.ask("replay-start", {**started, "dryRun": True})
    )
    name = backend.ask("replay-start", started).result["name"]
    one = {"namespace": namespace, "name": name}
    lacks("speedscale.com", "trafficreplays", "get", lambda: backend.ask("replay-status", one))
    answer = _once(played, ("speedscale.com", "trafficreplays", "delete"), lambda: backend.ask("replay-cancel", one))
    assert answer.missing["verb"] == "delete"
    taken.add(("speedscale.com", "trafficreplays", "delete"))
    lacks("", "configmaps", "get", lambda: backend.ask("config-get"))
    levels = iter(["debug", "info", "warn", "error"] * 1000)
    lacks("", "configmaps", "patch", lambda: backend.ask("config-set", {"set": {"LOG_LEVEL": next(levels)}}))
    gone = {"namespace": namespace, "pod": "none"}
    answer = _log(played, lambda: backend.ask("logs", gone))
    assert (answer.reason, answer.missing["resource"], answer.missing["verb"]) == ("forbidden", "pods/log", "get")
    taken.add(("", "pods/log", "get"))
    granted = {
        (group, resource, verb)
        for manifest in played.manifests
        for rule in manifest.get("rules", ())
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    told = {("", "events", "create"), ("", "events", "patch")}  # see the next test: nobody waits for Events
    assert taken | told == granted


def _once(played: Played, right: tuple[str, str, str], ask: Callable[[], Answer]) -> Answer:
    """Take a right away whose use cannot be tried for nothing: ask the authorizer until it knows."""
    group, resource, verb = right
    with played.without(*right):
        Cluster.until(lambda: not may(played, group, resource, verb), f"{verb} {resource} is lacking")
        return ask()


def may(played: Played, group: str, resource: str, verb: str) -> bool:
    """Ask the API server whether the account has a right everywhere."""
    who = f"system:serviceaccount:{played.namespace}:speedscale-inspector"
    attributes = {"group": group, "resource": resource, "verb": verb, "namespace": "default"}
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview"}
    answer = played.kube.review({**review, "spec": {"user": who, "resourceAttributes": attributes}})
    return bool(answer["status"]["allowed"])


def _log(played: Played, ask: Callable[[], Answer]) -> Answer:
    answers: list[Answer] = []

    def forbidden() -> bool:
        answers.append(ask())
        return answers[-1].reason == "forbidden"

    assert ask().reason == "not_found"
    with played.without("", "pods/log", "get"):
        Cluster.until(forbidden, "logs are forbidden")
    return answers[-1]


@pytest.mark.parametrize("verb", ["create"])
def test_without_the_right_to_tell_the_work_is_done_all_the_same(
    played: Played, kube: Client, namespace: str, verb: str
) -> None:
    kube.create(deployment(namespace), "team")
    failed = played.metric("speedscale_inspector_events_total", fate="failed")
    with played.without("", "events", verb):
        Cluster.until(lambda: not may(played, "", "events", verb), "Events cannot be made")
        answer = played.backend.ask("sidecar-add", {"namespace": namespace, "workload": "cart"})
        assert answer.result["annotated"] is True
        Cluster.until(
            lambda: played.metric("speedscale_inspector_events_total", fate="failed") > failed, "the failure is counted"
        )


def test_the_actor_is_in_the_audit_of_a_refusal(played: Played) -> None:
    with capture_logs() as logs:
        assert played.backend.ask("logs", {"namespace": "none", "pod": "none"}).reason == "not_found"
    (line,) = [one for one in logs if one["event"] == "command_audited"]
    assert (line["actor"], line["command"], line["result"]) == (ACTOR["name"], "logs", "not_found")
