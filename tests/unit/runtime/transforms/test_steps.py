"""Every transform: forward, backward, and what it refuses."""

from __future__ import annotations

import base64
import gzip
import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedscale_runtime.rrpair import RRPair
from speedscale_runtime.transforms import Run, Scope, SmartTable, Sources, TransformError, compile_set
from speedscale_runtime.transforms.config import Config
from speedscale_runtime.transforms.model import Step, text
from speedscale_runtime.transforms.steps import TABLE
from speedscale_schemas.errors import ConfigError

NOW = 1_780_000_000.0  # 2026-05-28T20:26:40Z


def scope(**changes: Any) -> Scope:
    values: dict[str, Any] = {
        "pair": RRPair({"ts": "2021-05-19T00:00:00Z"}),
        "side": "request",
        "service": "generator",
        "variables": {"who": "ann"},
        "counters": {},
        "table": SmartTable(),
        "rng": random.Random(7),
        "now": NOW,
        "sources": Sources(environ={"USER_A": "alice"}),
    }
    return Scope(**(values | changes))


def step(name: str, /, **config: str) -> Step:
    return TABLE[name](Config(config, name))


FORWARD = [
    ("constant", {"new": "x"}, "old", "x"),
    ("constant", {"value": "${{who}}"}, "old", "ann"),
    ("constant", {"new": "${{env_var:USER_A}}-${{nobody}}"}, "", "alice-${{nobody}}"),
    ("replace", {"old": "a", "new": "b"}, "banana", "bbnbnb"),
    ("replace", {"old": "a", "new": "", "count": "1"}, "banana", "bnana"),
    ("regex", {"pattern": "id=([0-9]+)", "captureGroup": "1"}, "x id=42 y", "42"),
    ("split", {}, "a,b,c", "a"),
    ("split", {"index": "-1", "separator": " "}, "Bearer tok", "tok"),
    ("trim", {}, "  a b ", "a b"),
    ("trim", {"type": "left", "value": "Bearer "}, "Bearer tok", "tok"),
    ("trim", {"type": "right", "value": ";"}, "tok;", "tok"),
    ("base64", {}, "aGk=", "hi"),
    ("base64", {}, "_-8", text(b"\xff\xef")),
    ("url_decode", {}, "a%20b+c", "a b+c"),
    ("url_encode", {}, "a b/c", "a%20b%2Fc"),
    ("json_path", {"path": "a[1].b"}, '{"a":[0,{"b":"v"}]}', "v"),
    ("json_path", {"path": "n"}, '{"n": 1.0}', "1.0"),
    ("json_path", {"path": "$.o"}, '{"o":{"x": 1}}', '{"x": 1}'),
    ("json_path", {"path": "none"}, "{}", ""),
    ("json_delete", {"path": "a.b"}, '{"a":{"b":1,"c":2}}', '{"a":{"c":2}}'),
    ("json_delete", {"path": "zzz"}, '{ "a": 1 }', '{ "a": 1 }'),
    ("json_selector", {"match": "foo=bar", "recursive": "true"}, '{"top":{"foo":"bar"}}', "bar"),
    ("json_selector", {"match": "zip==3", "recursive": "true", "levelsUp": "1"}, '{"p":{"zip":3}}', '{"zip":3}'),
    ("xml_path", {"path": "/a/b[2]"}, "<a><b>1</b><b>2 &amp; 3</b></a>", "2 & 3"),
    ("xml_path", {"path": "//b/@k"}, '<a><b k="v">1</b></a>', "v"),
    ("xml_path", {"path": "//Code/text()"}, '<s:E xmlns:s="u"><s:Code>7</s:Code></s:E>', "7"),
    ("csv", {"index": "1"}, "a,b\n", "b"),
    ("csv", {"header": "id"}, "n,id\nx,7\n", "7"),
    ("date", {"layout": "2006-01-02", "offset": "24h"}, "2024-06-19", "2024-06-20"),
    ("date", {"layout": "epoch", "offset": "-2D"}, "1700000000", "1699827200"),
    ("date", {"precision": "24h"}, "2021-06-19", "2026-06-28"),
    ("date", {}, "2021-05-19T00:00:10.250Z", "2026-05-28T20:26:50.250Z"),
    ("date", {"layout": "epoch_ms"}, "1621382400000", "1780000000000"),
    ("date", {}, "Wed, 19 May 2021 01:00:00 GMT", "Thu, 28 May 2026 21:26:40 GMT"),
    ("scrub_date", {"ignorePaths": "kept"}, '{"a":"2023-10-01","kept":"2023-10-01","n":1696156800,"l":["x"]}',
     '{"a":"*","kept":"2023-10-01","n":1696156800,"l":["x"]}'),
    ("scrub_date", {}, "no json", "no json"),
    ("var_load", {"name": "who"}, "old", "ann"),
    ("var_store", {"name": "v"}, "old", "old"),
    ("tag_session", {}, "s1", "s1"),
    ("sleep", {"duration": "250ms"}, "v", "v"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "config", "value", "expected"), FORWARD)
def test_forward(name: str, config: dict[str, str], value: str, expected: str) -> None:
    assert step(name, **config).forward(value, scope()) == expected


BACKWARD = [
    ("regex", {"pattern": "id=([0-9]+)", "captureGroup": "1"}, "x id=42 y", "7", "x id=7 y"),
    ("split", {"index": "1", "separator": " "}, "Bearer old", "new", "Bearer new"),
    ("trim", {}, "  a ", "b", "  b "),
    ("trim", {"type": "left", "value": "Bearer "}, "Bearer a", "b", "Bearer b"),
    ("base64", {}, "aGk=", "ho", "aG8="),
    ("base64", {}, "aGk", "ho", "aG8"),
    ("url_decode", {}, "a%20b", "c d", "c%20d"),
    ("json_path", {"path": "n"}, '{ "n" : 1.0, "m":1e5 }', "2", '{ "n" : 2, "m":1e5 }'),
    ("json_path", {"path": "n"}, '{"n":1}', "two", '{"n":"two"}'),
    ("json_path", {"path": "s"}, '{"s":"1"}', "2", '{"s":"2"}'),
    ("json_path", {"path": "t"}, '{"t":true}', "false", '{"t":false}'),
    ("json_path", {"path": "new"}, '{"a":1}', "v", '{"a":1,"new":"v"}'),
    ("json_selector", {"match": "id=222", "recursive": "true"}, '{"p":[{"id":111},{"id":222}]}', "333",
     '{"p":[{"id":111},{"id":"333"}]}'),
    ("json_selector", {"match": "o"}, '{"o":{"a":1}}', '{"b":2}', '{"o":{"b":2}}'),
    ("xml_path", {"path": "//b"}, "<a>\n <b x='1'>old</b></a>", "1 < 2", "<a>\n <b x='1'>1 &lt; 2</b></a>"),
    ("xml_path", {"path": "//b/@k"}, '<a><b k="v"/></a>', "w", '<a><b k="w"/></a>'),
    ("csv", {"index": "1"}, "a,b", "x,y", 'a,"x,y"'),
]  # fmt: skip


@pytest.mark.parametrize(("name", "config", "before", "value", "expected"), BACKWARD)
def test_backward(name: str, config: dict[str, str], before: str, value: str, expected: str) -> None:
    assert step(name, **config).backward(before, value, scope()) == expected


FAILS = [
    ("regex", {"pattern": "z"}, "abc"),
    ("split", {"index": "3"}, "a,b"),
    ("base64", {}, "!!!"),
    ("gzip", {}, "plain"),
    ("json_path", {"path": "a"}, "no json"),
    ("json_path", {"path": "a", "create": "false"}, "{}"),
    ("json_selector", {"match": "foo"}, '{"top":{"foo":1}}'),
    ("xml_path", {"path": "//c"}, "<a/>"),
    ("xml_path", {"path": "//c"}, "<a>"),
    ("csv", {"header": "nope"}, "a\n1\n"),
    ("date", {"layout": "2006-01-02"}, "yesterday"),
    ("date", {}, "some day"),
    ("var_load", {"name": "nobody"}, ""),
    ("jwt_resign", {"key": "k"}, "no jwt"),
    ("dlp_field", {}, "v"),
    ("csv_iter", {"csv_name": "none"}, ""),
    ("dataframe_lookup", {"name": "none", "field": "x"}, "k"),
]


@pytest.mark.parametrize(("name", "config", "value"), FAILS)
def test_a_value_that_does_not_fit_ends_the_chain(name: str, config: dict[str, str], value: str) -> None:
    with pytest.raises(TransformError) as error:
        step(name, **config).forward(value, scope())
    assert len(value) < 3 or value not in str(error.value)


BAD_CONFIG = [
    ("constant", {}, "'new' is required"),
    ("constant", {"new": "x", "nwe": "y"}, "unknown key 'nwe'; known are new, value; did you mean 'new'?"),
    ("regex", {"pattern": "("}, "pattern"),
    ("regex", {"pattern": "a", "captureGroup": "1"}, "has 0 groups"),
    ("replace", {"old": ""}, "empty text"),
    ("split", {"index": "x"}, "no whole number"),
    ("trim", {"type": "lft"}, "did you mean 'left'?"),
    ("base64", {"pad": "maybe"}, "neither true nor false"),
    ("json_path", {"path": "a["}, "no path"),
    ("xml_path", {"path": "a b"}, "write for example"),
    ("date", {"offset": "3 weeks"}, "no duration"),
    ("rand_string", {"pattern": "(?=a)"}, "cannot be generated"),
    ("one_of", {"options": "a", "strategy": "rnadom"}, "did you mean 'random'?"),
    ("jwt_resign", {}, "signing key is required"),
    ("jwt_resign", {"key": "k", "claims": "a"}, "no key=value"),
    ("sleep", {"duration": "2h"}, "0s to 1h"),
]


@pytest.mark.parametrize(("name", "config", "message"), BAD_CONFIG)
def test_bad_configuration_is_refused_at_compile_time(name: str, config: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        step(name, **config)
    assert message in str(error.value)
    assert name in str(error.value)


def test_the_table_and_this_file_know_the_same_transforms() -> None:
    tested = {row[0] for row in [*FORWARD, *BACKWARD, *FAILS]}
    elsewhere = {"rand_string", "one_of", "smart_replace", "smart_replace_recorded", "smart_replace_csv", "store_sig",
                 "delete_sig", "scrub", "http_auth"}  # fmt: skip
    assert tested | elsewhere == set(TABLE)


def test_gzip_both_ways() -> None:
    one = step("gzip")
    packed = text(gzip.compress(b"hello", mtime=0))
    assert one.forward(packed, scope()) == "hello"
    assert gzip.decompress(one.backward(packed, "bye", scope()).encode("utf-8", "surrogateescape")) == b"bye"


def test_mocks_keep_the_date_pattern_of_requests() -> None:
    one = step("date", layout="2006-01-02", precision="24h")
    assert one.forward("2021-06-19", scope(service="responder")) == "{speedscale_date(-744h0m0s)}"
    assert one.forward("{speedscale_date(-744h0m0s)}", scope()) == "{speedscale_date(-744h0m0s)}"


def test_one_of_takes_turns_and_random_follows_the_seed() -> None:
    here = scope()
    turns = step("one_of", options="a,b,${{who}}")
    assert [turns.backward("", "x", here) for _ in range(4)] == ["a", "b", "ann", "a"]
    dice = step("one_of", options="a,b,c", strategy="random")
    first, again = ([dice.backward("", "", s) for _ in range(20)] for s in (scope(), scope()))
    assert first == again
    assert set(first) == {"a", "b", "c"}


def test_rand_string_matches_its_pattern_and_follows_the_seed() -> None:
    one = step("rand_string", pattern=r"user_[a-f0-9]{8}-(x|yy)+\d")
    here, there = scope(), scope()
    values = [one.forward("", here) for _ in range(5)]
    assert values == [one.forward("", there) for _ in range(5)]
    assert len(set(values)) == 5
    import re

    assert all(re.fullmatch(r"user_[a-f0-9]{8}-(x|yy)+\d", value) for value in values)


def test_smart_replace_learns_forward_and_backward() -> None:
    here = scope()
    one = step("smart_replace")
    assert one.backward('"old-token"', '"new-token"', here) == '"new-token"'
    assert here.table.get("old-token") == "new-token"
    assert one.backward("old-token", "other", here) == "new-token"
    assert step("smart_replace", overwrite="true").backward("old-token", "other", here) == "other"
    assert here.table.get("old-token") == "other"


def test_smart_replace_csv_reads_columns_by_name_and_number() -> None:
    here = scope()
    step("smart_replace_csv").forward("foo1,bar1\nfoo2,bar2\n", here)
    step("smart_replace_csv", existing="id", new="to").forward("to,id\nB,A\n", here)
    assert [here.table.get(k) for k in ("foo1", "foo2", "A")] == ["bar1", "bar2", "B"]
    with pytest.raises(TransformError, match="too few columns"):
        step("smart_replace_csv", existingNum="4").forward("a,b\n", here)


def test_signature_keys() -> None:
    here = scope()
    step("store_sig", key="k").forward("v", here)
    step("store_sig").forward("w", here)
    assert here.pair.doc["signature"] == {
        "k": base64.b64encode(b"v").decode(),
        "custom:0": base64.b64encode(b"w").decode(),
    }
    step("delete_sig", key="k").forward("", here)
    assert list(here.pair.doc["signature"]) == ["custom:0"]


def test_scrub_blanks_the_value_everywhere() -> None:
    pair = RRPair.from_doc(
        {
            "http": {
                "req": {"uri": "/r/abc-1?x=abc-1", "headers": {"X": ["abc-1"]}, "body": '{"id":"abc-1","keep":"abc-1"}'}
            }
        }
    )
    step("scrub", ignorePaths="keep").forward("abc-1", scope(pair=pair))
    assert pair.http_request is not None
    assert pair.http_request["uri"] == "/r/*?x=*"
    assert pair.http_request["headers"] == {"X": ["*"]}
    assert pair.request_body == b'{"id":"*","keep":"abc-1"}'


def test_http_auth_in_header_json_and_form() -> None:
    one = step("http_auth", user="u", password="p", user_value="new", password_value="s&t", smart_replace="true")
    here = scope()
    basic = "Basic " + base64.b64encode(b"old:pw").decode()
    assert base64.b64decode(one.forward(basic, here).split()[1]) == b"new:s&t"
    assert json.loads(one.forward('{"u":"old","p":"pw","x":1}', here)) == {"u": "new", "p": "s&t", "x": 1}
    assert one.forward("u=old&p=pw&x=1", here) == "u=new&p=s%26t&x=1"
    assert here.table.get("old") == "new"
    assert here.table.get("pw") is None


ISOLATING = [
    ("regex", {"pattern": "(?s).*"}),
    ("split", {}),
    ("trim", {}),
    ("base64", {}),
    ("url_decode", {}),
    ("json_path", {"path": "a"}),
    ("json_selector", {"match": "a", "recursive": "true"}),
    ("xml_path", {"path": "//a"}),
    ("csv", {}),
    ("gzip", {}),
]


@pytest.mark.parametrize(("name", "config"), ISOLATING)
@given(body=st.one_of(
    st.binary(max_size=60),
    st.text(max_size=40).map(lambda t: json.dumps({"b": 1, "a": t}).encode()),
    st.text(max_size=40).map(lambda t: base64.b64encode(t.encode("utf-8", "replace"))),
    st.text("abc<>&; ", max_size=20).map(lambda t: f"<r><a>{t}</a></r>".encode()),
))  # fmt: skip
def test_an_unchanged_value_leaves_every_byte(name: str, config: dict[str, str], body: bytes) -> None:
    chain = {"extractor": {"type": "req_body"}, "transforms": [{"type": name, "config": config}]}
    run = Run(compile_set({"generator": [chain]}), clock=lambda: NOW)
    pair = RRPair({"http": {"req": {"uri": "/", "headers": {}}}}, request_body=body)
    assert run.request(pair, 0).request_body == body
