"""Profile operator on a real API server: components are made, rolled forward, switched off; the override wins."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from harness.cluster import Cluster
from harness.leading import Leading, events
from harness.nodes import Nodes
from harness.operator import Installation

from speedscale_controller.bundle import Bundle
from speedscale_controller.components import Components
from speedscale_controller.components.watched import KINDS
from speedscale_controller.drift import STAMP
from speedscale_controller.drift.compare import MANAGER
from speedscale_kube import Client, Object, Ref
from speedscale_manifests.bundle import bundle
from speedscale_manifests.components.inventory import inventory
from speedscale_manifests.values import from_mapping

pytestmark = pytest.mark.integration
STATE = "speedscale-operator-state"
Install = Callable[..., Installation]


@pytest.fixture
def operator_client(cluster: Cluster) -> Iterator[Callable[[Installation], Client]]:
    """Make clients with the operator's own token."""
    made: list[Client] = []

    def client(installation: Installation) -> Client:
        made.append(cluster.client(installation.folder / "operator.kubeconfig"))
        return made[-1]

    yield client
    for one in made:
        one.close()


def state(kube: Client, namespace: str) -> dict[str, str]:
    found = kube.get(Ref("v1", "ConfigMap", namespace, STATE)).get("data") or {}
    return dict(line.partition(": ")[::2] for line in found.get("components", "").splitlines())


def prepare(installation: Installation) -> str:
    """Apply what stands in git in both profiles besides the operator, and the ConfigMap of another concern."""
    for item in inventory(installation.values):
        if not item.managed and item.manifest["kind"] == "ServiceAccount":
            installation.kube.apply(item.manifest, "installation", force=True)
    metadata = {"name": STATE, "namespace": installation.namespace}
    installation.kube.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}, "identity")
    return installation.namespace


def deployment(kube: Client, namespace: str, name: str) -> Object | None:
    return kube.find(Ref("apps/v1", "Deployment", namespace, name))


def live(kube: Client, namespace: str) -> dict[str, Object]:
    """Return what we made, by `kind/name`."""
    found = {}
    for kind in KINDS:
        for one in kube.list(kind.api_version, kind.kind, namespace, labels=kind.labels):
            entries = one["metadata"].get("managedFields") or ()
            if any(entry["manager"] == MANAGER and entry["operation"] == "Apply" for entry in entries):
                found[f"{one['kind']}/{one['metadata']['name']}"] = one
    return found


def apply_bundle(installation: Installation, prune: bool = True, **tree: Any) -> Bundle:
    """Apply the bundle of other values, as a commit does; parts that are gone are pruned."""
    values = from_mapping({"namespace": installation.namespace, "createNamespace": False, **tree})
    parts = bundle(values)
    names = {part["metadata"]["name"] for part in parts}
    for part in parts:
        installation.kube.apply(part, "installation", force=True)
    for one in installation.kube.list(
        "v1", "ConfigMap", installation.namespace, labels="controlplane.speedscale.com/bundle"
    ):
        if prune and one["metadata"]["name"] not in names:
            installation.kube.delete(installation.kube.ref(one))
    return Bundle.read(parts)


def image(one: Object) -> str:
    return str(one["spec"]["template"]["spec"]["containers"][0]["image"])


def test_components_live(
    install: Install, operator_client: Callable[[Installation], Client], kube: Client, running_pods: Nodes
) -> None:
    installation = install(profile="operator")
    namespace = prepare(installation)
    components = Components()
    with Leading(operator_client(installation), installation.environ(), components) as leading:
        # made, in order: the demo after everything else is up
        installation.until(lambda: state(kube, namespace).get("demo") == "as wanted", "the demo is up")
        assert state(kube, namespace) == {
            "demo": "as wanted",
            "forwarder": "as wanted",
            "inspector": "as wanted",
        }
        made = live(kube, namespace)
        managed = {
            f"{one['kind']}/{one['metadata']['name']}"
            for name in ("forwarder", "inspector", "demo")
            for one in Bundle.read(bundle(installation.values)).managed(name)
        }
        assert set(made) == managed
        assert all(STAMP in one["metadata"]["annotations"] for one in made.values())
        demo_at, forwarder_at = (
            made[name]["metadata"]["creationTimestamp"]
            for name in ("Deployment/java-server", "Deployment/speedscale-forwarder")
        )
        assert forwarder_at <= demo_at

        # at rest nothing is written, however often one looks
        leading.rest("components")
        before, versions = leading.writes, {name: one["metadata"]["resourceVersion"] for name, one in made.items()}
        for _ in range(5):
            for name in ("forwarder", "inspector", "demo"):
                components.reconcile(name)
        assert leading.writes == before
        after = live(kube, namespace)
        assert {name: one["metadata"]["resourceVersion"] for name, one in after.items()} == versions

        # somebody deletes, edits, adds: it is put back
        kube.delete(Ref("v1", "Service", namespace, "speedscale-forwarder"))
        change = [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "elsewhere/x:1"}]
        inspector = Ref("apps/v1", "Deployment", namespace, "speedscale-inspector")
        kube.patch(inspector, change, "kubectl-edit", kind="json")
        installation.until(
            lambda: (
                kube.find(Ref("v1", "Service", namespace, "speedscale-forwarder")) is not None
                and "elsewhere" not in image(kube.get(inspector))
            ),
            "both are put back",
        )
        installation.until(lambda: bool(events(kube, namespace, "ComponentMended")), "the user is told")

        # the bundle rolls forward; the override wins key by key
        apply_bundle(installation, profile="operator", imageTags={"forwarder": "v9"})
        forwarder = Ref("apps/v1", "Deployment", namespace, "speedscale-forwarder")
        installation.until(lambda: image(kube.get(forwarder)).endswith(":v9"), "the forwarder is rolled forward")
        installation.override(IMAGE_TAG="v7", INSPECTOR_CONFIG='{"resources":{"limits":{"cpu":"1"}}}')
        installation.until(lambda: image(kube.get(inspector)).endswith(":v7"), "the override is in force")
        installation.until(
            lambda: (
                kube.get(inspector)["spec"]["template"]["spec"]["containers"][0]["resources"]
                == {"limits": {"cpu": "1"}}
            ),
            "its resources too",
        )
        kube.delete(Ref("v1", "ConfigMap", namespace, "speedscale-operator-override"))
        installation.until(lambda: not image(kube.get(inspector)).endswith(":v7"), "without override git counts again")

        # switched off by the override, then by the bundle
        installation.override(WITH_INSPECTOR="false")
        installation.until(lambda: kube.find(inspector) is None, "the inspector is removed")
        installation.until(lambda: "inspector" not in state(kube, namespace), "nothing is said of it")
        kube.patch(
            Ref("v1", "ConfigMap", namespace, "speedscale-operator"), {"data": {"DEPLOY_DEMO": ""}}, "installation"
        )
        apply_bundle(installation, profile="operator", deployDemo="")
        installation.until(lambda: deployment(kube, namespace, "java-server") is None, "the demo is removed")
        installation.until(
            lambda: (
                {name.partition("/")[2] for name in live(kube, namespace)}
                == {"speedscale-forwarder", "speedscale-forwarder-filters", "speedscale-forwarder-dlp"}
            ),
            "only the forwarder is left",
        )
        assert not leading.metric("speedscale_operator_components_drifted_objects", component="forwarder")


@pytest.mark.fault("a bundle that lost a component", end="nothing is removed")
def test_a_bundle_without_the_forwarder_removes_nothing(
    install: Install, operator_client: Callable[[Installation], Client], kube: Client, running_pods: Nodes
) -> None:
    installation = install(profile="operator", deployDemo="", dashboardAccess=False)
    namespace = prepare(installation)
    with Leading(operator_client(installation), installation.environ(), Components()) as leading:
        installation.until(lambda: state(kube, namespace).get("forwarder") == "as wanted", "the forwarder is up")
        kube.delete(Ref("v1", "ConfigMap", namespace, "speedscale-bundle-forwarder"))
        installation.until(
            lambda: state(kube, namespace).get("forwarder", "").startswith("failed: the bundle has no forwarder"),
            "it is told",
        )
        leading.rest("components")
        assert deployment(kube, namespace, "speedscale-forwarder") is not None


def test_switched_off_keeps_the_claim(
    install: Install, operator_client: Callable[[Installation], Client], kube: Client, running_pods: Nodes
) -> None:
    tree: dict[str, Any] = {"profile": "operator", "deployDemo": "", "dashboardAccess": False}
    installation = install(**tree, backend={"enabled": True, "persistence": {"enabled": True}})
    namespace = prepare(installation)
    claims = {
        one["metadata"]["name"]
        for one in Bundle.read(bundle(installation.values)).managed("cloud")
        if one["kind"] == "PersistentVolumeClaim"
    }
    assert claims
    with Leading(operator_client(installation), installation.environ(), Components()) as leading:
        installation.until(lambda: state(kube, namespace).get("cloud") == "as wanted", "the backend is up")
        apply_bundle(installation, **tree)
        installation.until(
            lambda: (
                {n for n in live(kube, namespace) if "cloud" in n or "backend" in n}
                == {f"PersistentVolumeClaim/{name}" for name in claims}
            ),
            "all of the backend but its claim is gone",
        )
        installation.until(lambda: bool(events(kube, namespace, "ComponentClaimKept")), "the reason is told")
        leading.rest("components")
        assert len(events(kube, namespace, "ComponentClaimKept")) == len(claims)


@pytest.mark.fault("an old process meets a newer bundle", end="never rolled back")
def test_an_old_process_never_puts_a_new_commit_back(
    install: Install, operator_client: Callable[[Installation], Client], kube: Client, running_pods: Nodes
) -> None:
    """Its bundle in memory is the old one, as in a process whose watch is behind."""
    tree: dict[str, Any] = {"deployDemo": "", "dashboardAccess": False, "operator": {"drift": "enforce"}}
    installation = install(**tree)
    namespace = prepare(installation)
    old = Bundle.read(bundle(installation.values))
    for one in old.managed("forwarder"):
        kube.apply(copy.deepcopy(dict(one)), "git", force=True)
    forwarder = Ref("apps/v1", "Deployment", namespace, "speedscale-forwarder")
    components = Components()
    with Leading(operator_client(installation), installation.environ(), components) as leading:
        components.reconcile("forwarder")
        leading.running.bundle = lambda: old  # type: ignore[method-assign]
        new = apply_bundle(installation, **tree, imageTags={"forwarder": "v9"})
        for one in new.managed("forwarder"):
            kube.apply(copy.deepcopy(dict(one)), "git", force=True)
        there = kube.get(forwarder)["metadata"]["managedFields"]
        for _ in range(3):
            result = components.reconcile("forwarder")
            assert result is not None
            assert result.after_s is not None
        assert image(kube.get(forwarder)).endswith(":v9")
        del leading.running.bundle
        installation.until(lambda: leading.running.bundle() != old, "the new bundle is read")
        components.reconcile("forwarder")
        leading.rest("components")
        now = kube.get(forwarder)
        assert image(now).endswith(":v9")
        assert not any(entry["manager"] == MANAGER for entry in (*there, *now["metadata"]["managedFields"]))


@pytest.mark.fault("a component does not come up", end="told with the pod's cause; the rest goes on")
def test_a_component_that_does_not_come_up_is_told_with_its_cause(
    install: Install, operator_client: Callable[[Installation], Client], kube: Client, running_pods: Nodes
) -> None:
    running_pods.hold("forwarder")
    try:
        installation = install(profile="operator", dashboardAccess=False, operator={"control_plane_timeout": "2s"})
        namespace = prepare(installation)
        with Leading(operator_client(installation), installation.environ(), Components()) as leading:
            installation.until(
                lambda: (
                    state(kube, namespace).get("demo", "").startswith("waiting: forwarder comes first")
                    and deployment(kube, namespace, "java-server") is None
                ),
                "the demo waits",
            )
            installation.until(lambda: bool(events(kube, namespace, "ComponentNotUp")), "it is told")
            assert "pod speedscale-forwarder-" in events(kube, namespace, "ComponentNotUp")[0]["message"]
            down = "speedscale_operator_components_down_state"
            assert leading.metric(down, component="forwarder", cause="unschedulable") == 1
            installation.until(lambda: state(kube, namespace).get("demo") == "as wanted", "the demo goes on without it")
            running_pods.release("forwarder")
            installation.until(lambda: state(kube, namespace).get("forwarder") == "as wanted", "it is up", 45.0)
            assert leading.metric(down, component="forwarder", cause="unschedulable") == 0
    finally:
        running_pods.release("forwarder")
