"""Paths into JSON documents: what they find, in which order, and what they set."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedscale_runtime.rrpair import paths
from speedscale_runtime.rrpair.paths import Match, find, put

DOC: dict[str, Any] = {
    "a": {"b": [{"c": 1}, {"c": 2, "d": {"c": 3}}], "0": "zero", "x.y": 5},
    "c": None,
    "": "empty",
    "*": "star",
}


def found(path: str, doc: Any = DOC) -> list[tuple[str, Any]]:
    return [(paths.render(match.path), match.value) for match in find(doc, path)]


@pytest.mark.parametrize(
    ("path", "matches"),
    [
        ("a.b.0.c", [("a.b[0].c", 1)]),
        ("a.b[0].c", [("a.b[0].c", 1)]),
        ("a.b[-1].c", [("a.b[1].c", 2)]),
        ("$.a.b[0].c", [("a.b[0].c", 1)]),
        (".a.b[0].c", [("a.b[0].c", 1)]),
        ("a['b'][0][\"c\"]", [("a.b[0].c", 1)]),
        ("a.b.*.c", [("a.b[0].c", 1), ("a.b[1].c", 2)]),
        ("a.b[*].c", [("a.b[0].c", 1), ("a.b[1].c", 2)]),
        ("a.b[].c", [("a.b[0].c", 1), ("a.b[1].c", 2)]),
        ("..c", [("c", None), ("a.b[0].c", 1), ("a.b[1].c", 2), ("a.b[1].d.c", 3)]),
        ("$..c", [("c", None), ("a.b[0].c", 1), ("a.b[1].c", 2), ("a.b[1].d.c", 3)]),
        ("a..c", [("a.b[0].c", 1), ("a.b[1].c", 2), ("a.b[1].d.c", 3)]),
        ("a..b..c", [("a.b[0].c", 1), ("a.b[1].c", 2), ("a.b[1].d.c", 3)]),
        ("a.0", [("a.0", "zero")]),
        ("a.x\\.y", [("a.x\\.y", 5)]),
        ('a["x.y"]', [("a.x\\.y", 5)]),
        ('[""]', [('[""]', "empty")]),
        ("\\*", [("\\*", "star")]),
        ("['*']", [("\\*", "star")]),
        ("c", [("c", None)]),
        ("c.d", []),
        ("a.b.c", []),
        ("a.b[9]", []),
        ("a.b[-3]", []),
        ("a.b[99999999999999999999]", []),
        ("a.b[x]", []),
        ("nope..c", []),
        ("a.b.٣", []),
    ],
)
def test_find(path: str, matches: list[tuple[str, Any]]) -> None:
    assert found(path) == matches


def test_the_empty_path_is_the_document() -> None:
    assert find(DOC, "") == find(DOC, "$") == [Match((), DOC)]


@pytest.mark.parametrize(("path", "message"), [("a[0", "bracket at column 2"), ("a['b]", "quote at column 3")])
def test_malformed_paths_are_told(path: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        find(DOC, path)


def test_put_sets_every_match() -> None:
    doc: dict[str, Any] = {"a": [{"k": 1}, {"k": 2}, {}]}
    assert put(doc, "a[*].k", "x")
    assert doc == {"a": [{"k": "x"}, {"k": "x"}, {}]}
    assert not put(doc, "a[*].none", "x")
    assert not put(doc, "", "x")


@pytest.mark.parametrize(
    ("path", "after"),
    [
        ("n", {"a": [1], "n": 9}),
        ("n.m.o", {"a": [1], "n": {"m": {"o": 9}}}),
        ("a[1]", {"a": [1, 9]}),
        ("a[1].x", {"a": [1, {"x": 9}]}),
    ],
)
def test_put_creates_when_asked(path: str, after: Any) -> None:
    doc = {"a": [1]}
    assert not put(doc, path, 9)
    assert doc == {"a": [1]}
    assert put(doc, path, 9, create=True)
    assert doc == after


@pytest.mark.parametrize("path", ["a[3]", "a.x", "a[0].x", "b.*", "b..c", "*.q"])
def test_put_never_makes_up_what_it_cannot(path: str) -> None:
    doc = {"a": [1]}
    assert not put(doc, path, 9, create=True)
    assert doc == {"a": [1]}


KEYS = st.text(max_size=4) | st.sampled_from([".", "[", "]", "\\", "*", "..", "$", '"', "'", "0", "-1", "", "a.b"])
VALUES = st.recursive(
    st.integers() | st.none(), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3)
)


@given(VALUES)
def test_a_rendered_path_finds_its_value(doc: Any) -> None:
    for match in find(doc, ".."):
        assert find(doc, paths.render(match.path)) == [match]


@given(VALUES, st.text(max_size=12) | st.lists(KEYS, max_size=4).map(".".join))
def test_any_path_finds_or_is_refused(doc: Any, path: str) -> None:
    try:
        matches = find(doc, path)
    except ValueError as error:
        refused = str(error)
        matches = []
    else:
        refused = ""
    assert not refused or "is not closed" in refused
    assert len({match.path for match in matches}) == len(matches)
