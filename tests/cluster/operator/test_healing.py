"""Healing on a real API server: nobody answers admission here; what it missed is found and mended."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from harness.cluster import Cluster
from harness.leading import Leading, events
from harness.operator import Installation

from speedscale_controller.drift.patience import BURST
from speedscale_controller.workloads import Workloads
from speedscale_controller.workloads.counting import Place
from speedscale_controller.workloads.reconciler import MANAGER
from speedscale_kube import Client, Object, Ref
from speedscale_manifests.bundle import bundle
from speedscale_manifests.values import from_mapping

pytestmark = pytest.mark.integration
INJECT = {"sidecar.speedscale.com/inject": "true"}
Install = Callable[..., Installation]


@pytest.fixture
def admin(cluster: Cluster) -> Iterator[Client]:
    with cluster.client() as client:
        yield client


@pytest.fixture(scope="module")
def home(_installer: tuple[Install, list[Installation]]) -> Installation:
    """An installation whose webhook nobody serves, with an INSTANCE_ID."""
    installation = _installer[0]()
    identify(installation.kube, installation.namespace, "one")
    return installation


@pytest.fixture
def own(cluster: Cluster, home: Installation) -> Iterator[Client]:
    """A client with the operator's own rights."""
    with cluster.client(home.folder / "operator.kubeconfig") as client:
        yield client


def identify(kube: Client, namespace: str, name: str) -> None:
    metadata = {"name": "speedscale-operator-state", "namespace": namespace}
    kube.apply(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"INSTANCE_ID": name}}, "identity"
    )


def workload(namespace: str, name: str = "shop", kind: str = "Deployment", **spec: Any) -> Object:
    labels = {"app": name}
    pod: dict[str, Any] = {"containers": [{"name": "app", "image": "shop:1", "ports": [{"containerPort": 8080}]}]}
    pod |= spec.pop("pod", {})
    annotations = {**INJECT, **spec.pop("annotations", {})}
    body: dict[str, Any] = {"template": {"metadata": {"labels": labels}, "spec": pod}, **spec}
    if kind == "Job":
        pod["restartPolicy"] = "Never"
    else:
        body["selector"] = {"matchLabels": labels}
    version = "batch/v1" if kind == "Job" else "apps/v1"
    metadata = {"name": name, "namespace": namespace, "annotations": annotations}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": body}


def names(obj: Object) -> list[str]:
    spec = obj["spec"]["template"]["spec"]
    return [c["name"] for c in (*spec["containers"], *(spec.get("initContainers") or ()))]


def injected(kube: Client, which: Ref) -> bool:
    return "speedscale-goproxy" in names(kube.get(which))


def deployed(kube: Client) -> int:
    """Return how many Deployments of the cluster have a sidecar."""
    return sum("speedscale-goproxy" in names(one) for one in kube.list("apps/v1", "Deployment"))


def told(kube: Client, namespace: str, reason: str) -> list[str]:
    return [one["message"] for one in events(kube, namespace, reason)]


@pytest.mark.fault("admission missed a workload", end="mended; at rest nothing is written")
def test_what_admission_missed_is_mended_and_taken_out_to_the_byte(
    home: Installation, own: Client, kube: Client, namespace: str
) -> None:
    made = [kube.apply(workload(namespace, kind.lower(), kind), "user") for kind in ("Deployment", "StatefulSet")]
    refs = [kube.ref(one) for one in made]
    assert not any(injected(kube, which) for which in refs)
    workloads = Workloads()
    with Leading(own, home.environ(), workloads) as leading:
        for which in refs:
            home.until(lambda which=which: injected(kube, which), f"{which} has a sidecar")
        live = kube.get(refs[0])
        assert live["metadata"]["annotations"]["operator.speedscale.com/managed-by"] == "one"
        assert MANAGER in {entry["manager"] for entry in live["metadata"]["managedFields"]}
        home.until(lambda: len(told(kube, namespace, "SidecarInjected")) == 2, "each is told once")
        # other namespaces may hold some still, on their way out
        counted = "speedscale_operator_workloads_injected_objects"
        home.until(lambda: leading.metric(counted, kind="Deployment") == deployed(kube), "each is counted once")

        # at rest nothing is written
        leading.rest("workloads")
        versions = [kube.get(which)["metadata"]["generation"] for which in refs]
        before = leading.writes
        for _ in range(10):
            for which in refs:
                workloads.reconcile(Place(which.kind, which.namespace, which.name))
        assert leading.writes == before
        assert [kube.get(which)["metadata"]["generation"] for which in refs] == versions

        # a setting that admission missed
        name = "sidecar.speedscale.com/proxy-in-port"
        kube.patch(refs[0], {"metadata": {"annotations": {name: "4999"}}}, "user")

        def port() -> bool:
            spec = kube.get(refs[0])["spec"]["template"]["spec"]
            proxy = next(c for part in ("containers", "initContainers") for c in spec[part] if "goproxy" in c["name"])
            return {"name": "PROXY_IN_PORT", "value": "4999"} in proxy["env"]

        home.until(port, "the setting is in force")

        # not asked for any more
        for which in refs:
            gone = {"metadata": {"annotations": {**dict.fromkeys(INJECT), name: None}}}
            kube.patch(which, gone, "user")
        for which, was in zip(refs, made, strict=True):
            home.until(lambda which=which: not injected(kube, which), f"{which} has none")
            live = kube.get(which)
            assert live["spec"] == was["spec"]
            assert not live["metadata"].get("annotations", {}).keys() & INJECT.keys()


def test_what_is_not_mended_is_told_once(home: Installation, own: Client, kube: Client, namespace: str) -> None:
    job = kube.ref(kube.apply(workload(namespace, "job", "Job"), "user"))
    host = kube.ref(kube.apply(workload(namespace, "host", pod={"hostNetwork": True}), "user"))
    ignore = {"operator.speedscale.com/ignore": "true"}
    other = {"operator.speedscale.com/managed-by": "another"}
    untouched = [job, host]
    untouched.append(kube.ref(kube.apply(workload(namespace, "ignored", annotations=ignore), "user")))
    untouched.append(kube.ref(kube.apply(workload(namespace, "other", annotations=other), "user")))
    before = [kube.get(which)["metadata"].get("managedFields") for which in untouched]
    workloads = Workloads()
    with Leading(own, home.environ(), workloads) as leading:
        home.until(lambda: len(told(kube, namespace, "SidecarSkipped")) == 4, "four are told")
        for _ in range(3):
            for which in untouched:
                workloads.reconcile(Place(which.kind, which.namespace, which.name))
        leading.running.recorder.flush()
        assert sorted(text.partition(":")[0] for text in told(kube, namespace, "SidecarSkipped")) == [
            "host_network",
            "ignored",
            "job_immutable",
            "managed_by_other",
        ]
        assert all(one["count"] == 1 for one in events(kube, namespace, "SidecarSkipped"))
        metric = "speedscale_operator_workloads_skipped_objects"
        assert leading.metric(metric, kind="Deployment", reason="host_network") == 1
        assert leading.metric(metric, kind="Job", reason="job_immutable") == 1
    after = [kube.get(which)["metadata"].get("managedFields") for which in untouched]
    assert [_mine(fields) for fields in after] == [_mine(fields) for fields in before]


def _mine(fields: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [entry for entry in fields if "speedscale" in entry["manager"]]


@pytest.mark.fault("an upgrade of the bundle: older sidecars", end="listed as stale, nothing restarted")
def test_a_stale_sidecar_is_told_and_stays(home: Installation, own: Client, kube: Client, namespace: str) -> None:
    which = kube.ref(kube.apply(workload(namespace), "user"))
    with Leading(own, home.environ(), Workloads()) as leading:
        home.until(lambda: injected(kube, which), "it has a sidecar")
        before = kube.get(which)["spec"]
        values = from_mapping({"namespace": home.namespace, "createNamespace": False, "imageTags": {"goproxy": "v9"}})
        for part in bundle(values):
            kube.apply(part, "installation", force=True)
        try:
            home.until(lambda: bool(told(kube, namespace, "SidecarStale")), "it is told")
            assert "v9" in told(kube, namespace, "SidecarStale")[0]
            assert "kubectl rollout restart deployment/shop" in told(kube, namespace, "SidecarStale")[0]
            leading.rest("workloads")
            assert leading.metric("speedscale_operator_workloads_stale_objects", kind="Deployment") == 1
            assert kube.get(which)["spec"] == before
        finally:
            for part in bundle(home.values):
                kube.apply(part, "installation", force=True)


@pytest.mark.fault("somebody keeps taking the sidecar out", end="told, not fought")
def test_who_keeps_taking_it_out_is_told_and_not_fought(
    home: Installation, own: Client, kube: Client, admin: Client, namespace: str
) -> None:
    original = kube.apply(workload(namespace), "user")
    which = kube.ref(original)
    end, taken = threading.Event(), 0
    pod = original["spec"]["template"]

    def take_out() -> None:
        nonlocal taken
        while not end.wait(0.02):
            if injected(admin, which):
                with contextlib.suppress(Exception):
                    admin.patch(
                        which, [{"op": "replace", "path": "/spec/template", "value": pod}], "argocd", kind="json"
                    )
                    taken += 1

    thread = threading.Thread(target=take_out)
    thread.start()
    try:
        with Leading(own, home.environ(), Workloads()) as leading:
            home.until(lambda: bool(told(kube, namespace, "SidecarContended")), "it is told")
            leading.rest("workloads")
            kube.patch(which, {"metadata": {"labels": {"touched": "yes"}}}, "user")
            leading.rest("workloads")
            metric = "speedscale_operator_workloads_healed_objects_total"
            assert leading.metric(metric, kind="Deployment", verdict="inject") == BURST
    finally:
        end.set()
        thread.join()


@pytest.mark.fault("two installations, one workload", end="one manages it")
def test_two_installations_do_not_fight(
    home: Installation, own: Client, kube: Client, admin: Client, namespace: str
) -> None:
    """The second one has other rights, its own bundle and its own INSTANCE_ID; both see every namespace."""
    second = f"{namespace}-second"
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": second}}, "tests")
    for part in bundle(from_mapping({"namespace": second, "createNamespace": False})):
        kube.apply(part, "installation", force=True)
    identify(kube, second, "two")
    mine = kube.ref(kube.apply(workload(namespace, "mine"), "user"))
    with Leading(own, home.environ(), Workloads()) as first:
        home.until(lambda: injected(kube, mine), "the first has it")
        version = kube.get(mine)["metadata"]["generation"]
        with Leading(admin, {**home.environ(), "POD_NAMESPACE": second}, Workloads()) as other:
            home.until(lambda: bool(told(kube, namespace, "SidecarSkipped")), "the second leaves it")
            both = kube.ref(kube.apply(workload(namespace, "both"), "user"))
            home.until(lambda: injected(kube, both), "one of them has it")
            first.rest("workloads")
            other.rest("workloads")
            metric = "speedscale_operator_workloads_healed_objects_total"
            assert other.metric(metric, kind="Deployment", verdict="remove") == 0
            assert first.metric(metric, kind="Deployment", verdict="remove") == 0
            assert kube.get(mine)["metadata"]["generation"] == version
            assert kube.get(both)["metadata"]["generation"] == 2
    kube.delete(Ref("v1", "Namespace", "", second))


@pytest.mark.fault("the right to patch workloads is missing", end="an Event and a metric")
def test_a_missing_right_is_told(home: Installation, own: Client, kube: Client, namespace: str) -> None:
    role = Ref("rbac.authorization.k8s.io/v1", "ClusterRole", "", "speedscale-operator")
    rules = kube.get(role)["rules"]
    less = [
        {**rule, "verbs": [v for v in rule["verbs"] if v != "patch"]} if "deployments" in rule["resources"] else rule
        for rule in rules
    ]
    kube.patch(role, {"rules": less}, "tests")
    try:
        which = kube.ref(kube.apply(workload(namespace), "user"))
        with Leading(own, home.environ(), Workloads()) as leading:
            home.until(lambda: bool(told(kube, namespace, "SidecarNotMended")), "it is told")
            assert "cannot patch resource" in told(kube, namespace, "SidecarNotMended")[0]
            metric = "speedscale_operator_workloads_not_mended_total"
            assert leading.metric(metric, kind="Deployment", reason="right_missing") >= 1
            assert not injected(kube, which)
    finally:
        kube.patch(role, {"rules": rules}, "tests")


@pytest.mark.fault("an installation limited to namespaces", end="the others are not even looked at")
def test_only_selected_namespaces_are_healed(install: Install, cluster: Cluster, kube: Client, namespace: str) -> None:
    other = f"{namespace}-other"
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": other}}, "tests")
    installation = install(namespaceSelector=[namespace])
    identify(kube, installation.namespace, "limited")
    inside, outside = (kube.ref(kube.apply(workload(where), "user")) for where in (namespace, other))
    with (
        cluster.client(installation.folder / "operator.kubeconfig") as client,
        Leading(client, installation.environ(), Workloads()) as leading,
    ):
        installation.until(lambda: injected(kube, inside), "the one inside is mended")
        leading.rest("workloads")
        assert not injected(kube, outside)
        assert not [trouble for trouble in leading.running.watches.troubles() if trouble.watch.startswith("workloads")]
    kube.delete(Ref("v1", "Namespace", "", other))
