"""Each right of the operator, as synthesised, taken away from a running one and given back.

What has to be so: the operator goes on (same processes, no bug), whoever looks is told which right is missing in the
API server's own words, everything else works, and with the right comes back what could not be done without.

- Rights to read what is kept in memory are taken one at a time: /readyz names them, admission answers from memory.
- Rights to write (and to read for a write) are taken together before a course of work that needs them, and given back
  one by one as each is named: so each is met missing at the place where it is needed, and the course ends as ever.
- Rights to look one object up are taken all at once: whoever needs one tells, and goes on when they are back.
- `ELSEWHERE` has the rest: tested in another file, or not met here, with the reason. A right that is in none of these
  fails the last test, so that a new one cannot be forgotten.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from harness.cluster import Cluster
from harness.interposer import Asked, Fault, Interposer, Refuse
from harness.operator import NAME, Installation, Replica
from harness.replaying import PASSED, SNAPSHOT, Shop, snapshot
from harness.unseen import blind, missed
from harness.workloads import INJECT, SIDECAR, containers, create, deployment

from speedscale_controller.snapshots import config_map
from speedscale_kube import Client, Object, Ref

pytestmark = pytest.mark.integration
Right = tuple[str, str]  # resource, verb
_REFUSED = re.compile(r'cannot (\w+) resource "([^"]+)"')

HURRY = """
import speedscale_controller.identity.reconciler as identity
import speedscale_controller.replays.annotated as annotated
import speedscale_controller.workloads.reconciler as workloads
import speedscale_kube.reflector as reflector

reflector.FORBIDDEN_S = 0.5  # instead of a minute
identity.FORBIDDEN_S = 1.0  # instead of a minute
annotated.FORBIDDEN_S = 1.0  # instead of a minute
workloads.RESYNC_S = 2.0  # instead of five minutes
"""
"""How long who was refused waits; nothing else of the operator is another than in a cluster."""

_BY_REASON: dict[str, set[Right]] = {
    "test_secrets_rights": {
        *(("secrets", verb) for verb in ("get", "create", "patch", "update", "delete")),
        *((f"{kind}webhookconfigurations", verb) for kind in ("mutating", "validating") for verb in ("get", "patch")),
    },
    "test_manager, test_lease": {("leases", verb) for verb in ("get", "create", "update", "patch")},
    "test_events: counted, nothing else happens": {("events", verb) for verb in ("get", "list", "create", "patch")},
    "not met: work that none of these courses has": {
        ("jobs", "patch"),
        ("services", "patch"),
        ("networkpolicies", "patch"),
        ("statefulsets", "delete"),
        ("daemonsets", "delete"),
        ("trafficreplays", "update"),
        ("trafficreplays/status", "update"),
        ("trafficreplays/finalizers", "update"),
    },
    "not met: no such kind in this cluster": {
        ("ciliumnodes", "get"),
        ("ciliumnodes", "list"),
        *(("rollouts", verb) for verb in ("get", "list", "watch", "patch", "delete")),
    },
}
ELSEWHERE = {right: reason for reason, found in _BY_REASON.items() for right in found}


WATCHED = frozenset(
    [
        "configmaps",
        "cronjobs",
        "daemonsets",
        "deployments",
        "jobs",
        "limitranges",
        "mutatingwebhookconfigurations",
        "namespaces",
        "networkpolicies",
        "persistentvolumeclaims",
        "poddisruptionbudgets",
        "pods",
        "replicasets",
        "resourcequotas",
        "secrets",
        "services",
        "statefulsets",
        "trafficreplays",
        "validatingwebhookconfigurations",
    ]
)
"""What is kept in memory."""


class Rights:
    """The operator's ClusterRole and Roles, as applied from synthesis."""

    def __init__(self, installation: Installation) -> None:
        self._kube = installation.kube
        self._whole = [o for o in installation.objects() if o["kind"] in ("Role", "ClusterRole") and _own(o)]
        self.missing: frozenset[Right] = frozenset()

    @property
    def all(self) -> set[Right]:
        """Every right, whatever the group and the names."""
        rules = [rule for role in self._whole for rule in role["rules"]]
        return {(resource, verb) for rule in rules for resource in rule["resources"] for verb in rule["verbs"]}

    def without(self, *missing: Right) -> None:
        """Grant all but these."""
        self.missing = frozenset(missing)
        for role in self._whole:
            rules = [left for rule in role["rules"] for left in self._left(rule)]
            self._kube.patch(self._kube.ref(role), {"rules": rules}, "tests")

    def _left(self, rule: dict[str, Any]) -> Iterator[dict[str, Any]]:
        for resource in rule["resources"]:
            verbs = [verb for verb in rule["verbs"] if (resource, verb) not in self.missing]
            if verbs:
                yield {**rule, "resources": [resource], "verbs": verbs}


def _own(manifest: Object) -> bool:
    return str(manifest["metadata"]["name"]).startswith(NAME)


@pytest.fixture
def scene(install: Any, interpose: Any, behind: Any, tmp_path: Path) -> tuple[Installation, Interposer, Replica]:
    """An operator that asks again soon after it was refused."""
    (tmp_path / "sitecustomize.py").write_text(HURRY)
    installation: Installation = install()
    way = interpose()
    replica = behind(installation, way, PYTHONPATH=str(tmp_path))
    installation.until(lambda: replica.metric("speedscale_operator_leader_state", process="controller") == 1, "leads")
    return installation, way, replica


def unharmed(replica: Replica) -> tuple[object, ...]:
    """What is the same after a fault that harmed no process."""
    bugs = [e for e in replica.logs() if e.get("event") == "reconcile_bug" or "Traceback" in str(e.get("line", ""))]
    return replica.pid, replica.child("admission"), replica.child("controller"), bugs


def refused(way: Interposer, right: Right) -> bool:
    return any((a.resource, a.verb) == right and a.status == 403 for a in way.asks)


@pytest.mark.fault("each right to list and watch, taken away in turn", end="named on /readyz, the rest works; heals")
def test_what_cannot_be_read_is_named(
    scene: tuple[Installation, Interposer, Replica], cluster: Cluster, namespace: str
) -> None:
    installation, way, replica = scene
    rights, before = Rights(installation), unharmed(replica)
    assert {a.resource for a in way.asks if a.verb == "watch" and a.status == 200} == WATCHED
    for resource in sorted(WATCHED):
        for verb in ("list", "watch"):
            right = (resource, verb)

            def forget(asked: Asked, right: Right = right) -> Fault | None:
                """Have watches listed anew: one that goes on needs no list."""
                gone = asked.verb == "watch" and asked.resource == right[0] and right[1] == "list"
                return Refuse(410, "Expired") if gone else None

            rights.without(right)
            way.forget()
            words = f'cannot {verb} resource "{resource}"'
            with way.breaking(forget):
                way.cut(lambda asked, resource=resource: (asked.verb, asked.resource) == ("watch", resource))
                installation.until(lambda right=right: refused(way, right), f"{right} is asked for and refused")
                installation.until(lambda words=words: words in replica.get("/readyz")[1], f"/readyz says {words!r}")
            told = create(cluster, deployment("asked", namespace, **INJECT), dry_run=True)
            assert (told.status, SIDECAR in containers(told.body)) == (201, True), (right, told.warnings)
            rights.without()
    installation.until(lambda: "cannot watch" not in replica.get("/readyz")[1], "nothing is missing any more")
    forbidden = "speedscale_operator_watch_forbidden_state"
    installation.until(lambda: replica.metric(forbidden) == 0, "no watch is forbidden")
    installation.wait_ready(replica)
    assert unharmed(replica) == before


COURSE: set[Right] = {
    *((kind, "patch") for kind in ("deployments", "statefulsets", "daemonsets", "replicasets", "cronjobs")),
    *((kind, verb) for kind in ("deployments", "jobs", "services", "networkpolicies") for verb in ("create", "delete")),
    ("configmaps", "create"),
    ("configmaps", "patch"),
    ("configmaps", "delete"),
    ("trafficreplays", "patch"),
    ("trafficreplays/status", "patch"),
}
"""What a sidecar for each kind, and a replay, need in their users' namespaces."""


@pytest.mark.fault(
    "each right to write, missing where it is needed", end="named where users look; given back, it heals"
)
def test_what_cannot_be_written_is_named(
    scene: tuple[Installation, Interposer, Replica], kube: Client, namespace: str
) -> None:
    installation, way, replica = scene
    rights, before = Rights(installation), unharmed(replica)
    shop = Shop(kube, namespace, installation.namespace)
    with blind(kube):
        named, live = _course(installation, way, rights, shop)
        for which in live:
            installation.until(lambda which=which: _healed(kube, which), f"{which} has its sidecar")
    assert unharmed(replica) == before
    assert named == COURSE


def _course(installation: Installation, way: Interposer, rights: Rights, shop: Shop) -> tuple[set[Right], list[Ref]]:
    """Take COURSE away, have a replay run and workloads mended, giving back what is named; return what was named."""
    kube = installation.kube
    shop.furnish()
    kube.delete(Ref("v1", "ConfigMap", shop.namespace, f"speedscale-snapshot-{SNAPSHOT}"))
    kube.apply(config_map(snapshot(), namespace=shop.own), "tests")  # from where it has to be copied
    rights.without(*COURSE)
    live = [kube.ref(kube.create(one, "user")) for one in _workloads(shop.namespace)]
    shop.replay()
    named: set[Right] = set()

    def round_() -> bool:
        new = (_told(kube, shop) - named) & COURSE
        if new:
            named.update(new)
            rights.without(*COURSE - named)
        shop.play(PASSED)
        return shop.condition("Running").get("reason") == "CleanedUp"

    installation.until(round_, "the replay ends and cleans up", 150.0)
    assert shop.condition("Ready")["reason"] == "TestSucceeded", shop.status()
    assert shop.inventory() == []
    return named, live


def _told(kube: Client, shop: Shop) -> set[Right]:
    """Return the rights that Events and conditions in users' namespaces call missing."""
    said = [str(one.get("message")) for one in shop.status().get("conditions") or ()]
    by_status = {(resource, verb) for text in said for verb, resource in _REFUSED.findall(text)}
    return by_status | _told_by_events(kube, shop.namespace)


def _told_by_events(kube: Client, namespace: str) -> set[Right]:
    said = (str(one.get("message")) for one in kube.list("v1", "Event", namespace))
    return {(resource, verb) for text in said for verb, resource in _REFUSED.findall(text)}


def _workloads(namespace: str) -> Iterator[Object]:
    """Yield a workload of each kind that can be mended, asking for a sidecar."""
    for kind in ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"):
        made = {**deployment(kind.lower(), namespace, **INJECT), "kind": kind}
        if kind == "DaemonSet":
            del made["spec"]["replicas"]
        yield made
    pod = deployment("cronjob", namespace)["spec"]["template"]
    pod["spec"]["restartPolicy"] = "Never"
    metadata = {"name": "cronjob", "namespace": namespace, "annotations": INJECT}
    spec = {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": pod}}}
    yield {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": metadata, "spec": spec}


def _healed(kube: Client, which: Ref) -> bool:
    live = kube.get(which)
    return SIDECAR in containers(live["spec"]["jobTemplate"] if which.kind == "CronJob" else live)


@pytest.mark.fault("every right to look one object up, taken away at once", end="told; given back, it goes on")
def test_what_cannot_be_looked_up_is_told(
    scene: tuple[Installation, Interposer, Replica], kube: Client, namespace: str
) -> None:
    installation, _, replica = scene
    rights, before = Rights(installation), unharmed(replica)
    shop = Shop(kube, namespace, installation.namespace).furnish()
    rights.without(*looked_up(rights.all))
    which = missed(kube, namespace, "shop")
    installation.until(lambda: ("deployments", "get") in _told_by_events(kube, namespace), "the workload's Event tells")
    shop.replay()
    outcome = {"process": "controller", "reconciler": "replays", "outcome": "permanent"}
    results = "speedscale_operator_reconcile_results_total"
    installation.until(lambda: replica.metric(results, **outcome) >= 1, "the replay is not seen, and that is counted")
    said = [str(event["error"]) for event in replica.logs() if event.get("event") == "replay_not_seen"]
    assert any('cannot get resource "trafficreplays"' in text for text in said), said
    rights.without()
    installation.until(lambda: SIDECAR in containers(kube.get(which)), "the workload is mended")

    def ended() -> bool:
        shop.play(PASSED)
        return shop.condition("Running").get("reason") == "CleanedUp"

    installation.until(ended, "the replay ends", 120.0)
    assert shop.condition("Ready")["reason"] == "TestSucceeded", shop.status()
    assert unharmed(replica) == before


ENDS: set[Right] = {("trafficreplays", "create"), ("trafficreplays", "delete")}
"""What beginning a replay for an annotation, and its expiry, need."""


@pytest.mark.fault("rights to begin and to expire a replay are missing", end="told by Events; given back, it goes on")
def test_what_begins_and_ends_replays_is_named(
    scene: tuple[Installation, Interposer, Replica], kube: Client, namespace: str
) -> None:
    installation, _, replica = scene
    rights, before = Rights(installation), unharmed(replica)
    shop = Shop(kube, namespace, installation.namespace).furnish()
    rights.without(*ENDS)
    workload = Ref("apps/v1", "Deployment", namespace, "checkout")
    marks = {"replay.speedscale.com/snapshot-id": SNAPSHOT}
    kube.patch(workload, {"metadata": {"annotations": marks}}, "user")
    installation.until(
        lambda: ("trafficreplays", "create") in _told_by_events(kube, namespace), "the workload's Event tells"
    )
    rights.without(("trafficreplays", "delete"))

    def replays() -> list[Object]:
        return list(kube.list("speedscale.com/v1", "TrafficReplay", namespace))

    installation.until(lambda: len(replays()) == 1, "it begins when the right is there")
    name = str(replays()[0]["metadata"]["name"])
    kube.patch(Ref("speedscale.com/v1", "TrafficReplay", namespace, name), {"spec": {"ttlAfterReady": "1s"}}, "user")

    def expires() -> bool:
        shop.play(PASSED)
        return ("trafficreplays", "delete") in _told_by_events(kube, namespace)

    installation.until(expires, "its Event tells that it cannot expire", 120.0)
    assert shop.condition("Ready", name)["reason"] == "TestSucceeded", shop.status(name)
    rights.without()
    installation.until(lambda: replays() == [], "it expires when the right is there", 90.0)
    assert unharmed(replica) == before


def looked_up(rights: set[Right]) -> set[Right]:
    """Return the rights to read single objects, and nodes; not those of who leads and of Events."""
    lists = {("nodes", "list")}
    return {right for right in rights if right[1] == "get" and right[0] not in ("leases", "events")} | lists


def test_no_right_is_forgotten(install: Any) -> None:
    """A right that is granted is taken away by a test, or stands with the reason why it is not."""
    granted = Rights(install()).all
    read = {(resource, verb) for resource in WATCHED for verb in ("list", "watch")}
    tested = read | COURSE | ENDS | looked_up(granted)
    assert granted - tested - ELSEWHERE.keys() == set()
    assert (tested | ELSEWHERE.keys()) - granted == set(), "what is no longer granted needs no test"
