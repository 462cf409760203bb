"""Comparing JSON by structure and text by lines."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedscale_runtime.report.structure import LIMIT, Found, Options, align, compare, compare_lines

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner, max_size=5),
    max_leaves=20,
)


def found(a: Any, b: Any, **options: Any) -> Found:
    result = Found(Options(**options))
    compare(a, b, result)
    return result


def short(result: Found) -> list[tuple[str, str, bool]]:
    return [(d.path, d.kind, d.fails) for d in result.differences]


def test_every_kind_of_difference_has_its_path() -> None:
    recorded = {"a": 1, "b": {"c": [1, 2, {"d": "x"}]}, "gone": None, "t": "1", "x.y": 0}
    replayed = {"a": 2, "b": {"c": [1, 2, {"d": "y"}]}, "new": 1, "t": 1, "x.y": 1}
    assert short(found(recorded, replayed)) == [
        ("a", "changed", True),
        ("b.c[2].d", "changed", True),
        ("gone", "missing", True),
        ("t", "type", True),
        ('["x.y"]', "changed", True),
        ("new", "added", False),
    ]


@pytest.mark.parametrize(
    ("options", "failing"),
    [
        ({}, ["id", "user.name"]),
        ({"allow_new": False}, ["id", "user.name", "user.extra"]),
        ({"ignore": ("user",)}, ["id"]),
        ({"ignore": ("name", "id")}, []),
        ({"include_only": ("user",)}, ["user.name"]),
        ({"show_only": True}, []),
        ({"match": "types"}, []),
        ({"match": "exact"}, ["id", "at", "user.name"]),
    ],
)
def test_options_decide_what_fails(options: dict[str, Any], failing: list[str]) -> None:
    recorded = {"id": 1, "at": "2026-01-01T00:00:00Z", "user": {"name": "a"}}
    replayed = {"id": 2, "at": "2026-02-02T00:00:00Z", "user": {"name": "b", "extra": 1}}
    result = found(recorded, replayed, **options)
    assert [d.path for d in result.differences if d.fails] == failing
    assert result.failed is bool(failing)


def test_an_ignored_path_is_spelt_with_or_without_its_index() -> None:
    for spelling in ("items.price", "items[1].price", "items.1.price", "price"):
        assert not found({"items": [{}, {"price": 1}]}, {"items": [{}, {"price": 2}]}, ignore=(spelling,)).differences


def test_an_inserted_element_is_one_difference() -> None:
    old = [{"n": i} for i in range(20)]
    assert short(found(old, [*old[:3], {"n": "new"}, *old[3:]])) == [("[3]", "added", False)]
    assert short(found(old, [*old[:3], *old[4:]])) == [("[3]", "missing", True)]


def test_order_counts_unless_asked_otherwise() -> None:
    assert found([1, 2, 3], [3, 1, 2]).failed
    assert not found([1, 2, 3], [3, 1, 2], ignore_order=True).differences
    assert short(found([1, 2], [2, 9], ignore_order=True)) == [("[0]", "changed", True)]


def test_true_is_not_one_and_one_is_one_point_zero() -> None:
    assert short(found({"a": True}, {"a": 1})) == [("a", "type", True)]
    assert not found({"a": 1}, {"a": 1.0}).differences


def test_the_list_is_bounded_and_keeps_what_fails() -> None:
    old = {f"d{i:03}": "2026-01-01" for i in range(LIMIT)} | {"z": 1}
    new = {f"d{i:03}": "2026-01-02" for i in range(LIMIT)} | {"z": 2}
    result = found(old, new)
    assert len(result.differences) == LIMIT
    assert result.left_out == 1
    assert result.differences[-1].path == "z"
    assert result.failed


def test_deep_documents_are_compared_without_falling_over() -> None:
    deep_a: Any = 1
    deep_b: Any = 2
    for _ in range(400):
        deep_a, deep_b = [deep_a], [deep_b]
    assert found(deep_a, deep_b).failed
    assert not found(deep_a, deep_a).differences


@given(VALUES)
def test_a_document_equals_itself(value: Any) -> None:
    assert not found(value, value, allow_new=False, match="exact").differences


@given(VALUES, VALUES)
def test_no_difference_means_equal(a: Any, b: Any) -> None:
    if not found(a, b, allow_new=False, match="exact").differences:
        assert a == b


@given(st.lists(st.integers(0, 3), max_size=8), st.lists(st.integers(0, 3), max_size=8), st.booleans())
def test_alignment_uses_every_index_once(a: list[int], b: list[int], unordered: bool) -> None:
    pairs = list(align(a, b, ignore_order=unordered))
    assert sorted(i for i, _ in pairs if i is not None) == list(range(len(a)))
    assert sorted(j for _, j in pairs if j is not None) == list(range(len(b)))


def test_lines_are_matched_around_an_insertion() -> None:
    result = Found(Options(allow_new=False))
    compare_lines(["<a>", "<b>1</b>", "</a>"], ["<a>", "<x/>", "<b>2</b>", "</a>"], result)
    assert {d.kind for d in result.differences} <= {"added", "changed"}
    assert result.failed


def test_very_long_texts_take_no_quadratic_time() -> None:
    result = Found(Options())
    compare_lines([f"a{i}" for i in range(5000)], [f"b{i}" for i in range(5000)], result)
    assert len(result.differences) + result.left_out == 5000


@pytest.mark.parametrize(
    ("recorded", "replayed", "paths"),
    [
        ({"user": {"name": "a", "age": 1}}, {}, ["user.name"]),
        ({"user": {"name": "a", "age": 1}}, {"user": None}, ["user.name"]),
        ({"users": [{"name": "a"}, {"age": 1}]}, {"users": []}, ["users[0].name"]),
        ({"other": {"age": 1}}, {}, []),
        ({"user": {"name": "a"}}, [], ["$"]),
    ],
)
def test_what_is_asked_for_is_missed_with_its_parent(recorded: Any, replayed: Any, paths: list[str]) -> None:
    assert [d.path for d in found(recorded, replayed, include_only=("name",)).differences] == paths
