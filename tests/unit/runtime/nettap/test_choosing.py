"""Which pods are captured: by annotation, by selector, and which are refused; numbers that stay; whose a cgroup is."""

from __future__ import annotations

from typing import Any

import pytest

from speedscale_runtime.nettap import selectors, wire
from speedscale_runtime.nettap.choosing import Choice, Refused, choose
from speedscale_runtime.nettap.pods import Pod, project
from speedscale_runtime.nettap.roster import Fixed, Roster
from speedscale_schemas.errors import ConfigError
from speedscale_schemas.nettap import Place, Targets, Workload

CART = Targets((Workload(Place("shop", "Deployment", "cart"), "cart-app", (9090,)),))


def raw(**changes: Any) -> dict[str, Any]:
    """A pod as the API gives it."""
    pod: dict[str, Any] = {
        "metadata": {
            "uid": "u1",
            "namespace": "shop",
            "name": "cart-7d4-x",
            "labels": {"app": "cart", "pod-template-hash": "7d4"},
            "ownerReferences": [{"kind": "ReplicaSet", "name": "cart-7d4", "controller": True}],
        },
        "spec": {"containers": [{"name": "cart"}], "nodeName": "n1"},
        "status": {"phase": "Running", "podIP": "10.0.0.5", "hostIP": "10.1.0.1", "hostIPs": [{"ip": "fd00::1"}]},
    }
    for part, values in changes.items():
        pod[part] = {**pod[part], **values}
    return pod


def pod(**changes: Any) -> Pod:
    found = project(raw(**changes))
    assert found is not None
    return found


def picked(pods: list[Pod], targets: Targets = CART, config: str = "", **labels: dict[str, str]) -> Choice:
    return choose(pods, targets, selectors.read(config), labels, "speedscale")


def test_what_is_kept_of_a_pod() -> None:
    found = pod()
    assert (found.uid, found.owner_kind, found.owner_name, found.address) == (
        "u1",
        "ReplicaSet",
        "cart-7d4",
        "10.0.0.5",
    )
    assert found.node_addresses == {"10.1.0.1", "fd00::1"}
    assert not found.sidecar
    assert not found.ignored


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_a_pod_whose_containers_have_ended_is_none(phase: str) -> None:
    assert project(raw(status={"phase": phase})) is None


def test_a_pod_that_the_scheduler_has_just_placed_is_one() -> None:
    bare = project({"metadata": {"uid": "u", "name": "p", "namespace": "a"}})
    assert bare == Pod("u", "a", "p")


def test_the_pods_of_an_annotated_workload_are_captured_under_its_name() -> None:
    (chosen,) = picked([pod(), pod(metadata={"uid": "u2", "ownerReferences": []})]).chosen.values()
    assert (chosen.pod.uid, chosen.app_label, chosen.ignore_ports) == ("u1", "cart-app", (9090,))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"spec": {"containers": [{"name": "cart"}, {"name": "speedscale-goproxy"}]}}, Refused.SIDECAR),
        ({"spec": {"initContainers": [{"name": "speedscale-goproxy", "restartPolicy": "Always"}]}}, Refused.SIDECAR),
        ({"metadata": {"annotations": {"operator.speedscale.com/ignore": "true"}}}, Refused.IGNORED),
    ],
)
def test_a_pod_that_must_not_be_captured_is_refused_with_a_reason(changes: dict[str, Any], why: Refused) -> None:
    choice = picked([pod(**changes)])
    assert not choice.chosen
    assert [reason for _, reason in choice.refused.values()] == [why]


def test_our_own_components_are_never_captured() -> None:
    ours = pod(metadata={"namespace": "speedscale", "labels": {"app": "speedscale-forwarder"}})
    everything = "capture:\n  targets:\n  - name: all\n"
    assert [why for _, why in picked([ours], Targets(), everything).refused.values()] == [Refused.OURS]
    demo = pod(metadata={"namespace": "speedscale", "labels": {"app": "java-server"}})
    assert picked([demo], Targets(), everything).chosen


CONFIG = """
system: {procfsPath: /host/proc}
capture:
  targets:
  - name: carts
    namespaceSelector: {matchLabels: {team: pay}}
    podSelector:
      matchExpressions:
      - {key: app, operator: In, values: [cart, till]}
      - {key: canary, operator: DoesNotExist}
    filters: [{port: 8080}, {port: 9}]
"""


def test_a_selector_picks_by_labels_of_namespace_and_pod() -> None:
    (one,) = selectors.read(CONFIG)
    assert one.needs_namespaces
    assert not picked([pod()], Targets(), CONFIG).chosen  # its namespace's labels are not known
    (chosen,) = picked([pod()], Targets(), CONFIG, shop={"team": "pay"}).chosen.values()
    assert (chosen.app_label, chosen.ports) == ("cart", {8080, 9})
    canary = pod(metadata={"labels": {"app": "cart", "canary": "1"}})
    assert not picked([canary], Targets(), CONFIG, shop={"team": "pay"}).chosen


def test_a_namespace_by_its_name_needs_no_right_to_read_namespaces() -> None:
    config = "capture: {targets: [{name: s, namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}}]}"
    (one,) = selectors.read(config)
    assert not one.needs_namespaces
    assert picked([pod()], Targets(), config).chosen


def test_without_a_label_a_selected_pod_is_called_after_what_made_it() -> None:
    plain = pod(metadata={"labels": {"pod-template-hash": "7d4"}})
    (chosen,) = picked([plain], Targets(), "capture: {targets: [{name: all}]}").chosen.values()
    assert chosen.app_label == "cart"


def test_an_annotation_has_the_last_word_over_a_selector() -> None:
    (chosen,) = picked([pod()], CART, "capture: {targets: [{name: all, filters: [{port: 1}]}]}").chosen.values()
    assert (chosen.app_label, chosen.ports) == ("cart-app", frozenset())


@pytest.mark.parametrize("text", ["", "system: {}\n", "capture:\n", "capture: {targets: []}\n"])
def test_nothing_is_captured_before_it_is_asked_for(text: str) -> None:
    assert selectors.read(text) == ()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "expected YAML"),
        ("[]", "document: expected a mapping"),
        ("capture: {targets: {}}", "capture.targets: expected a list"),
        ("capture: {targets: [{name: a, filters: 80}]}", "capture.targets[0].filters: expected a list"),
        ("capture: {targets: [1]}", "capture.targets[0]: expected a mapping"),
        ("capture: {targets: [{}]}", "capture.targets[0].name: expected a name"),
        ("capture: {targets: [{name: a, filters: [{port: 0}]}]}", "capture.targets[0].filters: expected a list"),
        ("capture: {targets: [{name: a, podselector: {}}]}", "capture.targets[0].podselector: unknown key"),
        (
            "capture: {targets: [{name: a, podSelector: {labels: {}}}]}",
            "capture.targets[0].podSelector.labels: unknown",
        ),
        (
            "capture: {targets: [{name: a, podSelector: {matchExpressions: [{key: a, operator: Is}]}}]}",
            "matchExpressions[0]: expected key, operator",
        ),
        (
            "capture: {targets: [{name: a, podSelector: {matchExpressions: [{key: a, operator: In}]}}]}",
            "matchExpressions[0]: In and NotIn have values",
        ),
    ],
)
def test_what_is_wrong_with_a_configuration_is_said_with_its_place(text: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        selectors.read(text)
    assert problem in str(caught.value)


def roster(**changes: Any) -> Roster:
    settings: dict[str, Any] = {"loopback": False, "node_traffic": False, "fixed": ()}
    return Roster("test", "n1", **{**settings, **changes})


def test_a_pod_keeps_its_number_and_a_number_is_never_given_twice() -> None:
    found = roster()
    first, second = pod(), pod(metadata={"uid": "u2", "name": "cart-7d4-y"})
    assert found.choose(picked([first]).chosen)
    assert not found.choose(picked([first]).chosen)
    assert found.choose(picked([first, second]).chosen)
    assert [(t.number, t.pod_uid) for t in found.targets()] == [(1, "u1"), (2, "u2")]
    assert found.choose(picked([second]).chosen)
    assert found.choose(picked([first, second]).chosen)
    assert [(t.number, t.pod_uid) for t in found.targets()] == [(2, "u2"), (3, "u1")]


def test_a_cgroup_belongs_to_the_pod_that_its_number_names() -> None:
    found = roster()
    found.choose(picked([pod()]).chosen)
    assert found.owner_of(77) is None
    assert found.cgroup(wire.Cgroup(77, 1, wire.Event.BEGAN, "/kubepods/x"))
    owner = found.owner_of(77)
    assert owner is not None
    assert (owner.identity.service, owner.identity.pod_name, owner.identity.pod_ip) == (
        "cart-app",
        "cart-7d4-x",
        "10.0.0.5",
    )
    assert owner.identity.cluster == "test"
    assert owner.node == {"10.1.0.1", "fd00::1"}
    assert found.shown()[0]["cgroups"] == ["/kubepods/x"]
    assert not found.cgroup(wire.Cgroup(77, 1, wire.Event.ENDED, ""))
    assert found.owner_of(77) is None


def test_a_pod_that_is_captured_no_more_owns_nothing() -> None:
    found = roster()
    found.choose(picked([pod()]).chosen)
    found.cgroup(wire.Cgroup(77, 1, wire.Event.BEGAN, "/x"))
    found.choose({})
    assert found.owner_of(77) is None
    assert found.targets() == ()


def test_an_address_that_comes_late_changes_the_owner_but_not_the_targets() -> None:
    found = roster()
    found.choose(picked([pod(status={"podIP": ""})]).chosen)
    assert not found.choose(picked([pod()]).chosen)
    found.cgroup(wire.Cgroup(77, 1, wire.Event.BEGAN, "/x"))
    owner = found.owner_of(77)
    assert owner is not None
    assert owner.identity.pod_ip == "10.0.0.5"


def test_without_kubernetes_cgroups_are_named_directly() -> None:
    found = roster(fixed=(Fixed("/cart", "cart", "shop", (9,)),), loopback=True)
    assert found.targets() == (wire.Target(1, (9,), "", "/cart"),)
    found.cgroup(wire.Cgroup(5, 1, wire.Event.BEGAN, "/cart"))
    owner = found.owner_of(5)
    assert owner is not None
    assert (owner.identity.service, owner.identity.namespace, owner.loopback) == ("cart", "shop", True)
    found.line_lost()
    assert found.owner_of(5) is None
