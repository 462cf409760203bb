"""The operator as processes on a real API server: start, probes, settings, rights, leading, ending."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from harness.cluster import Cluster
from harness.operator import NAME, Installation, Replica
from harness.workloads import INJECT, SIDECAR, containers, create, deployment

from speedscale_kube import Client, Ref

pytestmark = pytest.mark.integration
LEADS = "speedscale_operator_leader_state"


def leads(replica: Replica) -> bool:
    return replica.metric(LEADS, process="controller") == 1


def events(installation: Installation, reason: str) -> list[str]:
    found = installation.kube.list("v1", "Event", installation.namespace)
    return [event["message"] for event in found if event["reason"] == reason]


@pytest.mark.fault("a process of the operator is killed", end="started anew, admission and settings as before")
def test_a_life(install: Any, kube: Client, namespace: str, cluster: Cluster) -> None:
    """Start, probes, an override taken live and one refused, processes that die, the end."""
    installation: Installation = install()
    replica = installation.start()
    code, text = replica.get("/readyz")
    assert (code, text.splitlines()[-1]) == (200, "ready"), text
    assert replica.get("/healthz") == (200, "ok\n")
    assert replica.metric("speedscale_operator_watch_objects", process="admission", watch="namespaces") > 2
    installation.until(lambda: leads(replica), "it leads")

    # LOG_LEVEL at once, component keys never, NAMESPACE_SELECTOR with a restart
    installation.override(LOG_LEVEL="debug", FORWARDER_CONFIG="{}", REDIS_CONFIG="{}", NAMESPACE_SELECTOR=namespace)
    refused = "speedscale_operator_settings_refused_problems"
    installation.until(lambda: replica.metric(refused, process="admission", reason="component_in_git") == 1, "refused")
    create(cluster, deployment("plain", namespace))
    installation.until(lambda: any(event.get("level") == "debug" for event in replica.logs()), "debug is logged")
    text = replica.get("/readyz")[1]
    assert "FORWARDER_CONFIG, REDIS_CONFIG are refused: in profile gitops" in text
    assert "wait for a restart: NAMESPACE_SELECTOR" in text
    installation.until(lambda: len(events(installation, "SettingsRefused")) == 1, "an Event tells of it")
    installation.override(LOG_LEVEL="loud")
    installation.until(lambda: "LOG_LEVEL" in replica.get("/readyz")[1], "the mistake is told")
    assert replica.ready
    installation.override()
    installation.until(lambda: "[i] ConfigMap" not in replica.get("/readyz")[1], "nothing is refused any more")

    restarts = "speedscale_operator_process_restarts_total"
    for role in ("admission", "controller"):
        os.kill(replica.child(role), signal.SIGKILL)
        installation.until(
            lambda role=role: replica.metric(restarts, of=role, cause="killed") == 1, f"{role} is missed"
        )
    installation.wait_ready(replica)
    told = create(cluster, deployment("shop", namespace, **INJECT))
    assert SIDECAR in containers(told.body)

    replica.stop()
    lease = kube.get(Ref("coordination.k8s.io/v1", "Lease", installation.namespace, NAME))
    logged = [event.get("event") for event in replica.logs()]
    assert logged[-1] == "operator_ended"
    assert "process_killed" not in logged
    # whoever was killed above could not give the Lease back; the one that ended now may not have led yet
    assert lease["spec"]["leaseTransitions"] >= 0


def test_a_clean_end_gives_the_lease_back(install: Any, kube: Client) -> None:
    installation: Installation = install()
    replica = installation.start()
    installation.until(lambda: leads(replica), "it leads")
    replica.stop()
    lease = kube.get(Ref("coordination.k8s.io/v1", "Lease", installation.namespace, NAME))
    assert lease["spec"].get("holderIdentity", "") == ""


@pytest.mark.fault(
    "the leader's pod is killed, the Lease not released",
    end="the other answers at once and leads after the lease",
)
def test_two_replicas_one_leads_both_answer(install: Any, namespace: str, cluster: Cluster) -> None:
    installation: Installation = install(operator={"replicas": 2})
    first, second = installation.start("operator-0"), installation.start("operator-1")
    assert [leads(first), leads(second)] == [True, False]
    assert "stands by; operator-0_" in second.get("/readyz")[1]
    answered = "speedscale_operator_admission_reviews_total"

    # only the second is asked once the first is dead; nobody released the Lease
    assert first.pid is not None
    os.killpg(first.pid, signal.SIGKILL)
    installation.until(
        lambda: SIDECAR in containers(create(cluster, deployment("a", namespace, **INJECT), dry_run=True).body),
        "the second answers",
    )
    assert second.metric(answered, endpoint="mutate", answer="patched") >= 1
    installation.until(lambda: leads(second), "the second leads", 40.0)


@pytest.mark.fault("the supervisor is killed", end="no process is left behind")
def test_children_end_with_their_supervisor(install: Any) -> None:
    installation: Installation = install(certificates={"mode": "manual"})
    replica = installation.start(wait=False)
    installation.until(lambda: "no answer" not in replica.get("/readyz")[1] and replica.get("/readyz")[0] == 503, "up")
    assert "Secret speedscale-webhook-certs has none yet" in _when(installation, replica, "has none yet")
    pids = [replica.child("admission"), replica.child("controller")]
    assert replica.pid is not None
    os.kill(replica.pid, signal.SIGKILL)
    installation.until(lambda: not any(_alive(pid) for pid in pids), "both are gone")


def _when(installation: Installation, replica: Replica, text: str) -> str:
    installation.until(lambda: text in replica.get("/readyz")[1], f"it says {text!r}")
    return replica.get("/readyz")[1]


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.fault("rights are missing at the start", end="told on /readyz, as metric and Event; it works")
def test_a_missing_right_is_told_and_stops_nothing(
    install: Any, kube: Client, namespace: str, cluster: Cluster
) -> None:
    installation: Installation = install()
    role = kube.get(Ref("rbac.authorization.k8s.io/v1", "ClusterRole", "", NAME))
    rules = [rule for rule in role["rules"] if not {"limitranges", "trafficreplays"} & set(rule["resources"])]
    assert len(rules) == len(role["rules"]) - 2
    kube.patch(kube.ref(role), {"rules": rules}, "user")
    replica = installation.start()
    assert "[i] cannot watch LimitRange (forbidden)" in replica.get("/readyz")[1]
    missing = {"process": "admission", "watch": "limits"}
    assert replica.metric("speedscale_operator_watch_forbidden_state", **missing) == 1
    assert SIDECAR in containers(create(cluster, deployment("shop", namespace, **INJECT)).body)
    told = "TrafficReplay in the cluster cannot be watched (forbidden)"
    installation.until(lambda: any(told in text for text in events(installation, "CannotWatch")), "an Event")


def test_selected_namespaces_only(install: Any, namespace: str, cluster: Cluster, kube: Client) -> None:
    """Rights in Roles, namespaces by name: it starts, works where it may, and leaves the rest alone."""
    installation: Installation = install(namespaceSelector=[namespace])
    replica = installation.start()
    assert "cannot watch" not in replica.get("/readyz")[1]
    assert SIDECAR in containers(create(cluster, deployment("shop", namespace, **INJECT)).body)
    assert containers(create(cluster, deployment("shop", "default", **INJECT), dry_run=True).body) == ["app"]


@pytest.mark.fault("the bundle is edited by hand", end="the last good one stays in force, told")
def test_a_bundle_that_was_edited_by_hand_is_not_taken(
    install: Any, kube: Client, namespace: str, cluster: Cluster
) -> None:
    """The last good one stays, and it is told; a start with such a bundle is not ready."""
    installation: Installation = install()
    replica = installation.start()
    which = Ref("v1", "ConfigMap", installation.namespace, "speedscale-bundle-sidecar")
    kube.patch(which, {"data": {"by-hand.yaml": "a: 1"}}, "user")
    assert "bundle not taken" in _when(installation, replica, "bundle not taken")
    assert replica.ready
    assert SIDECAR in containers(create(cluster, deployment("shop", namespace, **INJECT)).body)
    other = installation.start("operator-1", wait=False)
    assert "[-] bundle: ConfigMap speedscale-bundle-sidecar" in _when(installation, other, "[-] bundle: ConfigMap")


@pytest.mark.fault("settings make no sense", end="each mistake is told; nothing starts")
def test_wrong_settings_are_told_all_together(install: Any) -> None:
    installation: Installation = install()
    installation.kube.patch(
        Ref("v1", "ConfigMap", installation.namespace, NAME),
        {"data": {"LOG_LEVEL": "loud", "TEST_PREP_TIMEOUT": "soon"}},
        "user",
    )
    replica = installation.start(wait=False)
    installation.until(lambda: any(e.get("event") == "settings_invalid" for e in replica.logs()), "it says so")
    (problems, *_) = [event["problems"] for event in replica.logs() if event.get("event") == "settings_invalid"]
    assert {name for name in ("LOG_LEVEL", "TEST_PREP_TIMEOUT") if any(name in text for text in problems)} == {
        "LOG_LEVEL",
        "TEST_PREP_TIMEOUT",
    }
