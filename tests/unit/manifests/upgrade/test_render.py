"""A comparison as people read it: what needs a decision first, nothing twice, data that a program can read."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from speedscale_manifests.upgrade import as_data, compare, render_markdown, render_text

Manifest = dict[str, Any]
Make = Callable[..., Manifest]


def config(text: str) -> Manifest:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "n"}, "data": {"f": text}}


def test_nothing_is_one_line() -> None:
    assert render_text(compare([], [], old_name="a", new_name="b")) == "From a to b: nothing changes"


def test_the_whole_text(deployment: Make, claim: Make, rights: Callable[..., list[Manifest]]) -> None:
    role = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}
    old = [deployment(image="r/f:1"), claim(), config("a\nb\n"), *rights([role])]
    new = [deployment(image="r/f:2"), config("a\nc\n"), *rights([{**role, "verbs": ["get", "delete"]}])]
    text = render_text(compare(old, new, old_name="HEAD (abc)", new_name="this output"))
    assert (
        text
        == """\
From HEAD (abc) to this output: objects: 1 removed, 3 changed; 1 needs a decision

Needs a decision before it is applied
  !! PersistentVolumeClaim speedscale/spool: removed: its volume is deleted with all it holds, unless the reclaim \
policy is Retain

Images
  r/f:1 → r/f:2  (Deployment speedscale/forwarder)

Rights
  ServiceAccount speedscale/operator
  + may delete pods in speedscale

Objects
  - PersistentVolumeClaim speedscale/spool  (loss: see above)
  ~ ConfigMap n/c
      data.f:
        @@ -1,2 +1,2 @@
         a
        -b
        +c
  ~ Deployment speedscale/forwarder  (its pods are replaced)
      spec.template.spec.containers[main].image: r/f:1 → r/f:2
  ~ Role speedscale/operator
      rules[0].verbs[1]: + delete"""
    )


def test_the_same_reason_of_several_fields_is_told_once(deployment: Make) -> None:
    new = deployment()
    new["spec"]["selector"]["matchLabels"] |= {"a": "1", "b": "2"}
    text = render_text(compare([deployment()], [new]))
    assert text.count("--cascade=orphan") == 1
    assert "spec.selector.matchLabels.a, spec.selector.matchLabels.b: immutable" in text


def test_markdown_keeps_backticks_inside_of_its_fence() -> None:
    text = render_markdown(compare([config("a\n")], [config("````\nb\n")]))
    assert "`````diff" in text
    assert text.endswith("</details>")


def test_long_values_are_cut_and_odd_ones_quoted() -> None:
    new = config("x" * 300)
    new["data"]["g"] = "\x1b[31m"
    text = render_text(compare([config("y")], [new]))
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) < 140


def test_data_is_json_and_whole(deployment: Make) -> None:
    report = compare([deployment()], [deployment(image="f:2")])
    data = json.loads(json.dumps(as_data(report)))
    assert data["risk"] == "none"
    assert data["objects"][0]["fields"] == [
        {
            "path": "spec.template.spec.containers[main].image",
            "old": "forwarder:1",
            "new": "f:2",
            "risk": "none",
            "note": "",
        }
    ]
