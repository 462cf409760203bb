"""managedFields, as the API server writes them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedscale_kube.compare.ownership import entries, leaves, owners
from speedscale_kube.compare.paths import Item, Member, text

ENV = Item((("name", "DEBUG"),))
APP = Item((("name", "app"),))
LIVE = {
    "metadata": {
        "labels": {"a": "1", "b": "2"},
        "finalizers": ["x"],
        "managedFields": [
            {
                "manager": "argo",
                "operation": "Apply",
                "time": "2026-01-01T00:00:00Z",
                "fieldsV1": {
                    "f:metadata": {"f:labels": {"f:a": {}}, "f:finalizers": {'v:"x"': {}}},
                    "f:spec": {
                        "f:rules": {},
                        "f:containers": {'k:{"name":"app"}': {".": {}, "f:name": {}, "f:image": {}}},
                        "f:ports": {'k:{"port":53,"protocol":"TCP"}': {".": {}, "f:port": {}}},
                    },
                },
            },
            {
                "manager": "kubectl-set",
                "operation": "Update",
                "time": "2026-01-02T00:00:00Z",
                "fieldsV1": {
                    "f:spec": {
                        "f:containers": {
                            'k:{"name":"app"}': {
                                "f:env": {".": {}, 'k:{"name":"DEBUG"}': {".": {}, "f:name": {}, "f:value": {}}}
                            }
                        }
                    }
                },
            },
            {"manager": "kubelet", "operation": "Update", "subresource": "status", "fieldsV1": {"f:status": {}}},
        ],
    },
    "spec": {
        "rules": [{"verbs": ["get"]}],
        "containers": [{"name": "app", "image": "x", "env": [{"name": "DEBUG", "value": "1"}]}],
        "ports": [{"port": 53}],
    },
}
PATHS: list[tuple[tuple[Any, ...], list[str]]] = [
    (("metadata", "labels", "a"), ["argo"]),
    (("metadata", "labels", "b"), []),
    (("metadata", "labels"), ["argo"]),
    (("metadata", "finalizers", Member("x")), ["argo"]),
    (("spec", "rules", 0, "verbs", Member("get")), ["argo"]),
    (("spec", "containers", APP, "image"), ["argo"]),
    (("spec", "containers", APP, "env", ENV, "value"), ["kubectl-set"]),
    (("spec", "containers", APP), ["argo", "kubectl-set"]),
    (("spec", "ports", Item((("port", 53), ("protocol", "TCP")))), ["argo"]),
    (("spec", "replicas"), []),
    (("status", "x"), []),
]


@pytest.mark.parametrize(("path", "expected"), PATHS, ids=lambda value: text(value) if isinstance(value, tuple) else "")
def test_who_owns_a_path(path: tuple[Any, ...], expected: list[str]) -> None:
    assert [entry.manager for entry in owners(entries(LIVE), LIVE, path)] == expected


def test_the_deepest_owned_paths_that_are_there() -> None:
    argo, kubectl = entries(LIVE)
    assert [text(path) for path in leaves(argo.tree, LIVE)] == [
        "metadata.labels.a",
        "metadata.finalizers[x]",
        "spec.rules",
        "spec.containers[app]",
        "spec.containers[app].name",
        "spec.containers[app].image",
        "spec.ports[53/TCP]",
        "spec.ports[53/TCP].port",
    ]
    env = "spec.containers[app].env[DEBUG]"
    assert [text(path) for path in leaves(kubectl.tree, LIVE)] == [env, f"{env}.name", f"{env}.value"]


@pytest.mark.parametrize("managed", [None, [], ["x"], [{}], [{"fieldsV1": None}], [{"fieldsV1": {"k:{": {}, "?": {}}}]])
def test_odd_entries_are_borne(managed: Any) -> None:
    live = {"metadata": {"managedFields": managed}, "spec": {"a": [1]}}
    for entry in entries(live):
        assert all(path == () for path in leaves(entry.tree, live))


steps = st.sampled_from(
    ["f:a", "f:b", 'k:{"name":"x"}', "k:[]", "k:{", "v:1", "v:[1]", 'k:{"name":[1]}', "v:", "i:0", "i:x", ".", ""]
)
trees = st.recursive(st.just({}), lambda inner: st.dictionaries(steps, inner, max_size=3), max_leaves=10)
values = st.recursive(
    st.sampled_from([1, "x", None]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["a", "b", "name"]), inner, max_size=3),
    max_leaves=8,
)


@given(trees, values)
def test_no_tree_raises(tree: Any, live: Any) -> None:
    for path in leaves(tree, live):
        hash(path)
        owners(entries({"metadata": {"managedFields": [{"manager": "m", "fieldsV1": tree}]}}), live, path)
