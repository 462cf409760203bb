"""Rules as data: what is refused and how it is said, custom detectors, scopes, opt-outs, chains."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from speedscale_runtime import filters
from speedscale_runtime.dlp import KeyRing, Redactor, builtin, compile_rule
from speedscale_runtime.rrpair import RRPair
from speedscale_schemas import validation
from speedscale_schemas.errors import ConfigError
from speedscale_schemas.frames import Frame


@pytest.fixture(scope="module")
def made(keys: KeyRing) -> Callable[[Mapping[str, Any]], Redactor]:
    def make(rule: Mapping[str, Any]) -> Redactor:
        return compile_rule({"id": "mine", **rule}, keys, compile_filter=lambda s: filters.compile_rule(s).matches)

    return make


def frame(body: object, path: str = "/login", **headers: str) -> Frame:
    request = {"url": path, "uri": path, "method": "POST", "headers": {k: [v] for k, v in headers.items()}}
    head = {"direction": "IN", "location": path, "http": {"req": request}}
    return Frame(json.dumps(head).encode(), body if isinstance(body, bytes) else json.dumps(body).encode(), b"")


def test_the_shipped_rule_is_valid_and_protected() -> None:
    assert validation.check("dlp-rule", builtin("standard")) == []
    assert builtin("standard")["protected"] is True


def test_the_examples_in_the_schema_are_valid() -> None:
    for name, prop in validation.schema("dlp-rule")["properties"].items():
        for example in prop["examples"]:
            assert validation.check("dlp-rule", {"id": "x", name: example}) == [], name


def test_an_unknown_built_in_rule_is_named_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"standrad.*standard"):
        builtin("standrad")


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ({"discover": True}, "unknown key"),
        ({"protected": True, "actions": {"IP4": "keep"}}, "opt-out is refused"),
        ({"id": "standard", "undecodable": "keep"}, "opt-out is refused"),
        ({"discover_patterns": True, "detectors": {"disable": ["emial"]}}, "did you mean 'email'"),
        ({"custom": [{"id": "x", "kind": "X", "pattern": r"(a)\1xx"}]}, "hyperscan refuses it"),
        ({"custom": [{"id": "x", "kind": "X", "pattern": "(?<=a)bcd"}]}, "hyperscan refuses it"),
        ({"custom": [{"id": "x", "kind": "X", "pattern": "[0-9]*"}]}, "empty"),
        ({"custom": [{"id": "email", "kind": "X", "pattern": "abc+"}]}, "is taken"),
        ({"custom": [{"id": "x", "kind": "X", "keys": ["--"]}]}, "no letter"),
        ({"custom": [{"id": "x", "kind": "X"}]}, "expected one of"),
        (
            {"transforms": [{"filters": {"filters": [{"include": True}]}, "extractor": {"type": "req_body"},
                             "transforms": [{"type": "dlp_field"}]}]},
            "no criteria",
        ),
        (
            {"transforms": [{"filters": {}, "extractor": {"type": "req_body"}, "transforms": [{"type": "dlp_field"}]}]},
            "no criteria",
        ),
    ],
)  # fmt: skip
def test_refused_with_a_reason(made: Callable[..., Redactor], rule: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        made(rule)


def test_chains_need_somebody_who_reads_filters(keys: KeyRing) -> None:
    rule = {"id": "x", "transforms": [_chain({"type": "req_body"}, [{"type": "dlp_field"}])]}
    with pytest.raises(ConfigError, match="need filter rules"):
        compile_rule(rule, keys)


def test_without_discovery_only_what_is_listed_is_redacted(made: Callable[..., Redactor]) -> None:
    redactor = made({"redactlist": {"entries": {"http.req.body": ["nick"], "all": ["tribe"]}}})
    body = {"nick": "adl", "tribe": "T5", "email": "ada@example.com", "n": {"tribe": 17}}
    outcome = redactor.redact_frame(frame(body))
    out = json.loads(outcome.frame.request_body)
    assert out["email"] == "ada@example.com"
    assert out["nick"].startswith("REDACTED-UNRECOGNIZED-")
    assert out["tribe"].startswith("REDACTED-UNRECOGNIZED-")
    assert len(str(out["n"]["tribe"])) == 2


def test_detectors_can_be_chosen(made: Callable[..., Redactor]) -> None:
    text = b"ada@example.com from 203.0.113.9"
    assert b"203.0.113.9" in made({"discover_patterns": True, "detectors": {"disable": ["ip"]}}).redact_text(text)[0]
    assert b"ada@" in made({"discover_patterns": True, "detectors": {"enable": ["ip"]}}).redact_text(text)[0]


def test_a_custom_pattern_with_keywords_exclusions_and_paths(made: Callable[..., Redactor]) -> None:
    custom = {"id": "employee", "kind": "EMPLOYEE_ID", "pattern": "EMP-[0-9]{6}", "keywords": ["staff"],
              "exclude": ["EMP-000000"], "paths": ["http.req.body:$.a*"]}  # fmt: skip
    redactor = made({"custom": [custom]})
    body = {"a": "staff EMP-123456", "b": "staff EMP-123456", "a2": "order EMP-123456", "a3": "staff EMP-000000"}
    out = json.loads(redactor.redact_frame(frame(body)).frame.request_body)
    assert out["a"].startswith("staff REDACTED-EMPLOYEE_ID-")
    assert {k: out[k] for k in ("b", "a2", "a3")} == {k: body[k] for k in ("b", "a2", "a3")}


def test_custom_keys(made: Callable[..., Redactor]) -> None:
    redactor = made({"custom": [{"id": "loyalty", "kind": "LOYALTY", "keys": ["loyalty number"]}]})
    out = json.loads(redactor.redact_frame(frame({"loyaltyNumber": "L1", "loyalty": "gold"})).frame.request_body)
    assert out["loyaltyNumber"].startswith("REDACTED-LOYALTY-")
    assert out["loyalty"] == "gold"


def test_opt_outs_by_kind(made: Callable[..., Redactor]) -> None:
    redactor = made({"discover_patterns": True, "actions": {"CREDIT_CARD": "mask", "IP4": "keep"}})
    out, findings = redactor.redact_text(b"card 4111111111111111 from 203.0.113.9 by ada@example.com")
    assert out.startswith(b"card ************1111 from 203.0.113.9 by REDACTED-EMAIL-")
    assert {f.kind for f in findings} == {"CREDIT_CARD", "EMAIL"}
    assert redactor.redact_text(out)[0] == out


def _chain(extractor: dict[str, Any], transforms: list[dict[str, Any]], location: str = "login") -> dict[str, Any]:
    return {
        "filters": {"filters": [{"operator": "CONTAINS", "include": True, "detectedLocation": location}]},
        "extractor": extractor,
        "transforms": transforms,
    }


class TestChains:
    def test_a_chain_redacts_what_its_path_names_and_only_where_its_filter_matches(
        self, made: Callable[..., Redactor]
    ) -> None:
        path = {"type": "json_path", "config": {"path": "user.nick"}}
        redactor = made({"transforms": [_chain({"type": "req_body"}, [path, {"type": "dlp_field"}])]})
        body = {"user": {"nick": "ada", "age": 36}}
        out = json.loads(redactor.redact_frame(frame(body)).frame.request_body)
        assert out["user"]["nick"].startswith("REDACTED-UNRECOGNIZED-")
        assert out["user"]["age"] == 36
        other = frame(body, "/other")
        assert redactor.redact_frame(other).frame is other

    def test_dlp_field_takes_every_leaf_and_keeps_types(self, made: Callable[..., Redactor]) -> None:
        redactor = made({"transforms": [_chain({"type": "req_body"}, [{"type": "dlp_field"}])]})
        outcome = redactor.redact_frame(frame({"a": [1234, "x", None, True], "b": {"c": "y"}}))
        out = json.loads(outcome.frame.request_body)
        assert isinstance(out["a"][0], int)
        assert out["a"][0] != 1234
        assert out["a"][2:] == [None, None]
        assert out["a"][1].startswith("REDACTED-")
        assert out["b"]["c"].startswith("REDACTED-")
        assert {f.place for f in outcome.findings} == {f"http.req.body:$.{p}" for p in ("a[0]", "a[1]", "a[3]", "b.c")}
        assert redactor.redact_frame(outcome.frame).modified is False

    def test_dlp_json_takes_the_listed_names(self, made: Callable[..., Redactor]) -> None:
        rule = {"redactlist": {"entries": {"http.res.body": ["nick"]}},
                "transforms": [_chain({"type": "req_body"}, [{"type": "dlp_json"}])]}  # fmt: skip
        out = json.loads(made(rule).redact_frame(frame({"x": {"nick": ["a", "b"]}, "y": "z"})).frame.request_body)
        assert [v.startswith("REDACTED-") for v in out["x"]["nick"]] == [True, True]
        assert out["y"] == "z"

    @pytest.mark.parametrize(
        ("extractor", "where"),
        [
            ({"type": "http_req_header", "config": {"name": "x-customer"}}, "http.req.headers.X-Customer[0]"),
            ({"type": "http_req_cookie", "config": {"name": "who"}}, "http.req.headers.Cookie[0].who"),
            (
                {"type": "json_path", "config": {"path": "http.req.headers.X-Customer"}},
                "http.req.headers.X-Customer[0]",
            ),
            ({"type": "http_url", "config": {"index": "2"}}, "http.req.url/2"),
            ({"type": "http_queryparam", "config": {"name": "who"}}, "http.req.uri.?who"),
        ],
    )
    def test_extractors(self, made: Callable[..., Redactor], extractor: dict[str, Any], where: str) -> None:
        redactor = made({"transforms": [_chain(extractor, [{"type": "dlp_field"}])]})
        head = json.loads(frame({}, "/login/ada", **{"X-Customer": "c-77", "Cookie": "who=ada; theme=dark"}).head)
        head["http"]["req"]["uri"] += "?who=ada&x=1"
        outcome = redactor.redact_frame(Frame(json.dumps(head).encode(), b"", b""))
        assert where in {f.place for f in outcome.findings}
        assert redactor.redact_frame(outcome.frame).modified is False

    def test_non_http_pairs(self, made: Callable[..., Redactor]) -> None:
        path = {"type": "json_path", "config": {"path": "query.query"}}
        redactor = made({"transforms": [_chain({"type": "req_body"}, [path, {"type": "dlp_field"}], "SELECT")]})
        pair = RRPair(
            {
                "location": "SELECT 1",
                "l7protocol": "postgres",
                "postgres": {"request": {"query": {"query": "SELECT 1"}}},
            }
        )
        out = redactor.redact_pair(pair).pair
        assert out.doc["postgres"]["request"]["query"]["query"].startswith("REDACTED-")
        assert pair.doc["postgres"]["request"]["query"]["query"] == "SELECT 1"
