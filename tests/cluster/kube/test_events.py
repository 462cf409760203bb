"""Events on a real API server: accepted, counted, found by `kubectl describe`, refused without harm."""

from __future__ import annotations

import pytest
from harness.cluster import Cluster

from speedscale_kube import Client, Recorder, load
from speedscale_kube.events import Fate

pytestmark = pytest.mark.integration


def test_repeats_are_one_event_that_kubectl_shows(cluster: Cluster, kube: Client, namespace: str) -> None:
    it = kube.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "it", "namespace": namespace}}, "t")
    fates: list[Fate] = []
    recorder = Recorder(kube, "speedscale-operator", instance="pod-a", observe=fates.append)
    for _ in range(3):
        recorder.event(it, "Warning", "InjectionSkipped", "the pod runs on the host's network")
    recorder.flush()
    assert fates == [Fate.WRITTEN, Fate.COUNTED, Fate.COUNTED]
    shown = cluster.kubectl("describe", "configmap", "it", "-n", namespace)
    assert "(x3 over" in shown
    assert "speedscale-operator  the pod runs on the host's network" in shown
    (event,) = kube.list("events.k8s.io/v1", "Event", namespace)
    assert (event["deprecatedCount"], event["reportingController"]) == (3, "speedscale-operator")


def test_objects_outside_namespaces_have_theirs_in_default(kube: Client) -> None:
    fates: list[Fate] = []
    recorder = Recorder(kube, "speedscale-operator", observe=fates.append)
    about = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "it"}}
    recorder.event(about, "Normal", "Seen", "it is there")
    recorder.flush()
    assert fates == [Fate.WRITTEN]


def test_without_the_right_nothing_happens_but_a_count(cluster: Cluster, namespace: str) -> None:
    fates: list[Fate] = []
    _, path = cluster.restricted(2)
    with Client(load(path, environ={})) as client:
        recorder = Recorder(client, "speedscale-operator", observe=fates.append)
        about = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "it", "namespace": namespace}}
        assert recorder.event(about, "Normal", "Seen", "it is there")
        recorder.flush()
    assert fates == [Fate.FAILED]
