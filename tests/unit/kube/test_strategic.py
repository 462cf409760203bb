"""Strategic merge patch as kubectl means it."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from speedscale_kube import strategic

GIVEN = {
    "replicas": 1,
    "containers": [
        {"name": "app", "image": "a:1", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]},
        {"name": "log", "image": "l:1"},
    ],
    "volumes": [{"name": "data", "emptyDir": {}}],
    "tolerations": [{"key": "x"}],
}


def env(*change: Any) -> list[Any]:
    made = strategic.merged(GIVEN, {"containers": [{"name": "app", "env": list(change)}]})
    return list(made["containers"][0]["env"])


@pytest.mark.parametrize(
    ("change", "field", "expected"),
    [
        ({"replicas": 2}, "replicas", 2),
        ({"replicas": None}, "replicas", None),
        ({"tolerations": [{"key": "y"}]}, "tolerations", [{"key": "y"}]),
        ({"tolerations": []}, "tolerations", []),
        ({"volumes": [{"name": "data", "$patch": "delete"}]}, "volumes", []),
        ({"volumes": [{"$patch": "replace"}, {"name": "b"}]}, "volumes", [{"name": "b"}]),
        ({"volumes": [{"name": "b"}]}, "volumes", [{"name": "data", "emptyDir": {}}, {"name": "b"}]),
        (
            {"volumes": [{"name": "data", "configMap": {"name": "c"}, "$retainKeys": ["name", "configMap"]}]},
            "volumes",
            [{"name": "data", "configMap": {"name": "c"}}],
        ),
        ({"new": {"a": {"b": None, "c": 1}}}, "new", {"a": {"c": 1}}),
        ({"new": {"$patch": "replace", "a": 1}}, "new", {"a": 1}),
        ({"volumes": {"$patch": "delete"}}, "volumes", None),
    ],
)
def test_a_field(change: Any, field: str, expected: Any) -> None:
    before = copy.deepcopy(GIVEN)
    assert list(strategic.problems(change)) == []
    assert strategic.merged(GIVEN, change).get(field) == expected
    assert before == GIVEN


def test_elements_keep_their_place_and_new_ones_come_last() -> None:
    assert env({"name": "C", "value": "3"}, {"name": "A", "value": "9"}) == [
        {"name": "A", "value": "9"},
        {"name": "B", "value": "2"},
        {"name": "C", "value": "3"},
    ]
    assert env({"name": "A", "$patch": "delete"}) == [{"name": "B", "value": "2"}]
    assert env({"name": "B", "value": None, "valueFrom": {"fieldRef": {"fieldPath": "x"}}})[1] == {
        "name": "B",
        "valueFrom": {"fieldRef": {"fieldPath": "x"}},
    }
    made = strategic.merged(GIVEN, {"containers": [{"name": "app", "image": "a:2"}]})
    assert [one["name"] for one in made["containers"]] == ["app", "log"]
    assert made["containers"][0]["env"] == GIVEN["containers"][0]["env"]  # type: ignore[index]


@pytest.mark.parametrize(
    ("change", "where", "why"),
    [
        ({"$setElementOrder/containers": []}, "/$setElementOrder/containers", "no directive that can be applied"),
        ({"a": {"$patch": "merges"}}, "/a/$patch", "$patch (delete, replace, merge)"),
        ({"$retainKeys": "name"}, "/$retainKeys", "no directive"),
        ({"containers": [{"image": "x"}]}, "/containers/0", "merged by its name, which is missing"),
        ({"containers": ["x"]}, "/containers/0", "merged by its name"),
        ({"spec": {"ports": [{"port": 80}]}}, "/spec/ports/0", "containerPort"),
    ],
)
def test_what_cannot_be_applied_is_told(change: Any, where: str, why: str) -> None:
    ((path, message),) = strategic.problems(change)
    assert path == where
    assert why in message


def test_depth_is_bounded() -> None:
    deep: Any = 1
    for _ in range(80):
        deep = {"a": deep}
    assert [why for _, why in strategic.problems(deep)] == ["is nested too deeply"]
