"""Comparing recordings: which pairs differ, where, and which are missing."""

from __future__ import annotations

from collections.abc import Callable

from speedscale_runtime.rrpair import RRPair, comparison, jsonform, markdown

Make = Callable[..., RRPair]


def test_encodings_do_not_matter(pair: RRPair) -> None:
    as_json, as_markdown = jsonform.loads(jsonform.dumps(pair)), markdown.loads(markdown.dumps(pair))
    as_markdown.response_body = bytes(as_markdown.response_body or b"")
    result = comparison.compare([as_json], [as_markdown])
    assert (result.same, result.changed, result.only_a, result.only_b) == (1, {}, [], [])


def test_differences_name_their_place(make: Make) -> None:
    other = make(duration=13)
    other.doc["http"]["req"]["headers"]["Host"] = ["elsewhere"]
    del other.doc["tags"]["empty"]
    result = comparison.compare([make()], [other])
    ((name, lines),) = result.changed.items()
    assert name.startswith("IN POST /orders [")
    assert lines == [
        "duration: 12 → 13",
        'http.req.headers.Host[0]: "shop:8080" → "elsewhere"',
        'tags.empty: "" → absent',
    ]


def test_pairs_of_one_side_only(make: Make) -> None:
    result = comparison.compare([make(), make(uuid="x")], [make(), make(uuid="y")])
    assert result.same == 1
    assert result.only_a == ["IN POST /orders [x]"]
    assert result.only_b == ["IN POST /orders [y]"]


def test_equal_identities_are_matched_by_what_is_equal(make: Make) -> None:
    result = comparison.compare([make(status="1"), make(status="2")], [make(status="2"), make(status="1")])
    assert (result.same, result.changed) == (2, {})


def test_long_lists_of_differences_are_cut(make: Make) -> None:
    a, b = make(many={str(n): n for n in range(50)}), make(many={str(n): -n - 1 for n in range(50)})
    ((_, lines),) = comparison.compare([a], [b]).changed.items()
    assert len(lines) == comparison.DIFFERENCES_MAX + 1
    assert lines[-1] == "… more"
