"""Gaps: what may stand in a template, and what fills it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedscale_schemas.errors import ConfigError
from speedscale_schemas.templates import GAPS, examples, fill, gap, gap_text, gaps, seal

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(alphabet="@ab_:z \ue002{}"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


def problems_of(template: Any, values: dict[str, Any]) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        fill(template, values)
    return list(caught.value.problems)


@pytest.mark.parametrize("name", sorted(GAPS))
def test_every_gap_is_described_and_its_example_fits(name: str) -> None:
    known = GAPS[name]
    assert known.description.endswith(".")
    assert fill(seal({"x": gap(name)}), {name: known.example}) == {"x": known.example}


def test_a_whole_gap_takes_the_type_and_a_part_of_a_text_becomes_text() -> None:
    template = seal(
        {"containerPort": gap("proxy_in_port"), "env": gap_text("proxy_in_port"), "name": f"in-{gap('proxy_in_port')}"}
    )
    assert template == {"containerPort": "@proxy_in_port@", "env": "@proxy_in_port:text@", "name": "in-@proxy_in_port@"}
    assert fill(template, {"proxy_in_port": 4143}) == {"containerPort": 4143, "env": "4143", "name": "in-4143"}


def test_booleans_and_objects_as_text() -> None:
    template = seal([gap_text("tls_out"), gap_text("test_config")])
    assert fill(template, {"tls_out": False, "test_config": {"b": [1], "a": "ü"}}) == ["false", '{"a":"ü","b":[1]}']


def test_items_of_an_array_take_the_place_of_its_gap() -> None:
    template = seal({"volumes": [{"name": "tmp"}, gap("secret_volumes"), {"name": "last"}]})
    assert fill(template, {"secret_volumes": [{"name": "a"}, {"name": "b"}]})["volumes"] == [
        {"name": "tmp"},
        {"name": "a"},
        {"name": "b"},
        {"name": "last"},
    ]
    assert fill(template, {"secret_volumes": []})["volumes"] == [{"name": "tmp"}, {"name": "last"}]


def test_an_optional_gap_without_a_value_leaves_no_trace() -> None:
    template = seal(
        {"spec": {"restartPolicy": gap("sidecar_restart_policy"), "name": "x"}, "list": [gap("pull_secrets"), 1]}
    )
    assert fill(template, {}) == {"spec": {"name": "x"}, "list": [1]}
    assert fill(template, {"sidecar_restart_policy": None, "pull_secrets": None}) == {
        "spec": {"name": "x"},
        "list": [1],
    }


def test_every_problem_is_told_at_once_with_its_place() -> None:
    template = {"metadata": {"name": "r-@replay_nam@"}, "spec": [{"port": "@proxy_port@"}, "x@test_config@"]}
    found = problems_of(template, {"snapshot": "1", "namespace": "Not_A_Name", "tls_out": "yes", "test_config": {}})
    text = "\n".join(found)
    assert "value 'snapshot': no gap has this name; did you mean 'snapshot_id'?" in text
    assert "value 'namespace': 'Not_A_Name' does not match" in text
    assert "value 'tls_out': expected boolean, found str" in text
    assert "metadata.name: unknown gap 'replay_nam'; did you mean 'replay_name'?" in text
    assert "spec[0].port: no value for gap 'proxy_port': Its port." in text
    assert "spec[1]: gap 'test_config' is of type object and cannot stand inside a text" in text
    assert len(found) == 6


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("proxy_port", True),
        ("proxy_port", "80"),
        ("tls_out", 1),
        ("secret_volumes", {}),
        ("test_config", []),
        ("namespace", None),
    ],
)
def test_a_value_of_another_type_is_refused(name: str, value: Any) -> None:
    assert len(problems_of({}, {name: value})) == 1


def test_a_template_is_left_as_it_was_and_shares_nothing_with_its_values() -> None:
    template = seal({"a": [gap("test_config")]})
    before = repr(template)
    config = {"id": "x", "list": [1]}
    filled = fill(template, {"test_config": config})
    filled["a"][0]["list"].append(2)
    assert config == {"id": "x", "list": [1]}
    assert repr(template) == before


def test_a_value_is_never_taken_for_a_gap() -> None:
    assert fill(seal({"a": gap("build_tag")}), {"build_tag": "@namespace@@@"}) == {"a": "@namespace@@@"}


@given(PLAIN)
def test_text_of_users_comes_back_as_it_was(node: Any) -> None:
    sealed = seal(node)
    assert gaps(sealed) == frozenset()
    assert fill(sealed, {}) == node


@given(st.text(alphabet="@ab_:z"), st.text(alphabet="@ab_:z"), st.text(alphabet="@ab_:z"))
def test_text_around_gaps_comes_back_as_it_was(left: str, middle: str, right: str) -> None:
    sealed = seal(left + gap("build_tag") + middle + gap_text("proxy_port") + right)
    assert gaps(sealed) == {"build_tag", "proxy_port"}
    filled = fill(sealed, {"build_tag": "@T@", "proxy_port": 8})
    assert filled == f"{left}@T@{middle}8{right}"


def test_a_plain_address_is_not_doubled() -> None:
    assert seal("registry/x@sha256:00") == "registry/x@sha256:00"
    assert seal("me@example.com") == "me@example.com"


def test_a_gap_that_is_not_in_the_table_cannot_be_written() -> None:
    with pytest.raises(KeyError):
        gap("nobody_knows")
    with pytest.raises(KeyError):
        gap_text("nobody_knows")


def test_the_examples_are_a_value_for_each_gap() -> None:
    assert set(examples()) == set(GAPS)
    assert fill({"plain": 1}, examples()) == {"plain": 1}
