"""Random valid values give installations that hold, in both profiles; random mistakes are refused where they are."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from speedscale_manifests import policy
from speedscale_manifests.synth import objects
from speedscale_manifests.validate.values_steps import values_step
from speedscale_manifests.values import from_mapping

Tree = dict[str, Any]
COUNT = 200
SHARDS = 8
_UNKNOWN = re.compile(r"'(\w+)': unknown key.*\(Kubernetes 1\.25\)")


def mappings(node: Any) -> Iterator[Tree]:
    """Yield every mapping of a tree."""
    if isinstance(node, dict):
        yield node
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from mappings(inner)


def prudent(tree: Tree) -> Tree:
    """Return the values without what is allowed and against our policies: `test_what_policies_refuse` has each."""
    made = copy.deepcopy(tree)
    preset = made.get("preset", "")
    if made.get("image", {}).get("tag") == "latest":
        made["image"]["tag"] = "v1"
    made["imageTags"] = {name: "v1" if tag == "latest" else tag for name, tag in made.get("imageTags", {}).items()}
    operator = made.get("operator", {})
    if (operator.get("webhookTimeoutSeconds") or 0) > 10:
        operator["webhookTimeoutSeconds"] = 10
    for part in mappings(made):
        if preset == "openshift":
            for key in ("runAsUser", "runAsGroup", "fsGroup", "supplementalGroups"):
                part.pop(key, None)
        if preset == "gke-autopilot":
            part.pop("resources", None)
    return made


def newer_than_the_oldest(problem: str, tree: Tree) -> bool:
    """Return whether a problem is that the user set a field which Kubernetes 1.25 does not have yet."""
    match = _UNKNOWN.search(problem)
    return match is not None and any(match[1] in part for part in mappings(tree))


@pytest.mark.parametrize("shard", range(SHARDS))
@pytest.mark.parametrize("profile", ["gitops", "operator"])
def test_random_values_hold(judge: Any, random_values: ModuleType, profile: str, shard: int) -> None:
    broken: dict[int, list[str]] = {}
    for seed in range(shard, COUNT, SHARDS):
        tree = prudent(random_values.valid(seed))
        found = judge.problems(from_mapping({**tree, "profile": profile}))
        problems = [problem for problem in found if not newer_than_the_oldest(problem, tree)]
        if problems:
            broken[seed] = problems[:3]
    assert broken == {}


@pytest.mark.parametrize(
    ("tree", "rule"),
    [
        ({"image": {"tag": "latest"}}, "image-pinned"),
        ({"imageTags": {"operator": "latest"}}, "image-pinned"),
        ({"preset": "openshift", "globalPodSecurityContext": {"runAsUser": 1000}}, "openshift-ids"),
        (
            {"preset": "gke-autopilot", "inspector": {"resources": {"limits": {"cpu": "2"}, "requests": {"cpu": "1"}}}},
            "autopilot-resources",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_policies_refuse_of_what_values_allow(tree: Tree, rule: str) -> None:
    values = from_mapping(tree)
    assert {finding.rule for finding in policy.check(objects(values), values.preset)} == {rule}


def test_together_they_exercise_the_schema(random_values: ModuleType) -> None:
    leaves = set(random_values.leaves())
    seen = {leaf for seed in range(COUNT) for leaf in random_values.used(prudent(random_values.valid(seed)))}
    assert len(leaves & seen) >= 0.9 * len(leaves), sorted(leaves - seen)


def test_a_mistake_is_refused_at_its_very_place(random_values: ModuleType, tmp_path: Path) -> None:
    for seed in range(COUNT):
        broken = random_values.broken(seed)
        file = tmp_path / f"{seed}.yaml"
        text = random_values.text(broken.tree)
        file.write_text(text)
        step, values = values_step((file,), (), None)
        assert values is None
        told = {problem.path for problem in step.errors}
        assert told == {broken.path}, (seed, broken.how, list(map(str, step.errors)))
        assert all(1 <= problem.line <= text.count("\n") for problem in step.errors)
