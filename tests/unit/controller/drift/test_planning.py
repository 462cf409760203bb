"""What is done about drift: the table of policies, and plans that, carried out, leave nothing to plan."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedscale_controller.drift import STAMP, Action, Plan, Policy, Reason, compare, mending, plan, removal
from speedscale_controller.drift.compare import MANAGER
from speedscale_kube import Object, Ref, ref

E, R, O = Policy.ENFORCE, Policy.REPORT, Policy.OFF  # noqa: E741


def deployment(name: str = "it", *, stamp: str = "", **spec: Any) -> Object:
    annotations = {STAMP: stamp} if stamp else {}
    pod = {"containers": [{"name": "app", "image": "x:1", "env": [{"name": "A", "value": "1"}]}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "ours", "labels": {"app": name}, "annotations": annotations},
        "spec": {"replicas": 1, "template": {"spec": pod}, **spec},
    }


def claim(size: str = "1Gi", **labels: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "it", "namespace": "ours", "labels": labels},
        "spec": {"resources": {"requests": {"storage": size}}},
    }


def living(obj: Object, change: Callable[[Object], None] = lambda obj: None, *owners: tuple[str, str, Any]) -> Object:
    """Return an object as it lives: with a uid, changed, with managedFields (manager, operation, tree)."""
    live = copy.deepcopy(obj)
    live["metadata"] |= {"uid": "u", "resourceVersion": "7"}
    live["metadata"]["managedFields"] = [
        {"manager": manager, "operation": operation, "time": "", "fieldsV1": tree}
        for manager, operation, tree in owners
    ]
    change(live)
    return live


def edited(obj: Object) -> None:
    obj["spec"]["template"]["spec"]["containers"][0]["image"] = "x:2"


def one(decided: Plan) -> tuple[Action, Reason]:
    (step,) = decided.steps
    return step.action, step.reason


def plan_one(desired: Object | None, live: Object | None, policy: Policy, *, creates: bool) -> Plan:
    which = ref(desired or live or {})
    return plan([desired] if desired else [], {which: live} if live else {}, policy, creates=creates)


@pytest.mark.parametrize(
    ("policy", "creates", "expected"),
    [
        (E, True, (Action.CREATE, Reason.MISSING)),
        (R, True, (Action.CREATE, Reason.MISSING)),
        (O, True, (Action.CREATE, Reason.MISSING)),
        (E, False, (Action.REPORT, Reason.MISSING)),
        (R, False, (Action.REPORT, Reason.MISSING)),
        (O, False, (Action.LEAVE, Reason.MISSING)),
    ],
)
def test_what_is_not_there(policy: Policy, creates: bool, expected: tuple[Action, Reason]) -> None:
    assert one(plan_one(deployment(), None, policy, creates=creates)) == expected


@pytest.mark.parametrize(
    ("policy", "creates", "old", "expected"),
    [
        (E, True, "1", (Action.APPLY, Reason.CHANGED)),
        (R, True, "1", (Action.REPORT, Reason.CHANGED)),
        (O, True, "1", (Action.LEAVE, Reason.POLICY_OFF)),
        (E, True, "0", (Action.APPLY, Reason.ROLLED_FORWARD)),
        (R, True, "0", (Action.APPLY, Reason.ROLLED_FORWARD)),
        (O, True, "0", (Action.APPLY, Reason.ROLLED_FORWARD)),
        (E, False, "1", (Action.APPLY, Reason.CHANGED)),
        (R, False, "0", (Action.REPORT, Reason.CHANGED)),
        (O, False, "0", (Action.LEAVE, Reason.POLICY_OFF)),
    ],
)
def test_what_differs(policy: Policy, creates: bool, old: str, expected: tuple[Action, Reason]) -> None:
    live = living(deployment(stamp=old), edited)
    decided = plan_one(deployment(stamp="1"), live, policy, creates=creates)
    assert one(decided) == expected
    assert decided.steps[0].mend is (expected[0] is Action.APPLY and policy is E)


@pytest.mark.parametrize("policy", list(Policy))
@pytest.mark.parametrize("creates", [True, False])
def test_what_is_as_wanted_is_left(policy: Policy, creates: bool) -> None:
    decided = plan_one(deployment(), living(deployment()), policy, creates=creates)
    assert one(decided) == (Action.LEAVE, Reason.AS_WANTED)
    assert decided.quiet


@pytest.mark.parametrize(
    ("part", "name", "tool"),
    [
        ("annotations", "argocd.argoproj.io/tracking-id", "Argo CD"),
        ("labels", "argocd.argoproj.io/instance", "Argo CD"),
        ("labels", "app.kubernetes.io/instance", "Argo CD"),
        ("labels", "kustomize.toolkit.fluxcd.io/name", "Flux"),
        ("labels", "helm.toolkit.fluxcd.io/namespace", "Flux"),
    ],
)
def test_a_gitops_tools_object_is_left_to_it(part: str, name: str, tool: str) -> None:
    def owned(obj: Object) -> None:
        edited(obj)
        obj["metadata"][part][name] = "x"

    for policy, creates in ((E, True), (E, False), (R, False)):
        decided = plan_one(deployment(), living(deployment(), owned), policy, creates=creates)
        assert one(decided) == (Action.REPORT, Reason.GITOPS_TOOL)
        assert f"left to {tool}" in decided.steps[0].message
    gone = plan_one(None, living(deployment(), owned), E, creates=True)
    assert one(gone) == (Action.REPORT, Reason.GITOPS_TOOL)


def test_helm_and_labels_of_our_own_are_no_marks() -> None:
    def helm(obj: Object) -> None:
        edited(obj)
        obj["metadata"]["labels"]["app.kubernetes.io/instance"] = "release"
        obj["metadata"]["annotations"]["meta.helm.sh/release-name"] = "release"

    assert one(plan_one(deployment(), living(deployment(), helm), E, creates=False))[0] is Action.APPLY
    ours = deployment()
    ours["metadata"]["labels"]["app.kubernetes.io/instance"] = "x"
    assert one(plan_one(ours, living(ours, edited), E, creates=False))[0] is Action.APPLY


def test_switched_off() -> None:
    assert one(plan_one(None, living(deployment()), R, creates=True)) == (Action.DELETE, Reason.SWITCHED_OFF)
    assert one(plan_one(None, living(claim()), E, creates=True)) == (Action.REPORT, Reason.CLAIM)
    assert not plan_one(None, living(deployment()), E, creates=False).steps
    going = living(deployment(), lambda obj: obj["metadata"].update(deletionTimestamp="2026"))
    assert one(plan_one(None, going, E, creates=True)) == (Action.LEAVE, Reason.BEING_DELETED)
    assert one(plan_one(deployment(), going, E, creates=True)) == (Action.LEAVE, Reason.BEING_DELETED)


def test_a_claim_grows_and_never_shrinks() -> None:
    assert one(plan_one(claim("2Gi"), living(claim("1Gi")), E, creates=True))[0] is Action.APPLY
    assert one(plan_one(claim("1Gi"), living(claim("2Gi")), E, creates=True)) == (Action.REPORT, Reason.CLAIM)
    assert one(plan_one(claim(a="b"), living(claim()), E, creates=True))[0] is Action.APPLY
    other = claim()
    other["spec"]["storageClassName"] = "fast"
    slow = living(other, lambda obj: obj["spec"].update(storageClassName="slow"))
    assert one(plan_one(other, slow, E, creates=True)) == (Action.REPORT, Reason.CLAIM)


def test_order_configuration_first_and_last_removed() -> None:
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "it", "namespace": "ours"}}
    made = plan([deployment(), claim(), config], {}, E, creates=True)
    assert [step.ref.kind for step in made.steps] == ["ConfigMap", "PersistentVolumeClaim", "Deployment"]
    there = {ref(one): living(one) for one in (deployment(), config)}
    assert [step.ref.kind for step in plan([], there, E, creates=True).steps] == ["Deployment", "ConfigMap"]


def test_an_autoscalers_replicas_are_not_taken_back() -> None:
    scaled = ("kube-controller-manager", "Update", {"f:spec": {"f:replicas": {}}})
    live = living(deployment(), lambda obj: obj["spec"].update(replicas=5), scaled)
    assert one(plan_one(deployment(), live, E, creates=False)) == (Action.LEAVE, Reason.AS_WANTED)
    edited(live)
    (step,) = plan_one(deployment(), live, E, creates=False).steps
    assert step.manifest is not None
    assert "replicas" not in step.manifest["spec"]
    by_hand = living(deployment(), lambda obj: obj["spec"].update(replicas=5), ("kubectl", "Update", scaled[2]))
    (step,) = plan_one(deployment(), by_hand, E, creates=False).steps
    assert step.manifest is not None
    assert step.manifest["spec"]["replicas"] == 1


def test_defaults_of_who_wrote_it_whole_are_no_drift() -> None:
    whole = {
        "f:metadata": {"f:labels": {"f:app": {}}},
        "f:spec": {
            "f:replicas": {},
            "f:paused": {},
            "f:template": {"f:spec": {"f:hostNetwork": {}, "f:containers": {}}},
        },
    }

    def defaulted(obj: Object) -> None:
        obj["spec"]["paused"] = False
        obj["spec"]["template"]["spec"]["hostNetwork"] = True

    assert not compare(deployment(), living(deployment(), defaulted, ("argocd-controller", "Update", whole)))
    only = {"f:spec": {"f:template": {"f:spec": {"f:hostNetwork": {}}}}}
    found = compare(deployment(), living(deployment(), defaulted, ("kubectl-edit", "Update", only)))
    assert [change.where for change in found.changes] == ["spec.template.spec.hostNetwork"]
    assert found.message == "spec.template.spec.hostNetwork was added (by kubectl-edit)"


def test_a_sidecar_is_no_drift() -> None:
    def sidecar(obj: Object) -> None:
        obj["spec"]["template"]["spec"]["containers"].append({"name": "speedscale-goproxy", "image": "p:1"})

    assert not compare(deployment(), living(deployment(), sidecar))
    tree = {"f:spec": {"f:template": {"f:spec": {"f:containers": {'k:{"name":"speedscale-goproxy"}': {".": {}}}}}}}
    assert not compare(deployment(), living(deployment(), sidecar, ("speedscale-operator/injection", "Update", tree)))
    assert compare(deployment(), living(deployment(), sidecar, ("kubectl-edit", "Update", tree)))


def applied(operations: list[dict[str, Any]], obj: Object) -> Object:
    """Apply a JSON Patch of test, add, replace and remove."""
    made = copy.deepcopy(obj)
    for operation in operations:
        *parents, last = [part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]]
        node: Any = made
        for part in parents:
            node = node[int(part)] if isinstance(node, list) else node[part]
        key: Any = (len(node) if last == "-" else int(last)) if isinstance(node, list) else last
        if operation["op"] == "test":
            assert node[key] == operation["value"]
        elif operation["op"] == "remove":
            del node[key]
        elif operation["op"] == "add" and isinstance(node, list):
            node.insert(key, operation["value"])
        else:
            node[key] = operation["value"]
    return made


def test_removals_from_the_back() -> None:
    def more(obj: Object) -> None:
        container = obj["spec"]["template"]["spec"]["containers"][0]
        container["env"] = [{"name": "X", "value": "1"}, *container["env"], {"name": "Y", "value": "2"}]
        obj["metadata"]["annotations"]["a/b"] = "c"

    env = {'k:{"name":"X"}': {".": {}, "f:name": {}}, 'k:{"name":"Y"}': {".": {}, "f:name": {}}}
    tree = {
        "f:metadata": {"f:annotations": {"f:a/b": {}}},
        "f:spec": {"f:template": {"f:spec": {"f:containers": {'k:{"name":"app"}': {"f:env": env}}}}},
    }
    live = living(deployment(), more, ("kubectl-edit", "Update", tree))
    operations = removal(live, compare(deployment(), live).changes)
    assert operations[0] == {"op": "test", "path": "/metadata/resourceVersion", "value": "7"}
    after = applied(operations, live)
    assert after["spec"] == deployment()["spec"]
    assert after["metadata"]["annotations"] == {}
    assert removal(live, ()) == []


VALUES = st.sampled_from(["a", "b", "1"])
NAMES = st.sampled_from(["A", "B", "C", "D"])
ENV = st.dictionaries(NAMES, VALUES, max_size=4).map(lambda d: [{"name": k, "value": v} for k, v in sorted(d.items())])
MAPS = st.dictionaries(st.sampled_from(["x", "y/z", "w~v"]), VALUES, max_size=3)
SHAPES = st.tuples(ENV, MAPS, MAPS, VALUES, st.integers(0, 5))


def shaped(shape: tuple[list[Any], dict[str, str], dict[str, str], str, int]) -> Object:
    env, labels, annotations, image, replicas = shape
    obj = deployment(replicas=replicas)
    obj["metadata"] |= {"labels": labels, "annotations": annotations}
    obj["spec"]["template"]["spec"]["containers"][0] |= {"env": copy.deepcopy(env), "image": image}
    return obj


def owned_by_somebody(obj: Object) -> Any:
    env = {f'k:{{"name":"{v["name"]}"}}': {".": {}} for v in obj["spec"]["template"]["spec"]["containers"][0]["env"]}
    return {
        "f:metadata": {
            part: {f"f:{k}": {} for k in obj["metadata"][part[2:]]} for part in ("f:labels", "f:annotations")
        },
        "f:spec": {
            "f:replicas": {},
            "f:template": {"f:spec": {"f:containers": {'k:{"name":"app"}': {"f:image": {}, "f:env": env}}}},
        },
    }


@given(SHAPES, SHAPES)
def test_a_plan_that_was_carried_out_leaves_nothing_to_plan(wanted: Any, there: Any) -> None:
    desired = shaped(wanted)
    live = living(shaped(there), lambda obj: None, ("somebody", "Apply", owned_by_somebody(shaped(there))))
    decided = plan_one(desired, live, E, creates=False)
    before = copy.deepcopy((desired, live))
    for step in decided.writes:
        live = applied(mending(live, step.changes), live)
    again = plan_one(desired, live, E, creates=False)
    assert one(again) == (Action.LEAVE, Reason.AS_WANTED), again
    assert desired == before[0]


@given(SHAPES, st.sampled_from(list(Policy)), st.booleans())
def test_what_equals_the_wish_is_never_written(shape: Any, policy: Policy, creates: bool) -> None:
    obj = shaped(shape)
    live = living(obj, lambda obj: None, (MANAGER, "Apply", owned_by_somebody(obj)))
    assert plan_one(obj, live, policy, creates=creates).quiet


@given(SHAPES, SHAPES, st.sampled_from([R, O]))
def test_gitops_without_enforce_never_writes(wanted: Any, there: Any, policy: Policy) -> None:
    live = living(shaped(there), lambda obj: None, ("somebody", "Apply", owned_by_somebody(shaped(there))))
    extra = living(deployment("extra"))
    decided = plan([shaped(wanted)], {ref(live): live, ref(extra): extra}, policy, creates=False)
    assert not decided.writes


def test_refs_that_are_nobodys() -> None:
    assert Ref("apps/v1", "Deployment", "ours", "it") == ref(deployment())
