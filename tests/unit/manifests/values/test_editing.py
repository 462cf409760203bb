"""Edits of values files: what is meant changes, every other byte stays."""

from __future__ import annotations

import difflib
from types import ModuleType
from typing import Any

import pytest

from speedscale_manifests.values import ValuesError, editing, reading
from speedscale_manifests.values.changing import changed
from speedscale_manifests.values.frozen import plain
from speedscale_manifests.values.writing import dump

TEXT = """\
# yaml-language-server: $schema=x

# the cluster
clusterName: my-cluster   # trailing
image:
    # tag here
    tag: "v1"   # old
    registry: r.example.com

# demo
deployDemo: ""

forwarder:
  replicas: 1
  exporters: {}
tolerations:
- key: a
  operator: Exists
# the end
"""


def lines_changed(before: str, after: str) -> list[str]:
    diff = list(difflib.ndiff(before.splitlines(), after.splitlines()))
    return [line for line in diff if line[0] in "+-"]


@pytest.mark.parametrize(
    ("assignments", "diff"),
    [
        (["clusterName=prod"], ["- clusterName: my-cluster   # trailing", "+ clusterName: prod   # trailing"]),
        (["image.tag=1.20"], ['-     tag: "v1"   # old', '+     tag: "1.20"   # old']),
        (["image.pullPolicy=Never"], ["+     pullPolicy: Never"]),
        (["forwarder.replicas=3"], ["-   replicas: 1", "+   replicas: 3"]),
        (["forwarder.persistence.size=5Gi"], ["+   persistence:", "+     size: 5Gi"]),
        (["deployDemo=null"], ["- # demo", '- deployDemo: ""', "- "]),
        (["forwarder.replicas=null"], ["-   replicas: 1"]),
        (["operator.replicas=2"], ["+ operator:", "+   replicas: 2"]),
        (["tolerations[0].effect=NoExecute"], ["+   effect: NoExecute"]),
        (["tolerations=[]"], ["- tolerations:", "- - key: a", "-   operator: Exists", "+ tolerations: []"]),
        (["globalPodSecurityContext.runAsUser=null"], ["+ globalPodSecurityContext:", "+   runAsUser: null"]),
        (
            ["forwarder.exporters.x.otel_endpoint=http://a:4318"],
            ["-   exporters: {}", "+   exporters:", "+     x:", "+       otel_endpoint: http://a:4318"],
        ),
        (["clusterName=my-cluster"], []),
    ],
)
def test_only_the_lines_that_are_meant_change(assignments: list[str], diff: list[str]) -> None:
    after = changed(TEXT, "values.yaml", assignments)
    assert sorted(lines_changed(TEXT, after)) == sorted(diff)


def test_windows_lines_stay() -> None:
    after = changed(
        "a: &x b\r\n".replace("a: &x b", "clusterName: a # c"), "values.yaml", ["clusterName=b", "hostNetwork=true"]
    )
    assert after == "clusterName: b # c\r\nhostNetwork: true\r\n"


@pytest.mark.parametrize(
    "text", ["", "# only a comment", "---\nclusterName: x", "{}\n", "forwarder: {replicas: 1}  # c\n"]
)
def test_files_of_any_shape_take_a_setting(text: str) -> None:
    after = changed(text, "values.yaml", ["forwarder.replicas=2"])
    assert reading.read(after, "x").tree["forwarder"] == {"replicas": 2}
    assert text.partition("#")[2].strip() in after


def test_null_takes_empty_maps_along() -> None:
    assert (
        changed("forwarder:\n  replicas: 1\nclusterName: a\n", "v", ["forwarder.replicas=null"]) == "clusterName: a\n"
    )


def test_an_edit_that_makes_values_wrong_is_refused() -> None:
    with pytest.raises(ValuesError, match="leaderElection"):
        changed("operator: {leaderElection: false}\n", "values.yaml", ["operator.replicas=2"])
    with pytest.raises(ValuesError, match="expected a whole number"):
        changed(TEXT, "values.yaml", ["forwarder.replicas=x"])


def test_what_was_wrong_before_does_not_bar_an_edit() -> None:
    text = "zzz: 1\nforwarder: {replicas: x}\n"
    assert changed(text, "values.yaml", ["forwarder.replicas=2"]) == "zzz: 1\nforwarder: {replicas: 2}\n"


def test_an_overlay_is_judged_with_the_files_below_it(tmp_path: Any) -> None:
    below = tmp_path / "values.yaml"
    below.write_text("forwarder: {exporters: {x: {otel_endpoint: 'http://a:4318'}}}\n")
    with pytest.raises(ValuesError, match="otel_endpoint"):
        changed("", "prod.yaml", ["forwarder.exporters.x.filter_rule=standard"])
    after = changed("", "prod.yaml", ["forwarder.exporters.x.filter_rule=standard"], [below])
    assert after == "forwarder:\n  exporters:\n    x:\n      filter_rule: standard\n"
    after = changed("clusterName: a\n", "prod.yaml", ["forwarder.exporters.x=null"], [below])
    assert after == "clusterName: a\nforwarder:\n  exporters:\n    x: null\n"


def test_what_an_anchor_shares_is_not_changed_behind_ones_back() -> None:
    text = "globalLabels: &l\n  a: b\nnodeSelector: *l\n"
    with pytest.raises(ValuesError, match=r"values.yaml: globalLabels.a: .* edit the file by hand"):
        editing.edit(text, {"globalLabels": {"a": "c"}, "nodeSelector": {"a": "b"}}, "values.yaml")


def test_random_edits_say_what_is_meant(random_values: ModuleType) -> None:
    for seed in range(6):
        before, wanted = random_values.valid(seed, 0.12), random_values.valid(seed + 500, 0.12)
        text = "# first\n\n" + random_values.text(before)
        after = editing.edit(text, wanted)
        assert plain(reading.read(after, "x").tree) == wanted
        assert after.startswith("# first\n\n")
        assert editing.edit(after, wanted) == after


def test_what_is_dumped_is_read_back(random_values: ModuleType) -> None:
    for seed in range(30):
        tree = random_values.valid(seed)
        assert reading.read(dump(tree), "x").tree == tree
