"""Two values, and where they differ."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedscale_kube.compare.fields import differences, subset
from speedscale_kube.compare.paths import ABSENT, text, value_at

Found = list[tuple[str, Any, Any]]


def told(git: Any, live: Any) -> Found:
    return [(text(d.path), d.git, d.live) for d in differences(git, live)]


def env(**pairs: str) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in pairs.items()]


@pytest.mark.parametrize(
    ("git", "live", "expected"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": True}, [("a", 1, True)]),
        ({"a": 1}, {"a": 1.0}, []),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, [("a.b", 1, 2)]),
        ({"a.b/c": 1}, {}, [('["a.b/c"]', 1, ABSENT)]),
        (
            {"env": env(A="1", B="2")},
            {"env": env(B="3", A="1")},
            [("env[B].value", "2", "3"), ("env (order)", ["A", "B"], ["B", "A"])],
        ),
        ({"env": env(A="1")}, {"env": env(X="0", A="1")}, [("env[X]", ABSENT, {"name": "X", "value": "0"})]),
        ({"args": ["-a", "-b"]}, {"args": ["-a", "-c", "-b"]}, [("args[-c]", ABSENT, "-c")]),
        ({"args": ["-a", "-b"]}, {"args": ["-b", "-a"]}, [("args", ["-a", "-b"], ["-b", "-a"])]),
        ({"args": ["-a", "-a"]}, {"args": ["-a"]}, [("args", ["-a", "-a"], ["-a"])]),
        ({"args": []}, {"args": ["-a"]}, [("args", [], ["-a"])]),
        (
            {"rules": [{"v": ["a"]}, {"v": ["b"]}]},
            {"rules": [{"v": ["x"]}, {"v": ["a"]}, {"v": ["b"]}]},
            [("rules[0]", ABSENT, {"v": ["x"]})],
        ),
        ({"rules": [{"v": ["a"]}, {"v": ["b"]}]}, {"rules": [{"v": ["b"]}]}, [("rules[0]", {"v": ["a"]}, ABSENT)]),
        ({"rules": [{"v": ["a"]}]}, {"rules": [{"v": ["a", "b"]}]}, [("rules[0].v[b]", ABSENT, "b")]),
        ({"a": {"b": 1}}, {"a": [1]}, [("a", {"b": 1}, [1])]),
        (
            {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53}]},
            {"ports": [{"port": 53, "protocol": "TCP"}]},
            [("ports[53/UDP]", {"port": 53, "protocol": "UDP"}, ABSENT), ("ports[53/TCP].protocol", ABSENT, "TCP")],
        ),
    ],
)
def test_each_difference_is_told_once_and_deep(git: Any, live: Any, expected: Found) -> None:
    assert told(git, live) == expected


@pytest.mark.parametrize(
    ("git", "live", "expected"),
    [
        ({"a": 1}, {"a": 1, "b": 2}, []),
        ({"a": 1, "b": 2}, {"a": 1}, ["b"]),
        ({"a": {}, "b": [], "c": None}, {}, []),
        ({"env": [{"name": "A", "value": ""}]}, {"env": [{"name": "A"}]}, []),
        ({"data": {"a": "", "b": "1"}}, {"data": {"b": "1"}}, ["data.a"]),
        ({"env": env(A="1")}, {"env": env(B="2", A="1")}, []),
        ({"env": env(A="1")}, {"env": env(B="2")}, ["env[A]"]),
        ({"rules": [{"v": ["a"]}]}, {"rules": [{"v": ["a"], "scope": "*"}]}, []),
        ({"rules": [{"v": ["a"]}]}, {"rules": [{"v": ["a"]}, {"v": ["b"]}]}, ["rules[1]"]),
    ],
)
def test_what_only_live_has_is_no_difference_of_a_subset(git: Any, live: Any, expected: list[str]) -> None:
    assert [text(d.path) for d in subset(git, live)] == expected


scalars = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "a", "b", "a.b/c"])
names = st.sampled_from(["name", "a", "port", "a.b/c", "rules"])
trees = st.recursive(scalars, lambda x: st.lists(x, max_size=3) | st.dictionaries(names, x, max_size=3), max_leaves=12)
objects = st.dictionaries(names, trees, max_size=4)


@given(objects)
def test_a_value_does_not_differ_from_itself(one: Any) -> None:
    assert told(one, one) == []
    assert list(subset(one, one)) == []


@given(objects, objects)
def test_two_values_differ_when_and_only_when_something_is_told(one: Any, other: Any) -> None:
    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [plain(inner) for inner in value]
        return (isinstance(value, bool), value)

    assert bool(told(one, other)) == (plain(one) != plain(other))


@given(objects, objects)
def test_differences_are_mirrored(one: Any, other: Any) -> None:
    forth = {(d.path, d.git is ABSENT, d.live is ABSENT) for d in differences(one, other) if _by_name(d.path)}
    back = {(d.path, d.live is ABSENT, d.git is ABSENT) for d in differences(other, one) if _by_name(d.path)}
    assert forth == back


def _by_name(path: Any) -> bool:
    return not any(isinstance(step, int) for step in path)


@given(objects, objects)
def test_a_path_leads_to_the_values(one: Any, other: Any) -> None:
    for found in differences(one, other):
        if _by_name(found.path) and found.path[-1] != "(order)":
            assert value_at(one, found.path) == found.git or found.git is ABSENT
            assert value_at(other, found.path) == found.live or found.live is ABSENT
