"""What identifies an object, and what may stand in one."""

from __future__ import annotations

import pytest

from speedscale_manifests.objects import prune, reference, tidy
from speedscale_manifests.values import from_mapping


def test_the_version_does_not_make_another_object() -> None:
    old = {"apiVersion": "policy/v1beta1", "kind": "PodDisruptionBudget", "metadata": {"name": "a", "namespace": "n"}}
    assert reference(old) == reference({**old, "apiVersion": "policy/v1"})
    assert str(reference(old)) == "PodDisruptionBudget n/a"


def test_the_group_does() -> None:
    events = {"apiVersion": "v1", "kind": "Event", "metadata": {"name": "a"}}
    assert reference(events) != reference({**events, "apiVersion": "events.k8s.io/v1"})
    assert str(reference(events)) == "Event a"


def test_an_object_without_a_name_has_no_identity() -> None:
    with pytest.raises(KeyError):
        reference({"kind": "Pod", "metadata": {}})


def test_none_goes_and_everything_else_stays() -> None:
    node = {"a": None, "b": [None, 0, "", False], "c": {"d": None}, "e": ()}
    assert prune(node) == {"b": [0, "", False], "c": {}, "e": []}


def test_what_is_empty_goes_from_the_first_level_only() -> None:
    assert tidy({"a": {}, "b": [], "c": {"emptyDir": {}}, "d": 0}) == {"c": {"emptyDir": {}}, "d": 0}


def test_read_only_values_become_plain() -> None:
    values = from_mapping({"globalLabels": {"team": "platform"}, "tolerations": [{"operator": "Exists"}]})
    labels, tolerations = prune(values.global_labels), prune(values.tolerations)
    labels["more"] = "x"
    tolerations.append({})
    assert type(labels) is dict
    assert type(tolerations) is list
    assert values.global_labels == {"team": "platform"}
