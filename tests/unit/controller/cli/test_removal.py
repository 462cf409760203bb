"""What an uninstall does, in which order, and what it leaves alone: over recorded inventories."""

from __future__ import annotations

from typing import Any

import pytest
from recorded_facts import INSTANCE, NOW, Object, ago, assembled, manifests, named, operator, webhooks

from speedscale_controller.cli.removal.act import reverted
from speedscale_controller.cli.removal.gather import held
from speedscale_controller.cli.removal.model import Do, Inventory, Options, Phase, Step
from speedscale_controller.cli.removal.plan import plan
from speedscale_controller.injection import Facts, Inject, Installation, Namespace, decide
from speedscale_manifests.components.sidecar import COMPONENT
from speedscale_manifests.values import from_mapping

PART_OF = {"app.kubernetes.io/part-of": "speedscale"}
KINDS = (
    "ConfigMap",
    "Deployment",
    "Service",
    "ServiceAccount",
    "Role",
    "RoleBinding",
    "ClusterRole",
    "ClusterRoleBinding",
)


def workload(name: str = "cart", kind: str = "Deployment", **annotations: str) -> Object:
    marks = {"operator.speedscale.com/managed-by": INSTANCE, **annotations}
    version = {"Job": "batch/v1", "Pod": "v1"}.get(kind, "apps/v1")
    return {**named(kind, name, "shop", annotations=marks), "apiVersion": version}


def inventory(**fields: Any) -> Inventory:
    given: dict[str, Any] = {
        "namespace": "speedscale",
        "installed": assembled(),
        "working": True,
        "namespace_object": named("Namespace", "speedscale", labels=PART_OF),
        "crd": manifests("CustomResourceDefinition")[0],
        "webhooks": webhooks(),
        "workloads": [workload()],
        "secrets": [named("Secret", "speedscale-certs", "shop"), named("Secret", "speedscale-certs", "speedscale")],
        "objects": [obj for kind in KINDS for obj in manifests(kind)],
    }
    return Inventory(**given | fields)


def phases(steps: tuple[Step, ...]) -> list[Phase]:
    return list(dict.fromkeys(step.phase for step in steps))


def replay(**metadata: Any) -> Object:
    made = named("TrafficReplay", "r", "shop", **metadata)
    return {**made, "apiVersion": "speedscale.com/v1"}


def test_the_order() -> None:
    steps = plan(inventory(replays=[replay()]), Options()).steps
    assert phases(steps) == list(Phase)
    done = [(step.do, step.ref.kind, step.ref.name) for step in steps]
    assert done.index((Do.SCALE, "Deployment", "speedscale-operator")) > done.index(
        (Do.DELETE, "ValidatingWebhookConfiguration", "speedscale-operator-replay")
    )
    demo = done.index((Do.DELETE, "Deployment", "java-client"))
    forwarder = done.index((Do.DELETE, "Deployment", "speedscale-forwarder"))
    operator_ = done.index((Do.DELETE, "Deployment", "speedscale-operator"))
    role = done.index((Do.DELETE, "ClusterRole", "speedscale-operator"))
    assert demo < forwarder < operator_ < role
    assert done[-2:] == [
        (Do.DELETE, "CustomResourceDefinition", "trafficreplays.speedscale.com"),
        (Do.DELETE, "Namespace", "speedscale"),
    ]
    assert len(set(steps)) == len(steps)


def test_twice_the_same_and_nothing_of_nothing() -> None:
    there = inventory()
    backwards = inventory(objects=there.objects[::-1], webhooks=there.webhooks[::-1], secrets=there.secrets[::-1])
    assert plan(there, Options()) == plan(backwards, Options())
    assert plan(Inventory(namespace="speedscale"), Options()).steps == ()


def test_what_is_kept() -> None:
    kinds = {step.ref.kind for step in plan(inventory(), Options(keep_crd=True, keep_namespace=True)).steps}
    assert not kinds & {"CustomResourceDefinition", "Namespace"}
    theirs = plan(inventory(namespace_object=named("Namespace", "speedscale")), Options())
    assert theirs.steps[-1].ref.kind == "CustomResourceDefinition"
    assert "it was there before this installation" in theirs.notes[-1]
    shared = plan(inventory(foreign=[named("Deployment", "blog", "speedscale")]), Options())
    assert "objects of others are in it, such as Deployment speedscale/blog" in shared.notes[-1]
    report = named("ConfigMap", "speedscale-report-1", "shop")
    assert "1 snapshots and reports stay in shop" in plan(inventory(kept=[report]), Options()).notes[-1]


def test_revert_only_touches_nothing_that_a_tool_declares() -> None:
    found = plan(inventory(replays=[replay()]), Options(revert_only=True))
    assert phases(found.steps) == [
        Phase.CANCEL,
        Phase.WEBHOOKS,
        Phase.STOP,
        Phase.REVERT,
        Phase.RELEASE,
        Phase.COPIES,
    ]
    assert not [step for step in found.steps if step.ref.namespace == "speedscale" and step.do is Do.DELETE]


def test_what_is_in_git_is_refused_unless_forced() -> None:
    tracked = named(
        "ConfigMap", "x", "speedscale", annotations={"argocd.argoproj.io/tracking-id": "speed:/ConfigMap:x"}
    )
    flux = {"kustomize.toolkit.fluxcd.io/name": "infra", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"}
    there = inventory(objects=[tracked, named("ConfigMap", "y", "speedscale", labels=flux)])
    refusals = plan(there, Options()).refusals
    assert [text.split(" has ")[0] for text in refusals] == [
        "Argo CD (Application speed)",
        "Flux (Kustomization flux-system/infra)",
    ]
    assert all("--revert-only" in text for text in refusals)
    assert plan(there, Options(force=True)).refusals == ()
    assert plan(there, Options(revert_only=True)).refusals == ()
    hidden = plan(inventory(unread={"Secrets": "Forbidden"}), Options())
    assert "Secrets cannot be read" in hidden.refusals[0]


def test_workloads_of_another_operator_and_those_that_cannot_change() -> None:
    other = workload("theirs", **{"operator.speedscale.com/managed-by": "another"})
    job, pod = workload("import", "Job"), workload("debug", "Pod")
    found = plan(inventory(workloads=[workload(), other, job, pod]), Options())
    assert [step.ref.name for step in found.steps if step.do is Do.REVERT] == ["cart"]
    told = "\n".join(found.notes)
    assert "Deployment shop/theirs is left alone: operator another manages it" in told
    assert "Job shop/import cannot be changed" in told
    assert "Pod shop/debug cannot be changed" in told
    forced = plan(inventory(workloads=[other]), Options(force=True))
    assert [step.ref.name for step in forced.steps if step.do is Do.REVERT] == ["theirs"]
    orphaned = plan(inventory(workloads=[other], installed=None), Options())
    assert [step.ref.name for step in orphaned.steps if step.do is Do.REVERT] == ["theirs"]


def test_the_demo_goes_with_the_installation() -> None:
    demo = {**named("Deployment", "java-client", "speedscale", labels=PART_OF), "apiVersion": "apps/v1"}
    assert not [step for step in plan(inventory(workloads=[demo]), Options()).steps if step.do is Do.REVERT]
    kept = plan(inventory(workloads=[demo]), Options(revert_only=True))
    assert [step.ref.name for step in kept.steps if step.do is Do.REVERT] == ["java-client"]


def test_replays_without_an_operator_are_released_by_us() -> None:
    stuck = replay(finalizers=["replay.speedscale.com/cleanup"])
    steps = plan(inventory(working=False, installed=None, replays=[stuck]), Options()).steps
    assert [(s.phase, s.do, s.wait) for s in steps if s.ref.kind == "TrafficReplay"] == [
        (Phase.CANCEL, Do.DELETE, False),
        (Phase.RELEASE, Do.RELEASE, True),
    ]


@pytest.mark.parametrize(
    ("spec", "is_held"),
    [
        ({"holderIdentity": "a", "renewTime": ago(seconds=5), "leaseDurationSeconds": 15}, True),
        ({"holderIdentity": "a", "renewTime": ago(seconds=20), "leaseDurationSeconds": 15}, False),
        ({"holderIdentity": "", "renewTime": ago(seconds=1)}, False),
        ({}, False),
    ],
)
def test_who_still_holds_the_lease(spec: dict[str, Any], is_held: bool) -> None:
    assert held(named("Lease", "speedscale-operator", "speedscale", spec=spec), NOW) is is_held


def test_taking_out_gives_back_what_was_there() -> None:
    (template,) = COMPONENT.templates(from_mapping({}))
    facts = Facts(
        template=template,
        installation=Installation(namespace="speedscale", instance_id=INSTANCE),
        namespace=Namespace(name="shop"),
    )
    asks = {"sidecar.speedscale.com/inject": "true", "sidecar.speedscale.com/tls-out": "true"}
    before = named("Deployment", "cart", "shop", annotations=asks)
    before["apiVersion"] = "apps/v1"
    container = {"name": "app", "image": "app:1", "env": [{"name": "A", "value": "b"}]}
    before["spec"] = {"template": {"metadata": {"labels": {"app": "cart"}}, "spec": {"containers": [container]}}}
    verdict = decide(before, facts)
    assert isinstance(verdict, Inject), verdict
    assert reverted(verdict.object) == before
    assert reverted(before) == before


def test_an_operator_that_stands_still_is_not_scaled_again() -> None:
    still = operator()
    still["spec"]["replicas"] = 0
    there = assembled()
    object.__setattr__(there, "operator", still)
    assert not [step for step in plan(inventory(installed=there), Options()).steps if step.do is Do.SCALE]
