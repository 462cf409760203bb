"""Label selectors mean what they mean in Kubernetes, and are written as kubectl writes them."""

from __future__ import annotations

from typing import Any

import pytest

from speedscale_schemas import selectors


@pytest.mark.parametrize(
    ("expression", "fits"),
    [
        ({"key": "a", "operator": "In", "values": ["1"]}, True),
        ({"key": "a", "operator": "In", "values": ["2", "3"]}, False),
        ({"key": "b", "operator": "In", "values": ["1"]}, False),
        ({"key": "a", "operator": "NotIn", "values": ["1"]}, False),
        ({"key": "b", "operator": "NotIn", "values": ["1"]}, True),
        ({"key": "a", "operator": "Exists"}, True),
        ({"key": "b", "operator": "Exists"}, False),
        ({"key": "a", "operator": "DoesNotExist"}, False),
        ({"key": "b", "operator": "DoesNotExist"}, True),
    ],
)
def test_expressions(expression: dict[str, Any], fits: bool) -> None:
    assert selectors.selects({"matchExpressions": [expression]}, {"a": "1"}) is fits
    both = {"matchLabels": {"c": "2"}, "matchExpressions": [expression]}
    assert selectors.selects(both, {"a": "1", "c": "2"}) is fits
    assert not selectors.selects(both, {"a": "1"})


@pytest.mark.parametrize("empty", [None, {}, {"matchLabels": {}}, {"matchExpressions": None}])
def test_an_empty_selector_selects_everything(empty: object) -> None:
    assert selectors.selects(empty, {})
    assert selectors.text(empty) == ""


def test_text_is_what_kubectl_takes() -> None:
    selector = {
        "matchLabels": {"b": "2", "a": "1"},
        "matchExpressions": [
            {"key": "tier", "operator": "In", "values": ["web", "api"]},
            {"key": "zone", "operator": "NotIn", "values": ["x"]},
            {"key": "app", "operator": "Exists"},
            {"key": "canary", "operator": "DoesNotExist"},
        ],
    }
    assert selectors.text(selector) == "a=1,b=2,tier in (api,web),zone notin (x),app,!canary"
