"""Profile gitops on a real API server: drift is reported or mended, nothing is created, or written without cause."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from harness.cluster import Cluster
from harness.leading import Leading, events
from harness.operator import Installation

from speedscale_controller.bundle import Bundle
from speedscale_controller.components import Components
from speedscale_controller.drift.compare import MANAGER
from speedscale_controller.drift.patience import BURST
from speedscale_kube import Client, Object, Ref
from speedscale_manifests.bundle import bundle

pytestmark = pytest.mark.integration
Install = Callable[..., Installation]
NAMES = ("forwarder", "inspector", "demo")


@pytest.fixture
def lead(cluster: Cluster) -> Iterator[Callable[[Installation, Components], Leading]]:
    """Lead with the operator's own rights."""
    made: list[Client] = []

    def begin(installation: Installation, components: Components) -> Leading:
        made.append(cluster.client(installation.folder / "operator.kubeconfig"))
        return Leading(made[-1], installation.environ(), components)

    yield begin
    for one in made:
        one.close()


def managed(installation: Installation) -> list[Object]:
    """Return what git has of the components."""
    found = Bundle.read(bundle(installation.values))
    return [copy.deepcopy(dict(one)) for name in NAMES for one in found.managed(name)]


def sync(installation: Installation, **changes: Any) -> list[Ref]:
    """Apply what git has, as a GitOps tool does that leaves no mark."""
    return [
        installation.kube.ref(installation.kube.apply(one, "argocd-controller", force=True))
        for one in managed(installation)
    ]


def versions(kube: Client, refs: list[Ref]) -> dict[Ref, int | str]:
    """Return what changes when somebody writes an object: its generation, or (no generation) its version."""
    found = {which: kube.get(which)["metadata"] for which in refs}
    return {which: meta.get("generation") or str(meta["resourceVersion"]) for which, meta in found.items()}


def look(components: Components, times: int = 1) -> None:
    for _ in range(times):
        for name in NAMES:
            components.reconcile(name)


def json(kube: Client, which: Ref, *operations: dict[str, Any], manager: str = "kubectl-edit") -> None:
    kube.patch(which, list(operations), manager, kind="json")


POD = "/spec/template/spec"
EDITS: dict[str, tuple[str, str, list[dict[str, Any]]]] = {
    "image": (
        "Deployment",
        "speedscale-forwarder",
        [{"op": "replace", "path": f"{POD}/containers/0/image", "value": "x/y:1"}],
    ),
    "env added": (
        "Deployment",
        "speedscale-inspector",
        [{"op": "add", "path": f"{POD}/containers/0/env/-", "value": {"name": "EXTRA", "value": "1"}}],
    ),
    "env changed": (
        "Deployment",
        "speedscale-inspector",
        [{"op": "replace", "path": f"{POD}/containers/0/env/3/value", "value": "another"}],
    ),
    "label removed": (
        "Deployment",
        "java-server",
        [{"op": "remove", "path": "/metadata/labels/app.kubernetes.io~1version"}],
    ),
    "annotation added": (
        "Service",
        "speedscale-forwarder",
        [{"op": "add", "path": "/metadata/annotations/example.com~1note", "value": "hello"}],
    ),
    "port": ("Service", "speedscale-forwarder", [{"op": "replace", "path": "/spec/ports/0/port", "value": 8080}]),
    "egress opened": (
        "NetworkPolicy",
        "speedscale-inspector",
        [{"op": "replace", "path": "/spec/egress", "value": [{}]}],
    ),
    "rule of a ConfigMap": (
        "ConfigMap",
        "speedscale-forwarder",
        [{"op": "replace", "path": "/data/WITH_DLP", "value": "false"}],
    ),
    "key of a ConfigMap": (
        "ConfigMap",
        "speedscale-forwarder",
        [{"op": "add", "path": "/data/EXTRA", "value": "1"}],
    ),
    "container added": (
        "Deployment",
        "java-client",
        [{"op": "add", "path": f"{POD}/containers/-", "value": {"name": "extra", "image": "x/extra:1"}}],
    ),
    "security loosened": (
        "Deployment",
        "speedscale-forwarder",
        [
            {"op": "replace", "path": f"{POD}/containers/0/securityContext/privileged", "value": True},
            {"op": "replace", "path": f"{POD}/containers/0/securityContext/allowPrivilegeEscalation", "value": True},
        ],
    ),
    "host network": (
        "Deployment",
        "speedscale-inspector",
        [{"op": "add", "path": f"{POD}/hostNetwork", "value": True}],
    ),
    "replicas": ("Deployment", "java-server", [{"op": "replace", "path": "/spec/replicas", "value": 0}]),
    "resources": (
        "Deployment",
        "speedscale-forwarder",
        [{"op": "remove", "path": f"{POD}/containers/0/resources/limits/memory"}],
    ),
}


def held(obj: Object) -> dict[str, Any]:
    """Return what of an object a person may mean: no status, nothing of the server's."""
    metadata = {key: dict(obj["metadata"].get(key) or {}) for key in ("labels", "annotations")}
    metadata["annotations"].pop("deployment.kubernetes.io/revision", None)
    return {**{key: value for key, value in obj.items() if key not in ("metadata", "status")}, **metadata}


@pytest.mark.fault("edits by hand of managed components", end="each is put back; nothing is written at rest")
def test_enforce_mends_every_edit_and_rests(install: Install, lead: Any, kube: Client) -> None:
    installation = install(operator={"drift": "enforce"})
    refs = sync(installation)
    components = Components()
    with lead(installation, components) as leading:
        leading.rest("components")
        look(components)
        assert leading.writes == 0, "an untouched installation is written to"
        by_name = {(which.kind, which.name): which for which in refs}
        for what, (kind, name, operations) in EDITS.items():
            which = by_name[kind, name]
            before = held(kube.get(which))
            json(kube, which, *operations)
            assert held(kube.get(which)) != before, what
            installation.until(lambda which=which, before=before: held(kube.get(which)) == before, what)
            components._patience.forget(which)
        leading.rest("components")
        leading.running.recorder.flush()
        before_writes = leading.writes
        look(components, 3)
        assert leading.writes == before_writes
        assert len(events(kube, installation.namespace, "ComponentMended")) >= len(EDITS) - 1
        assert leading.metric("speedscale_operator_components_drifted_objects", component="forwarder") == 0

        # what git has and somebody deleted is not made: a GitOps tool prunes and creates
        gone = by_name["Service", "speedscale-forwarder"]
        kube.delete(gone)
        installation.until(lambda: bool(events(kube, installation.namespace, "ComponentMissing")), "it is told")
        assert kube.find(gone) is None


@pytest.mark.fault("Argo-like re-applies and an HPA on components", end="nothing is written")
def test_argo_like_applies_and_an_autoscaler_are_nothing_to_write_for(
    install: Install, lead: Any, kube: Client
) -> None:
    installation = install(operator={"drift": "enforce"})
    refs = sync(installation)
    java = next(which for which in refs if which.name == "java-server" and which.kind == "Deployment")
    components = Components()
    with lead(installation, components) as leading:
        leading.rest("components")
        for round_ in range(12):
            scale = [{"op": "replace", "path": "/spec/replicas", "value": 2 + round_ % 3}]
            kube.patch(java, scale, "kube-controller-manager", kind="json", subresource="scale")
            for one in managed(installation):
                if one["metadata"]["name"] == "java-server":
                    one.get("spec", {}).pop("replicas", None)  # as with ignoreDifferences
                kube.apply(one, "argocd-controller", force=True)
            look(components)
            leading.rest("components")
            assert kube.get(java)["spec"]["replicas"] == 2 + round_ % 3
        assert leading.writes == 0
        # mending something else does not take the replicas back
        json(kube, java, {"op": "replace", "path": f"{POD}/containers/0/image", "value": "x/y:1"})
        installation.until(
            lambda: kube.get(java)["spec"]["template"]["spec"]["containers"][0]["image"] != "x/y:1", "the image is back"
        )
        assert kube.get(java)["spec"]["replicas"] == 4
        assert leading.writes <= 3  # apply, Event, state


@pytest.mark.fault("edits by hand, drift: report", end="told once, nothing is written")
def test_report_tells_and_writes_nothing(install: Install, lead: Any, kube: Client) -> None:
    installation = install()
    assert installation.environ()["DRIFT"] == "report"
    refs = sync(installation)
    components = Components()
    with lead(installation, components) as leading:
        leading.rest("components")
        look(components)
        assert leading.writes == 0
        edited = []
        for kind, name, operations in EDITS.values():
            which = next(one for one in refs if (one.kind, one.name) == (kind, name))
            json(kube, which, *operations)
            edited.append(which)
        after = versions(kube, refs)
        installation.until(
            lambda: (
                {one["involvedObject"]["name"] for one in events(kube, installation.namespace, "ComponentDrifted")}
                == {which.name for which in edited}
            ),
            "every edited object is told",
        )
        look(components, 3)
        leading.rest("components")
        leading.running.recorder.flush()
        assert versions(kube, refs) == after
        found = {which: kube.get(which)["metadata"]["managedFields"] for which in refs}
        assert not any(entry["manager"] == MANAGER for entries in found.values() for entry in entries)
        counts = [one["count"] for one in events(kube, installation.namespace, "ComponentDrifted")]
        assert set(counts) == {1}
        drifted = leading.metric("speedscale_operator_components_drifted_objects", component="forwarder")
        assert drifted == 3
        assert leading.metric("speedscale_operator_components_objects", component="forwarder", reason="changed") == 3
        # put back, it is no drift any more
        kube.patch(
            next(which for which in refs if which.kind == "Service" and which.name == "speedscale-forwarder"),
            [{"op": "replace", "path": "/spec/ports/0/port", "value": 80}],
            "kubectl-edit",
            kind="json",
        )
        sync(installation)
        service = next(which for which in refs if which.kind == "Service" and which.name == "speedscale-forwarder")
        change = {"metadata": {"annotations": {"example.com/note": None}}}
        kube.patch(service, change, "kubectl-edit")
        config = next(which for which in refs if which.kind == "ConfigMap" and which.name == "speedscale-forwarder")
        kube.patch(config, {"data": {"EXTRA": None}}, "kubectl-edit")
        installation.until(
            lambda: not leading.metric("speedscale_operator_components_drifted_objects", component="forwarder"),
            "the forwarder is as wanted",
        )


def test_an_object_made_whole_has_no_drift(install: Install, lead: Any, kube: Client) -> None:
    """Argo CD without server-side apply, Helm and `kubectl create` are recorded as having set the defaults."""
    installation = install()
    refs = [kube.ref(kube.create(one, "argocd-controller")) for one in managed(installation)]
    components = Components()
    with lead(installation, components) as leading:
        look(components)
        leading.rest("components")
        for name in NAMES:
            assert leading.metric("speedscale_operator_components_drifted_objects", component=name) == 0
        inspector = next(which for which in refs if which.name == "speedscale-inspector")
        json(kube, inspector, *EDITS["env added"][2])
        installation.until(lambda: bool(events(kube, installation.namespace, "ComponentDrifted")), "it is told")


def test_off_is_silent(install: Install, lead: Any, kube: Client) -> None:
    installation = install(operator={"drift": "off"})
    refs = sync(installation)
    components = Components()
    with lead(installation, components) as leading:
        json(kube, refs[0], {"op": "add", "path": "/metadata/annotations/x", "value": "y"})
        look(components)
        leading.rest("components")
        assert leading.writes == 0
        assert not any(trouble.watch.startswith("components") for trouble in leading.running.watches.troubles())


@pytest.mark.fault("a component's field belongs to another tool", end="left to it, told")
@pytest.mark.parametrize(
    ("part", "name"),
    [
        ("annotations", "argocd.argoproj.io/tracking-id"),
        ("labels", "app.kubernetes.io/instance"),
        ("labels", "kustomize.toolkit.fluxcd.io/name"),
        ("labels", "helm.toolkit.fluxcd.io/name"),
    ],
)
def test_what_another_tool_owns_is_left_to_it(install: Install, lead: Any, kube: Client, part: str, name: str) -> None:
    installation = install(operator={"drift": "enforce"})
    refs = sync(installation)
    which = next(one for one in refs if one.kind == "Deployment" and one.name == "speedscale-forwarder")
    kube.patch(which, {"metadata": {part: {name: "speedscale"}}}, "argocd-controller")
    json(kube, which, *EDITS["image"][2])
    components = Components()
    with lead(installation, components) as leading:
        look(components)
        installation.until(
            lambda: bool(events(kube, installation.namespace, "ComponentLeftToGitOps")), "it is told who owns it"
        )
        tool = "Argo CD" if "argocd" in name or "instance" in name else "Flux"
        assert f"left to {tool}" in events(kube, installation.namespace, "ComponentLeftToGitOps")[0]["message"]
        assert kube.get(which)["spec"]["template"]["spec"]["containers"][0]["image"] == "x/y:1"
        assert (
            leading.metric("speedscale_operator_components_objects", component="forwarder", reason="gitops_tool") == 1
        )


@pytest.mark.fault("somebody undoes each repair of drift", end="told, not fought")
def test_somebody_who_insists_is_told_and_not_fought(install: Install, lead: Any, kube: Client) -> None:
    installation = install(operator={"drift": "enforce"})
    refs = sync(installation)
    which = next(one for one in refs if one.kind == "Deployment" and one.name == "java-client")
    components = Components()
    with lead(installation, components) as leading:
        for _ in range(BURST):
            json(kube, which, *EDITS["image"][2], manager="somebody")
            installation.until(
                lambda: kube.get(which)["spec"]["template"]["spec"]["containers"][0]["image"] != "x/y:1", "it is back"
            )
        installation.until(lambda: bool(events(kube, installation.namespace, "ComponentContended")), "it is told")
        assert "somebody" in events(kube, installation.namespace, "ComponentContended")[0]["message"]
        json(kube, which, *EDITS["image"][2], manager="somebody")
        installation.until(
            lambda: leading.metric("speedscale_operator_components_objects", component="demo", reason="contended") == 1,
            "it is left alone",
        )
        assert kube.get(which)["spec"]["template"]["spec"]["containers"][0]["image"] == "x/y:1"


@pytest.mark.fault("drift without the right to mend it", end="told")
def test_without_the_right_to_write_it_is_told(install: Install, lead: Any, kube: Client) -> None:
    """DRIFT is turned to enforce by the override, and the rights in git are those of report."""
    installation = install()
    refs = sync(installation)
    which = next(one for one in refs if one.kind == "ConfigMap" and one.name == "speedscale-forwarder")
    rules = Ref("rbac.authorization.k8s.io/v1", "ClusterRole", "", "speedscale-operator")
    before = kube.get(rules)["rules"]
    less = [
        {**rule, "verbs": [verb for verb in rule["verbs"] if verb != "patch"]}
        if "configmaps" in rule["resources"]
        else rule
        for rule in before
    ]
    kube.patch(rules, {"rules": less}, "tests")
    installation.override(DRIFT="enforce")
    components = Components()
    with lead(installation, components) as leading:
        kube.patch(which, {"data": {"LOG_LEVEL": "debug"}}, "kubectl-edit")
        installation.until(
            lambda: (
                leading.metric("speedscale_operator_components_objects", component="forwarder", reason="right_missing")
                == 1
            ),
            "it is told",
        )
        leading.running.recorder.flush()
        assert "cannot patch resource" in events(kube, installation.namespace, "ComponentNotWritten")[0]["message"]
    kube.patch(rules, {"rules": before}, "tests")


@pytest.mark.parametrize("drift", ["enforce", "report"])
def test_an_injected_demo_is_no_drift_and_rolls_out_once(install: Install, kube: Client, drift: str) -> None:
    """The whole operator: what admission and healing put into the demo, components leave there."""
    installation = install(operator={"drift": drift})
    replica = installation.start()
    refs = sync(installation)
    java = [which for which in refs if which.kind == "Deployment" and which.name.startswith("java-")]

    def sidecars() -> list[bool]:
        pods = [kube.get(which)["spec"]["template"]["spec"] for which in java]
        return ["speedscale-goproxy" in str(pod) for pod in pods]

    installation.until(lambda: any(sidecars()), "the demo is injected")
    before = {which: kube.get(which)["metadata"]["generation"] for which in java}
    for _ in range(3):
        sync(installation)
        service = next(which for which in refs if which.kind == "Service" and which.name == "java-server")
        json(kube, service, {"op": "add", "path": "/metadata/annotations/x", "value": "y"})
        if drift == "enforce":
            installation.until(lambda s=service: "x" not in kube.get(s)["metadata"]["annotations"], "it was looked at")
    installation.until(lambda: replica.metric("speedscale_operator_queue_keys", reconciler="components") == 0, "rest")
    told = [one["message"] for reason in ("ComponentMended", "ComponentDrifted") for one in _of(installation, reason)]
    assert not any("Deployment" in text for text in told), told
    assert {which: kube.get(which)["metadata"]["generation"] for which in java} == before
    assert before == dict.fromkeys(java, 1)


def _of(installation: Installation, reason: str) -> list[dict[str, Any]]:
    return events(installation.kube, installation.namespace, reason)
