"""Kubernetes' schemas: versions, unknown fields, kinds that came and went; predicates agree with jsonschema."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedscale_manifests import synth
from speedscale_manifests.validate import kubernetes
from speedscale_manifests.validate.quick import Compiler, UnknownKeyword
from speedscale_manifests.values import from_mapping
from speedscale_schemas.errors import ConfigError

Manifest = dict[str, Any]


def deployment(**spec: Any) -> Manifest:
    labels = {"app": "a"}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "a", "image": "a"}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "a"},
        "spec": {"selector": {"matchLabels": labels}, "template": pod, **spec},
    }


def test_versions_begin_with_the_oldest_supported() -> None:
    known = kubernetes.versions()
    assert known[0] == "1.25"
    assert [int(version.split(".")[1]) for version in known] == list(range(25, 25 + len(known)))


@pytest.mark.parametrize(
    ("text", "first", "last", "number"),
    [
        ("1.29", "1.29", "1.29", 1),
        ("v1.29", "1.29", "1.29", 1),
        ("1.31, 1.29", "1.29", "1.31", 2),
        ("1.29..1.31", "1.29", "1.31", 3),
        ("oldest..1.27", "1.25", "1.27", 3),
        ("..1.26", "1.25", "1.26", 2),
        ("oldest", "1.25", "1.25", 1),
    ],
)
def test_versions_are_chosen(text: str, first: str, last: str, number: int) -> None:
    found = kubernetes.chosen(text)
    assert (found[0], found[-1], len(found)) == (first, last, number)


def test_the_default_is_the_oldest_and_the_newest() -> None:
    known = kubernetes.versions()
    assert kubernetes.chosen() == (known[0], known[-1])
    assert kubernetes.chosen("all") == known
    assert kubernetes.chosen("1.30..")[-1] == known[-1] == kubernetes.chosen("newest")[0]


@pytest.mark.parametrize("text", ["1.24", "2", "latest", "1.31..1.29", "1.29,", "all,1.29"])
def test_other_versions_are_refused_with_what_there_is(text: str) -> None:
    with pytest.raises(ConfigError, match=r"1\.25|newer than"):
        kubernetes.chosen(text)


def test_unknown_fields_are_refused_with_the_nearest_name() -> None:
    (problem,) = kubernetes.check(deployment(replicsa=2), "1.25") or []
    assert problem.path == "spec.replicsa"
    assert "did you mean 'replicas'?" in problem.hint


def test_wrong_types_are_refused_at_their_path() -> None:
    manifest = deployment()
    manifest["spec"]["template"]["spec"]["containers"][0]["image"] = 3
    (problem,) = kubernetes.check(manifest, "1.37") or []
    assert problem.parts == ("spec", "template", "spec", "containers", 0, "image")


def test_fields_that_a_version_does_not_know_yet() -> None:
    manifest = deployment()
    manifest["spec"]["template"]["spec"]["initContainers"] = [{"name": "s", "image": "a", "restartPolicy": "Always"}]
    assert kubernetes.check(manifest, "1.25")
    assert kubernetes.check(manifest, "1.29") == []


@pytest.mark.parametrize(
    ("api", "kind", "words"),
    [
        ("policy/v1beta1", "PodDisruptionBudget", "it has policy/v1"),
        ("extensions/v1beta1", "Deployment", "it has apps/v1"),
        ("apps/v1", "Deploymnt", "did you mean 'Deployment'?"),
        ("v1", "PodSpec", "no such kind"),
        ("networking.k8s.io/v7", "NetworkPolicy", "it has networking.k8s.io/v1"),
    ],
)
def test_kinds_that_are_not_served_are_refused(api: str, kind: str, words: str) -> None:
    (problem,) = kubernetes.check({"apiVersion": api, "kind": kind, "metadata": {"name": "a"}}, "1.37") or []
    assert words in str(problem)


@pytest.mark.parametrize(
    "api", ["cert-manager.io/v1", "speedscale.com/v1", "argoproj.io/v1alpha1", "x.k8s.io.example/v1"]
)
def test_other_peoples_kinds_are_not_judged(api: str) -> None:
    assert kubernetes.check({"apiVersion": api, "kind": "Anything"}, "1.37") is None


# Predicates and jsonschema must never disagree: a predicate that lets something pass hides an error for good.

OBJECTS = synth.objects(from_mapping({}))
ODD: list[Any] = [None, True, 0, 1.0, 1.5, "", "x", [], {}, [None], {"x": 1}, [{"x": []}]]


def places(node: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [path, *(place for key, value in inner for place in places(value, (*path, key)))]


def replaced(manifest: Manifest, path: tuple[str | int, ...], value: Any) -> Manifest:
    made: Any = copy.deepcopy(manifest)
    node = made
    for part in path[:-1]:
        node = node[part]
    node[path[-1]] = value
    result: Manifest = made
    return result


def both(manifest: Manifest, version: str) -> tuple[bool, bool]:
    file = kubernetes._file(manifest["apiVersion"], manifest["kind"])
    return kubernetes._predicate(version, file)(manifest), kubernetes._validator(version, file).is_valid(manifest)


@given(st.data())
def test_predicates_agree_with_jsonschema(data: st.DataObject) -> None:
    manifest = data.draw(st.sampled_from([one for one in OBJECTS if "content-hash" not in str(one["metadata"])]))
    path = data.draw(st.sampled_from([place for place in places(manifest) if len(place) > 1]))
    odd = data.draw(st.sampled_from(ODD))
    version = data.draw(st.sampled_from(["1.25", "1.31", "1.37"]))
    mutated = replaced(manifest, path, odd)
    quick, slow = both(mutated, version)
    assert quick == slow
    parent = path[:-1] if isinstance(path[-1], int) else (*path[:-1], f"{path[-1]}x")
    quick, slow = both(replaced(manifest, parent, odd), version)
    assert quick == slow


def test_predicates_accept_the_installation() -> None:
    for manifest in OBJECTS:
        for version in kubernetes.versions()[::6]:
            assert both(manifest, version) == (True, True)


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"type": "integer"}, [1, 1.0], [True, 1.5, "1", None]),
        ({"type": ["number", "null"]}, [1, 1.5, None], [False, "1"]),
        ({"enum": ["a", 1]}, ["a", 1], [True, "b"]),
        ({"oneOf": [{"type": "string"}, {"type": ["string", "null"]}]}, [None], ["a", 1]),
        ({"type": "object", "required": ["a"]}, [{"a": None}], [{}, []]),
        ({"additionalProperties": {"type": "string"}}, [{"a": "b"}, 3], [{"a": 1}]),
        ({"properties": {"a": {}}, "additionalProperties": False}, [{"a": 1}, {}], [{"b": 1}]),
        ({"items": {"$ref": "#/$defs/tree"}}, [[], [{"child": {"child": {}}}]], [[{"child": 1}], [{"other": {}}]]),
    ],
)
def test_each_keyword(schema: Manifest, good: list[Any], bad: list[Any]) -> None:
    tree = {"type": "object", "properties": {"child": {"$ref": "#/$defs/tree"}}, "additionalProperties": False}
    fits = Compiler({"tree": tree}).compile(schema)
    assert [fits(value) for value in good] == [True] * len(good)
    assert [fits(value) for value in bad] == [False] * len(bad)


@pytest.mark.parametrize("schema", [{"pattern": "a"}, {"items": {"minimum": 1}}, {"$ref": "#/$defs/missing"}])
def test_a_keyword_that_predicates_do_not_know_is_left_to_jsonschema(schema: Manifest) -> None:
    with pytest.raises(UnknownKeyword):
        Compiler({}).compile(schema)
