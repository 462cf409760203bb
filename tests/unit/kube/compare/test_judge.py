"""One object: what counts as drift, without a cluster."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedscale_kube.compare.judge import HIDDEN, judge, needs_defaults, recorded_defaults
from speedscale_kube.compare.known import CONTROLLERS, is_controller, is_mark

GIT: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "it", "labels": {"app": "it"}},
    "spec": {"replicas": 1, "template": {"spec": {"containers": [{"name": "app", "image": "x:1"}]}}},
}
OURS = {
    "f:metadata": {"f:labels": {"f:app": {}}},
    "f:spec": {
        "f:replicas": {},
        "f:template": {
            "f:spec": {"f:containers": {'k:{"name":"app"}': {".": {}, "f:name": {}, "f:image": {}}}},
        },
    },
}


def live(change: Any = None, **managers: dict[str, Any]) -> dict[str, Any]:
    """Return the live object: git's form with defaults, changed, with the fields of further managers."""
    made = copy.deepcopy(GIT)
    made["spec"]["strategy"] = {"type": "RollingUpdate"}
    made["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"] = "Always"
    if change:
        change(made)
    fields = {"argocd-controller": OURS, **{name.replace("_", "-"): tree for name, tree in managers.items()}}
    made["metadata"]["managedFields"] = [
        {"manager": name, "operation": "Update", "time": "2026-01-01T00:00:00Z", "fieldsV1": tree}
        for name, tree in fields.items()
    ]
    return made


def applied() -> dict[str, Any]:
    return live()


def told(found: dict[str, Any], git: dict[str, Any] = GIT, **keywords: Any) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(c.where, c.what, c.managers) for c in judge(git, found, applied(), **keywords)]


def test_defaults_are_nobodys() -> None:
    assert told(live()) == []


def test_a_controllers_field_is_left_alone_unless_somebody_else_set_it_too() -> None:
    def scale(obj: dict[str, Any]) -> None:
        obj["spec"]["replicas"] = 9

    tree = {"f:spec": {"f:replicas": {}}}
    taken = live(scale, kube_controller_manager=tree)
    del taken["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"]["f:replicas"]
    assert told(taken) == []
    OURS["f:spec"]["f:replicas"] = {}
    assert told(live(scale, kube_controller_manager=tree)) == [
        ("spec.replicas", "changed", ("argocd-controller", "kube-controller-manager"))
    ]


def test_what_admission_would_put_in_is_not_what_git_lacks() -> None:
    """A sidecar that a webhook injects, on a workload that was made while it was away; and the other way round."""
    sidecar = {"name": "speedscale-goproxy", "image": "proxy:1"}

    def inject(obj: dict[str, Any]) -> None:
        obj["spec"]["template"]["spec"]["containers"].append(sidecar)

    assert judge(GIT, live(), live(inject)) == []
    assert judge(GIT, live(inject), live(inject)) == []


def test_a_trusted_manager_is_like_a_controller() -> None:
    def label(obj: dict[str, Any]) -> None:
        obj["metadata"]["labels"]["team"] = "a"

    found = live(label, my_scaler={"f:metadata": {"f:labels": {"f:team": {}}}})
    assert told(found) == [("metadata.labels.team", "added", ("my-scaler",))]
    assert told(found, trusted=frozenset({"my-scaler"})) == []


def test_a_mark_of_a_tool_is_no_drift_and_a_mark_that_git_sets_is_compared() -> None:
    mark = "app.kubernetes.io/instance"

    def tag(obj: dict[str, Any]) -> None:
        obj["metadata"]["labels"][mark] = "argo"

    tree = {"f:metadata": {"f:labels": {f"f:{mark}": {}}}}
    assert told(live(tag, argocd=tree)) == []
    git = copy.deepcopy(GIT)
    git["metadata"]["labels"][mark] = "git"
    wanted = live(lambda obj: obj["metadata"]["labels"].update({mark: "git"}))
    changes = judge(git, live(tag, argocd=tree), wanted)
    assert [(c.where, c.git, c.live) for c in changes] == [(f'metadata.labels["{mark}"]', "git", "argo")]


def test_status_is_never_compared() -> None:
    def report(obj: dict[str, Any]) -> None:
        obj["status"] = {"replicas": 3}

    assert told(live(report, somebody={"f:status": {"f:replicas": {}}})) == []


def test_a_path_that_is_called_status_elsewhere_is() -> None:
    def add(obj: dict[str, Any]) -> None:
        obj["spec"]["status"] = "x"

    assert told(live(add, somebody={"f:spec": {"f:status": {}}})) == [("spec.status", "added", ("somebody",))]


def test_values_of_secrets_are_not_shown() -> None:
    git = {"kind": "Secret", "metadata": {"name": "it"}, "data": {"key": "b25l"}}
    changes = judge(git, {**git, "data": {"key": "dHdv"}}, git)
    assert [(c.where, c.git, c.live) for c in changes] == [("data.key", HIDDEN, HIDDEN)]


@pytest.mark.parametrize(
    ("git", "there", "expected"),
    [
        ("1000m", "1", []),
        (0.5, "500m", []),
        ("1024Mi", "1Gi", []),
        ("1", "2", ["spec.resources.limits.cpu"]),
        ("x", "1", ["spec.resources.limits.cpu"]),
    ],
)
def test_without_the_servers_help_quantities_are_compared_by_amount(git: Any, there: Any, expected: list[str]) -> None:
    def form(value: Any) -> dict[str, Any]:
        return {"kind": "X", "metadata": {"name": "it"}, "spec": {"resources": {"limits": {"cpu": value}}, "text": "1"}}

    assert [c.where for c in judge(form(git), form(there), None)] == expected


def test_a_text_that_looks_like_a_quantity_is_not_one() -> None:
    git, there = ({"kind": "ConfigMap", "metadata": {"name": "it"}, "data": {"cpu": v}} for v in ("1000m", "1"))
    assert [c.where for c in judge(git, there, None)] == ["data.cpu"]


def test_defaults_that_a_creator_is_recorded_for_are_recognised() -> None:
    def grace(obj: dict[str, Any]) -> None:
        obj["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = 5

    tree = {
        "f:spec": {
            "f:strategy": {"f:type": {}},
            "f:template": {"f:spec": {"f:terminationGracePeriodSeconds": {}}},
        }
    }
    found = live(grace, kubectl_create=tree)
    changes = judge(GIT, found, applied())
    assert [c.where for c in changes] == ["spec.strategy.type", "spec.template.spec.terminationGracePeriodSeconds"]
    assert needs_defaults(changes, found)
    fresh = live(lambda obj: obj["spec"]["template"]["spec"].update({"terminationGracePeriodSeconds": 30}))
    assert [c.live for c in recorded_defaults(changes, fresh)] == [5]


@pytest.mark.parametrize("name", CONTROLLERS)
def test_a_controllers_name_covers_its_parts(name: str) -> None:
    assert is_controller(name)
    assert is_controller(f"{name}-workload")
    assert not is_controller(f"{name}x")


@pytest.mark.parametrize("name", ["kubectl-edit", "kubectl", "argocd-controller", "helm", "", "kube"])
def test_people_and_gitops_tools_are_no_controllers(name: str) -> None:
    assert not is_controller(name)


def test_marks() -> None:
    assert is_mark("kustomize.toolkit.fluxcd.io/name")
    assert not is_mark("app.kubernetes.io/part-of")


scalars = st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from(["", "a", "500m", "0.5"])
names = st.sampled_from(["name", "limits", "port", "a.b/c", "labels", "status"])
trees = st.recursive(scalars, lambda x: st.lists(x, max_size=3) | st.dictionaries(names, x, max_size=3), max_leaves=10)
objects = st.fixed_dictionaries({"kind": st.just("X"), "metadata": st.just({"name": "it"}), "spec": trees})
steps = st.sampled_from(["f:spec", "f:name", "f:limits", 'k:{"name":"a"}', 'k:{"port":1}', "v:1", 'v:"a"', "i:0", "."])
owned = st.recursive(st.just({}), lambda x: st.dictionaries(steps, x, max_size=3), max_leaves=8)


@given(objects, objects, st.none() | objects, owned)
def test_no_object_raises(git: Any, found: Any, dry: Any, tree: Any) -> None:
    managed = [{"manager": "m", "operation": "Update", "fieldsV1": {"f:spec": tree}}]
    found = {**found, "metadata": {"name": "it", "managedFields": managed}}
    changes = judge(git, found, dry)
    recorded_defaults(changes, git)
    assert changes == sorted(changes, key=lambda change: change.where)
    assert all(change.what in ("added", "removed", "changed") for change in changes)


@given(objects, owned)
def test_what_is_as_git_says_is_no_drift_whoever_owns_it(git: Any, tree: Any) -> None:
    managed = [{"manager": "m", "operation": "Apply", "fieldsV1": {"f:spec": tree}}]
    found = {**git, "metadata": {"name": "it", "managedFields": managed}}
    assert judge(git, found, git) == []
    assert judge(git, found, None) == []
