"""Which fields differ: matched by what identifies an item, told once, at a path that people recognise."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedscale_manifests.upgrade.fields import differences, text_diff


def told(old: Any, new: Any) -> dict[str, tuple[Any, Any]]:
    return {change.path: (change.old, change.new) for change in differences(old, new)}


def test_a_container_added_in_front_changes_no_other() -> None:
    old = {"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "2"}]}
    new = {"containers": [{"name": "x", "image": "9"}, {"name": "a", "image": "1"}, {"name": "b", "image": "3"}]}
    assert told(old, new) == {
        "containers[x]": (None, {"name": "x", "image": "9"}),
        "containers[b].image": ("2", "3"),
    }


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ([{"name": "A", "value": "1"}], [{"name": "A", "value": "2"}], "x[A].value"),
        ([{"mountPath": "/a", "name": "v"}], [{"mountPath": "/a", "name": "w"}], "x[v]"),
        ([{"port": 80, "targetPort": 1}], [{"port": 80, "targetPort": 2}], "x[80].targetPort"),
        (
            [{"containerPort": 53, "protocol": "UDP"}, {"containerPort": 53, "protocol": "TCP"}],
            [{"containerPort": 53, "protocol": "UDP"}],
            "x[53/TCP]",
        ),
        (["a", "b"], ["a", "c"], "x[1]"),
        ([], ["a"], "x[0]"),
    ],
)
def test_items_are_named_by_what_identifies_them(old: list[Any], new: list[Any], path: str) -> None:
    assert path in told({"x": old}, {"x": new})


def test_items_that_share_a_name_fall_back_to_their_place() -> None:
    old = [{"name": "a", "v": 1}, {"name": "a", "v": 2}]
    assert told(old, [{"name": "a", "v": 1}, {"name": "a", "v": 3}]) == {"[1].v": (2, 3)}


def test_a_new_order_is_told_as_one_change() -> None:
    old = [{"name": "a"}, {"name": "b"}]
    assert told({"x": old}, {"x": old[::-1]}) == {"x (order)": (["a", "b"], ["b", "a"])}


def test_keys_with_dots_and_slashes_stand_in_brackets() -> None:
    assert told({"a": {"x.io/y": "1"}}, {"a": {"x.io/y": "2"}}) == {"a[x.io/y]": ("1", "2")}


def test_types_count() -> None:
    assert told({"a": 1, "b": "1"}, {"a": True, "b": 1}) == {"a": (1, True), "b": ("1", 1)}


def test_texts_of_several_lines_are_diffed_by_line() -> None:
    (change,) = differences({"t": "a\nb\nc\n"}, {"t": "a\nB\nc\n"})
    assert change.lines == ("@@ -1,3 +1,3 @@", " a", "-b", "+B", " c")


def test_json_in_a_text_is_compared_by_field() -> None:
    old, new = ({"data": {"CONFIG": text}} for text in ('{"a":1,"b":[1]}', '{"a":2,"b":[1]}'))
    assert told(old, new) == {"data.CONFIG (JSON).a": (1, 2)}
    assert told({"x": '{"a":1}'}, {"x": '{ "a": 1 }'}) == {"x": ('{"a":1}', '{ "a": 1 }')}
    assert told({"x": "{a"}, {"x": '{"a":1}'}) == {"x": ("{a", '{"a":1}')}


def test_a_missing_newline_at_the_end_is_said() -> None:
    assert text_diff("a\n", "a") == ("\\ the newline at the end differs",)


def test_a_long_diff_is_cut_and_counted() -> None:
    lines = text_diff("".join(f"{n}\n" for n in range(900)), "x\n")
    assert len(lines) == 401
    assert lines[-1] == "… 502 more lines"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=12,
)


@given(json_values, json_values)
def test_equal_values_have_no_difference_and_others_have_one(old: Any, new: Any) -> None:
    assert not list(differences(old, old))
    if repr(old) != repr(new) and old != new:
        assert list(differences(old, new))
