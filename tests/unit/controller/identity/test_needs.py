"""Which namespaces need our Secrets, by what workloads, pods and replays say."""

from __future__ import annotations

from typing import Any

import pytest

from speedscale_controller.identity.needs import Asking, Need, Needs, of_replay, of_workload
from speedscale_kube.store import Store

MARK = "operator.speedscale.com/managed-by"
JAVA = "sidecar.speedscale.com/tls-java-tool-options"


def obj(kind: str = "Deployment", spec: Any = None, **notes: str) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"namespace": "shop", "name": "x", "annotations": notes}, "spec": spec or {}}


@pytest.mark.parametrize(
    ("given", "asking"),
    [
        (obj(), Asking(("shop",))),
        (obj(**{MARK: "us"}), Asking(("shop",), mark="us")),
        (obj(**{JAVA: "true"}), Asking(("shop",), java=True)),
        (obj(**{JAVA: "false"}), Asking(("shop",))),
        (obj(**{f"{JAVA}-value": "-Dx=y"}), Asking(("shop",), java=True)),
        (obj("Pod"), Asking(("shop",), holds=True)),
        (obj("Pod", **{MARK: "us"}), Asking(("shop",), mark="us")),
        (obj("ReplicaSet"), None),
        (obj("ReplicaSet", {"replicas": 2}), Asking(("shop",), holds=True)),
        ({"kind": "Pod", "metadata": {"namespace": "shop", "annotations": None}}, Asking(("shop",), holds=True)),
    ],
)
def test_what_workloads_ask_for(given: dict[str, Any], asking: Asking | None) -> None:
    assert of_workload(given) == asking


@pytest.mark.parametrize(
    ("spec", "namespaces"),
    [
        ({}, ("shop",)),
        ({"workloads": [{"ref": {"name": "a", "namespace": "pay"}}, {"ref": {"name": "b"}}]}, ("shop", "pay")),
        ({"workloadRef": {"name": "a", "namespace": "old"}}, ("shop", "old")),
        ({"workloads": [{"customURI": "http://x"}, None, 7]}, ("shop",)),
        ({"workloads": "nonsense", "workloadRef": []}, ("shop",)),
    ],
)
def test_what_replays_ask_for(spec: dict[str, Any], namespaces: tuple[str, ...]) -> None:
    assert of_replay(obj("TrafficReplay", spec)) == Asking(namespaces, "shop", java=True, replay=True)


def needs(*askings: Asking) -> Needs:
    store: Store[Asking] = Store(indexes={"namespace": lambda asking: asking.namespaces})
    for number, asking in enumerate(askings):
        store.put(("shop", str(number)), asking)
    return Needs([store], lambda mark: mark == "us", lambda home, name: name in (home, "open"))


def test_answers_are_joined() -> None:
    both = needs(Asking(("shop",), java=True), Asking(("shop", "pay"), replay=True))
    assert both.of("shop") == Need(java=True, replay=True)
    assert both.of("pay") == Need(replay=True)
    assert both.of("else") is None
    assert both.namespaces() == {"shop", "pay"}


def test_what_another_operator_manages_is_no_need_of_ours() -> None:
    found = needs(Asking(("shop",), mark="them"), Asking(("pay",), mark="us"))
    assert found.namespaces() == {"pay"}
    assert found.of("shop", held=True) is None


def test_a_pod_keeps_a_namespace_and_opens_none() -> None:
    found = needs(Asking(("shop",), holds=True))
    assert found.namespaces() == frozenset()
    assert found.of("shop") is None
    assert found.of("shop", held=True) == Need()


def test_a_replay_opens_no_namespace_that_does_not_consent() -> None:
    found = needs(Asking(("shop", "pay", "open"), "shop", java=True, replay=True))
    assert found.namespaces() == {"shop", "open"}
    assert found.of("pay") is None
    assert found.of("open") == Need(java=True, replay=True)
