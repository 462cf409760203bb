"""The query language: what a query means as JSON, its way back, and errors that point."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedscale_runtime.filters import builtin, compile_rule, format_query, parse_query
from speedscale_runtime.filters.query import KEYWORDS
from speedscale_runtime.rrpair import RRPair
from speedscale_schemas.errors import ConfigError


def one(**spec: Any) -> dict[str, Any]:
    return {"operator": "AND", "conditions": [{"operator": "AND", "filters": [spec]}]}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ('service IS "shop"', one(include=True, operator="EQUAL", service="shop")),
        ("service is shop", one(include=True, operator="EQUAL", service="shop")),
        ("(service NOT 'shop')", one(include=False, operator="EQUAL", service="shop")),
        ('((url CONTAINS "/a b"))', one(include=True, operator="CONTAINS", optUrl="/a b")),
        ("status NOT CONTAINS 5", one(include=False, operator="CONTAINS", detectedStatus="5")),
        ("status IS NOT 500", one(include=False, operator="EQUAL", detectedStatus="500")),
        (r'url REGEX "^/a\\d+\"$"', one(include=True, operator="REGEX", optUrl=r'^/a\d+"$')),
        (r'url REGEX "\d\."', one(include=True, operator="REGEX", optUrl=r"\d\.")),
        ("method IS GET", one(include=True, operator="EQUAL", detectedCommand="GET")),
        (
            "header[User-Agent] CONTAINS x",
            one(include=True, operator="CONTAINS", header={"key": "User-Agent", "value": "x"}),
        ),
        (
            "req_json[items[0].id] IS 7",
            one(
                include=True,
                operator="EQUAL",
                reqFilter={"key": "items[0].id", "value": "7", "type": "REQ_FILTER_TYPE_JSON"},
            ),
        ),
        (
            "req_xpath[\"//a[b='c']\"] IS 7",
            one(
                include=True,
                operator="EQUAL",
                reqFilter={"key": "//a[b='c']", "value": "7", "type": "REQ_FILTER_TYPE_XPATH"},
            ),
        ),
        (
            'timerange IS "2025-01-01" "2025-01-02"',
            one(include=True, operator="EQUAL", timeRange={"startTime": "2025-01-01", "endTime": "2025-01-02"}),
        ),
        ('sample IS "1/5"', one(include=True, operator="EQUAL", sample="1/5")),
        ("sample[rrpair] IS 1/5", one(include=True, operator="EQUAL", sample={"key": "rrpair", "value": "1/5"})),
    ],
)
def test_one_filter(query: str, expected: dict[str, Any]) -> None:
    assert parse_query(query) == expected
    compile_rule(expected)


def test_groups() -> None:
    rule = parse_query('(cluster IS a AND service IS b) OR (url IS c OR url IS d) OR tag[x] IS "e"')
    assert rule["operator"] == "OR"
    assert [c["operator"] for c in rule["conditions"]] == ["AND", "OR", "AND"]
    assert [len(c["filters"]) for c in rule["conditions"]] == [2, 2, 1]


def test_filters_without_parentheses_are_one_group() -> None:
    rule = parse_query("cluster IS a OR service IS b OR url IS c")
    assert rule["operator"] == "AND"
    (group,) = rule["conditions"]
    assert (group["operator"], len(group["filters"])) == ("OR", 3)


@pytest.mark.parametrize(
    ("query", "column", "words"),
    [
        ("", 1, "empty"),
        ("servce IS x", 1, "did you mean service?"),
        ("qqq IS x", 1, "known are"),
        ("service LIKE x", 9, "unknown operator 'LIKE'"),
        ("service CONTAIN x", 9, "did you mean CONTAINS?"),
        ("service IS", 11, "expected a value"),
        ("service", 8, "expected an operator"),
        ('service IS "x', 12, "never closed"),
        ("(service IS x", 14, "column 1"),
        ("service IS x)", 13, "AND, OR or the end"),
        ("service IS x AND url IS y OR url IS z", 27, "OR beside AND"),
        ("service IS x AND", 17, "expected a keyword"),
        ("((a IS b) AND c IS d)", 3, "unknown keyword"),
        ("((url IS b) AND url IS d)", 13, "one level deep"),
        ("header IS x", 8, "header[name]"),
        ("header[x IS y", 7, "never closed"),
        ("header[] IS y", 7, "empty"),
        ("service[x] IS y", 8, "takes no key"),
        ('timerange IS "a"', 17, "expected a value"),
        ('timerange CONTAINS "a" "b"', 1, "takes IS or NOT"),
        ("service IS x url IS y", 14, "found 'url'"),
    ],
)
def test_errors_point_at_the_column(query: str, column: int, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_query(query)
    text = str(caught.value)
    assert text.startswith(f"query, column {column}: ")
    assert words in text
    assert text.splitlines()[-1].index("^") == 2 + column - 1


def test_errors_of_long_queries_show_the_place() -> None:
    query = " OR ".join(f"url IS /{i}" for i in range(50)) + " OR urk IS x OR url IS y"
    with pytest.raises(ConfigError) as caught:
        parse_query(query)
    *_, shown, pointer = str(caught.value).splitlines()
    assert shown[pointer.index("^") :].startswith("urk IS x")
    assert len(shown) < 100


text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
key = text.filter(lambda t: t.strip() == t and t)
filters = st.one_of(
    st.builds(
        lambda n, v, i, o: {"include": i, "operator": o, n: v},
        st.sampled_from(["service", "optUrl", "detectedCommand", "text", "requestBodyJson", "session", "host"]),
        text,
        st.booleans(),
        st.sampled_from(["EQUAL", "CONTAINS"]),
    ),
    st.builds(
        lambda n, k, v, i: {"include": i, "operator": "CONTAINS", n: {"key": k, "value": v}},
        st.sampled_from(["header", "tag"]),
        key,
        text,
        st.booleans(),
    ),
    st.builds(
        lambda k, v, t: {
            "include": True,
            "operator": "EQUAL",
            "respFilter": {"key": k, "value": v, "type": f"RESP_FILTER_TYPE_{t}"},
        },
        key,
        text,
        st.sampled_from(["JSON", "XML", "XPATH", "SOAPXPATH"]),
    ),
    st.just({"include": False, "operator": "EQUAL", "sample": {"key": "rrpair", "value": "1/2"}}),
    st.just({"include": True, "operator": "EQUAL", "timeRange": {"startTime": "2025-01-01", "endTime": ""}}),
)
groups = st.lists(
    st.fixed_dictionaries(
        {"operator": st.sampled_from(["AND", "OR"]), "filters": st.lists(filters, min_size=1, max_size=3)}
    ),
    min_size=1,
    max_size=3,
)


@given(operator=st.sampled_from(["AND", "OR"]), conditions=groups)
def test_json_to_query_and_back(operator: str, conditions: list[dict[str, Any]]) -> None:
    rule = {"operator": operator, "conditions": conditions}
    back = parse_query(format_query(rule))
    assert [c["filters"] for c in back["conditions"]] == [c["filters"] for c in conditions]
    for ours, theirs in zip(back["conditions"], conditions, strict=True):
        assert ours["operator"] == theirs["operator"] or len(ours["filters"]) == 1
    assert back["operator"] == operator or len(conditions) == 1


def test_the_built_in_rule_survives_the_way_through_a_query() -> None:
    rule = builtin("standard")
    again = compile_rule(parse_query(format_query(rule)))
    probe = RRPair({"http": {"req": {"url": "/x", "headers": {"User-Agent": ["kube-probe/1"]}}}})
    assert again.matches(probe)
    assert parse_query(format_query(rule))["conditions"] == rule["conditions"]


pieces = st.lists(st.sampled_from([*KEYWORDS, "(", ")", "[", "]", "IS", "AND", '"', "x"])).map(" ".join)


@given(st.text(max_size=60) | pieces)
def test_any_text_is_a_rule_or_a_clear_error(query: str) -> None:
    problem = ""
    try:
        rule = parse_query(query)
        parse_query(format_query(rule))
    except ConfigError as error:
        problem = str(error)
    assert not problem or problem.startswith("query, column ")
