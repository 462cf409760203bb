"""`sidecar.patch`: what is accepted, and what is said of the rest."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from speedscale_controller.replay import Replay
from speedscale_controller.replay.memory import WorkloadPatch
from speedscale_controller.replay.sidecar_patch import read, sound

PATH = "spec.workloads[0].sidecar.patch"


def coded(content: Any) -> str:
    text = content if isinstance(content, str) else json.dumps(content)
    return base64.b64encode(text.encode()).decode()


def of_pod(spec: Any) -> dict[str, Any]:
    return {"spec": {"template": {"spec": spec}}}


YAML = """
spec:
  template:
    metadata: {annotations: {example.com/note: "1"}}
    spec:
      containers:
      - name: app
        env: [{name: MODE, value: replay}]
"""


def test_yaml_and_json_are_patches() -> None:
    found, problems = read(coded(YAML), PATH)
    assert problems == ()
    assert found["spec"]["template"]["spec"]["containers"][0]["env"] == [{"name": "MODE", "value": "replay"}]
    assert read(coded(found), PATH) == (found, ())
    assert read("\n".join(coded(found)[i : i + 60] for i in range(0, 400, 60)), PATH)[1] == ()  # base64 breaks lines
    assert read(coded({}), PATH) == ({}, ())


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ([{"op": "add", "path": "/a"}], "JSON Patch (a list of operations); expected a strategic merge patch"),
        ("just words", "is no object"),
        ("a: [", "neither JSON nor YAML at line"),
        ("a: &x [1]\nb: *x", "alias"),
        ("a: 2026-01-01", "put it in quotes"),
        ("[" * 40_000 + "]" * 40_000, "nested too deeply"),
        ({"spec": {"replicas": 1}}, "spec.replicas: only spec.template and"),
        ({"spec": {"selector": {}}}, "spec.selector: only spec.template"),
        ({"status": {}}, "status: only"),
        ({"metadata": {"finalizers": []}}, "metadata.finalizers: only"),
        ({"metadata": {"annotations": {"sidecar.speedscale.com/inject": "true"}}}, "write it on the workload itself"),
        ({"spec": {"template": {"metadata": {"labels": {"a": 1}}}}}, "a has to be a text or null"),
        ({"metadata": {"labels": []}}, "metadata.labels: expected an object"),
        ({"spec": "x"}, "spec: expected an object"),
        ({"$patch": "replace", "spec": {}}, "a directive stands here"),
        (of_pod({"containers": [{"name": "speedscale-goproxy", "image": "x"}]}), "is the sidecar's"),
        (of_pod({"containers": [{"image": "x"}]}), "spec.template.spec.containers.0: an element of containers is"),
        (of_pod({"nodeName": "x" * 40_000}), "32,768 are the most"),
    ],
)
def test_what_is_no_patch_says_why(content: Any, why: str) -> None:
    found, problems = read(coded(content), PATH)
    assert found == {}
    assert any(why in problem for problem in problems), problems
    assert all(problem.startswith(f"{PATH}: ") for problem in problems)


@pytest.mark.parametrize("text", ["%%", "e30", base64.b64encode(b"\xff\xfe{").decode()])
def test_what_is_no_text_says_why(text: str) -> None:
    assert read(text, PATH)[1] != ()


def replay(**spec: Any) -> Replay:
    return Replay.read({"metadata": {"name": "a", "namespace": "shop"}, "spec": spec})


def test_a_workloads_own_patch_wins_over_the_common_one() -> None:
    common, own = of_pod({"priorityClassName": "low"}), of_pod({"priorityClassName": "high"})
    items = [{"ref": {"name": "a"}}, {"ref": {"name": "b"}, "sidecar": {"patch": coded(own)}}]
    made = replay(sidecar={"patch": coded(common)}, workloads=items)
    assert [one.patch for one in made.workloads] == [common, own]
    assert made.notes == ()
    (alone,) = replay(sidecar={"patch": coded(common)}, workloadRef={"name": "a"}).workloads
    assert alone.patch == common


def test_a_bad_patch_is_a_problem_of_the_replay() -> None:
    made = replay(snapshotID="s", testConfigID="t", workloads=[{"ref": {"name": "a"}, "sidecar": {"patch": "%%"}}])
    (problem,) = made.problems
    assert problem.startswith("spec.workloads[0].sidecar.patch: is no base64")


def test_a_memory_written_by_hand_brings_no_patch_that_could_not_be_asked_for() -> None:
    good = of_pod({"priorityClassName": "low"})
    assert WorkloadPatch.read({"patch": good}).patch == good
    for bad in ({"spec": {"replicas": 0}}, [1], "x", {"spec": {"template": {"spec": {"containers": [1]}}}}):
        assert not sound(bad)
        assert WorkloadPatch.read({"patch": bad}).patch == {}
