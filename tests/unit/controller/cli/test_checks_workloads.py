"""Checks of the users' workloads and of the policies around them, over recorded facts."""

from __future__ import annotations

from typing import Any

import pytest
from recorded_facts import INSTANCE, Object, Recorded, named

from speedscale_controller.cli.capture import Captured, State, capture
from speedscale_controller.cli.diagnosis import checks
from speedscale_controller.cli.diagnosis.model import Facts, Result, Verdict, examine

BY_ID = {check.id: check for check in checks.CHECKS}
INJECT = {"sidecar.speedscale.com/inject": "true"}


def examined(id_: str, facts: Facts) -> Result:
    return examine(BY_ID[id_], facts)


def one(state: State, **fields: Any) -> Captured:
    given = {"kind": "Deployment", "namespace": "shop", "name": "cart", "annotated": True, "injected": False}
    return Captured(**{**given, "state": state, **fields})


def workload(name: str = "cart", *, sidecar: bool = False, template: Any = None, **metadata: Any) -> Object:
    containers = [{"name": "app", "image": "app:1"}, *([{"name": "speedscale-goproxy", "image": "p:1"}] * sidecar)]
    spec = {"template": {"metadata": {"labels": {"app": name}, **(template or {})}, "spec": {"containers": containers}}}
    return {**named("Deployment", name, "shop", **metadata), "apiVersion": "apps/v1", "spec": spec}


@pytest.mark.parametrize(
    ("check", "state", "fields", "said"),
    [
        ("workloads", State.SKIPPED, {"reason": "quota", "message": "too much"}, "quota: too much"),
        ("workloads-pending", State.PENDING, {}, "asks for a sidecar"),
        ("workloads-pending", State.REMOVING, {"injected": True}, "still has a sidecar"),
        ("workloads-stale", State.STALE, {"injected": True, "image": "p:0"}, "p:0"),
    ],
)
def test_states_that_should_not_last(
    recorded: Recorded, check: str, state: State, fields: dict[str, Any], said: str
) -> None:
    result = examined(check, recorded(captured=[one(state, **fields), one(State.INJECTED, name="good")]))
    assert result.verdict is Verdict.WARN
    assert [line.startswith("Deployment shop/cart: ") and said in line for line in result.about] == [True]
    assert examined(check, recorded(captured=[one(State.INJECTED)])).verdict is Verdict.OK


def test_sidecars_that_nobody_looks_after(recorded: Recorded) -> None:
    mine = one(State.INJECTED, injected=True, managed_by=INSTANCE)
    assert examined("workloads-abandoned", recorded(captured=[mine])).verdict is Verdict.OK
    theirs = one(State.SKIPPED, injected=True, managed_by="another")
    result = examined("workloads-abandoned", recorded(captured=[mine, theirs]))
    assert result.about == ("Deployment shop/cart: managed by another",)
    result = examined("workloads-abandoned", recorded(captured=[mine], installed=None))
    assert (result.verdict, "uninstall" in result.remedy) == (Verdict.WARN, True)


def test_annotations_where_nothing_reads_them(recorded: Recorded) -> None:
    pod = {**named("Pod", "p", "shop", annotations=INJECT), "spec": {"containers": [{"name": "app"}]}}
    pod["metadata"]["ownerReferences"] = [{"kind": "ReplicaSet", "name": "x", "controller": True}]
    inherits = {**named("Pod", "q", "shop", annotations={"sidecar.speedscale.com/tls-out": "true"}), "spec": {}}
    inherits["metadata"]["ownerReferences"] = pod["metadata"]["ownerReferences"]
    there = [
        workload("good", annotations=INJECT),
        workload("inner", template={"annotations": {"sidecar.speedscale.com/tls-out": "true"}}),
        workload("label", labels={"capture.speedscale.com/enabled": "true"}),
        workload("typo", annotations={"sidecar.speedscale.com/injekt": "true"}),
        pod,
        inherits,
        {**named("Pod", "alone", "shop", annotations=INJECT), "spec": {"containers": [{"name": "app"}]}},
    ]
    result = examined("annotations", recorded({"workloads": there}))
    assert [line.split(":")[0] for line in result.about] == [
        "Deployment shop/inner",
        "Deployment shop/label",
        "Deployment shop/typo",
        "Pod shop/p",
    ]
    assert "did you mean sidecar.speedscale.com/inject" in result.about[2]


def test_pods_that_are_refused(recorded: Recorded) -> None:
    refused = workload(sidecar=True)
    refused["status"] = {
        "conditions": [{"type": "ReplicaFailure", "status": "True", "message": "violates PodSecurity"}]
    }
    facts = recorded({"workloads": [refused]}, captured=[one(State.INJECTED, injected=True)])
    assert examined("workloads-blocked", facts).about == ("Deployment shop/cart: violates PodSecurity",)
    facts = recorded({"workloads": [refused]}, captured=[one(State.NONE)])
    assert examined("workloads-blocked", facts).verdict is Verdict.OK


@pytest.mark.parametrize(
    ("protocol", "said"),
    [("http", "HTTPS_PROXY=http://localhost:4140"), ("socks", "-DsocksProxyPort=4140")],
)
def test_applications_that_do_not_use_the_proxy(recorded: Recorded, protocol: str, said: str) -> None:
    settings = {"sidecar.speedscale.com/proxy-type": "forward", "sidecar.speedscale.com/proxy-protocol": protocol}
    obj = workload(sidecar=True, annotations=INJECT | settings)
    result = examined("proxy-variables", recorded({"workloads": [obj]}))
    assert said in result.about[0]
    obj["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "ALL_PROXY", "value": "x://127.0.0.1:4140"}]
    assert examined("proxy-variables", recorded({"workloads": [obj]})).verdict is Verdict.OK


# Policies


def policy(**spec: Any) -> Object:
    return named("NetworkPolicy", "np", "shop", spec={"podSelector": {}, **spec})


FORWARDER = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "speedscale"}}}


@pytest.mark.parametrize(
    ("policies", "open_"),
    [
        ([], True),
        ([policy(policyTypes=["Ingress"])], True),
        ([policy(policyTypes=["Egress"])], False),
        ([policy(policyTypes=["Egress"], egress=[{}])], True),
        ([policy(policyTypes=["Egress"], egress=[{"to": [FORWARDER]}])], True),
        ([policy(policyTypes=["Egress"], egress=[{"to": [FORWARDER], "ports": [{"port": 53}]}])], False),
        ([policy(policyTypes=["Egress"], egress=[{"ports": [{"port": 8000, "endPort": 9000}]}])], True),
        ([policy(policyTypes=["Egress"], egress=[{"ports": [{"port": 8888, "protocol": "UDP"}]}])], False),
        ([policy(policyTypes=["Egress"], egress=[{"to": [{"podSelector": {}}]}])], False),
        ([policy(policyTypes=["Egress"], egress=[{"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}])], True),
        ([policy(egress=[], podSelector={"matchLabels": {"app": "other"}})], True),
        ([policy(policyTypes=["Egress"]), policy(policyTypes=["Egress"], egress=[{"to": [FORWARDER]}])], True),
    ],
)
def test_the_way_to_the_forwarder(recorded: Recorded, policies: list[Object], open_: bool) -> None:
    there = {"workloads": [workload()], "network_policies": policies}
    result = examined("policies", recorded(there, captured=[one(State.INJECTED, injected=True)]))
    assert (result.verdict is Verdict.OK) is open_
    assert examined("policies", recorded(there, captured=[one(State.NONE)])).verdict is Verdict.OK


def test_a_namespace_that_denies_by_default_and_has_replays(recorded: Recorded) -> None:
    replay = named("TrafficReplay", "r", "shop")
    there = {"replays": [replay], "network_policies": [policy(policyTypes=["Ingress", "Egress"])]}
    assert "Ingress and Egress" in examined("policies-replay", recorded(there)).about[0]
    assert examined("policies-replay", recorded({**there, "replays": []})).verdict is Verdict.OK


# Without an installation nobody can say more than what stands there


def test_capture_without_an_installation() -> None:
    assert capture(workload(), None).state is State.NONE
    assert capture(workload(annotations=INJECT), None).state is State.UNKNOWN
    seen = capture(workload(sidecar=True), None)
    assert (seen.state, seen.injected, seen.image) == (State.UNKNOWN, True, "p:1")
    nettap = capture(workload(annotations={"capture.speedscale.com/enabled": "true"}), None)
    assert nettap.state is State.NETTAP
    assert capture(named("Service", "s", "shop"), None).state is State.NONE
