"""Filter rules: every criterion and operator, what combinations mean, and what is refused."""

from __future__ import annotations

import base64
import copy
import gzip
import json
import uuid
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedscale_runtime.filters import builtin, builtin_names, compile_rule
from speedscale_runtime.rrpair import RRPair
from speedscale_schemas.errors import ConfigError

BODY = b'{"user": {"id": 42, "name": "Ann", "roles": ["a", "b"]}, "items": [{"sku": "x-1"}, {"sku": "x-2"}]}'
SOAP = (
    b'<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:o="urn:o">'
    b'<s:Body><o:Order kind="new"><o:Id>7</o:Id><o:Note>a <b>bold</b> one</o:Note></o:Order></s:Body></s:Envelope>'
)
DOC: dict[str, Any] = {
    "msgType": "rrpair",
    "uuid": base64.b64encode(uuid.UUID("cbeb87af-0868-44cb-8c7e-8c5120f7c3a3").bytes).decode(),
    "ts": "2025-10-09T14:43:41.492895507Z",
    "l7protocol": "https",
    "direction": "OUT",
    "cluster": "west",
    "namespace": "shop-ns",
    "service": "shop",
    "resource": "shop-resource",
    "tech": "JSON",
    "detectedTech": ["DynamoDB"],
    "network_address": "api.example.com:443",
    "command": "POST",
    "location": "/orders",
    "status": "201 Created",
    "session": "s-1",
    "snapshotId": "snap-1",
    "tags": {"source": "goproxy", "env": "dev"},
    "http": {
        "req": {
            "url": "/orders",
            "uri": "/orders?page=2",
            "host": "API.example.com:443",
            "headers": {"user-agent": ["curl/8.1"], "Accept": ["text/html", "*/*"], "X-Name": ["Zoë"]},
        },
        "res": {"headers": {"Content-Type": ["application/json"]}},
    },
}


def pair(request: bytes = BODY, response: bytes = b'{"error": "timeout"}', **changes: Any) -> RRPair:
    return RRPair(copy.deepcopy(DOC) | changes, request, response)


def rule(**spec: Any) -> dict[str, Any]:
    return {"conditions": [{"filters": [spec]}]}


def kv(key: str, value: str, **more: str) -> dict[str, str]:
    return {"key": key, "value": value} | more


HOLDS: list[dict[str, Any]] = [
    {"cluster": "west"},
    {"namespace": "shop-ns"},
    {"service": "shop"},
    {"service": "shop-resource"},
    {"direction": "out"},
    {"direction": "OUT"},
    {"tech": "JSON"},
    {"tech": "DynamoDB"},
    {"l7protocol": "HTTPS"},
    {"network_address": "api.example.com:443"},
    {"network_address": ":443", "operator": "CONTAINS"},
    {"host": "api.example.com"},
    {"host": "api.example.com:443"},
    {"host": "example", "operator": "CONTAINS"},
    {"detectedCommand": "POST"},
    {"detectedLocation": "/orders"},
    {"detectedStatus": "201"},
    {"detectedStatus": "201 Created"},
    {"detectedStatus": "^2", "operator": "REGEX"},
    {"optUrl": "/orders"},
    {"optUrl": "/orders?page=2"},
    {"optUrl": "page", "operator": "CONTAINS"},
    {"url": "/orders"},
    {"session": "s-1"},
    {"snapshotId": "snap-1"},
    {"source": "goproxy"},
    {"source": "RRPAIR_SOURCE_GOPROXY"},
    {"uuid": "cbeb87af-0868-44cb-8c7e-8c5120f7c3a3"},
    {"uuid": DOC["uuid"]},
    {"tag": kv("env", "dev")},
    {"header": kv("User-Agent", "curl/8.1")},
    {"header": kv("accept", "*/*")},
    {"header": kv("USER-AGENT", "curl"), "operator": "CONTAINS"},
    {"header": kv("x-name", "^Zo.$"), "operator": "REGEX"},
    {"requestBodyHash": sha256(BODY).hexdigest()},
    {"requestBodyHash": base64.b64encode(sha256(BODY).digest()).decode()},
    {"requestBodyJson": BODY.decode()},
    {"requestBodyJson": '"sku":"x-2"', "operator": "CONTAINS"},
    {"requestBodyJson": kv("$.user.id", "42")},
    {"reqFilter": kv("user.name", "Ann", type="REQ_FILTER_TYPE_JSON")},
    {"reqFilter": kv("$.items[1].sku", "x-2")},
    {"reqFilter": kv("items[*].sku", "x-2")},
    {"reqFilter": kv("user.roles", '["a","b"]')},
    {"respFilter": kv("error", "time", type="RESP_FILTER_TYPE_JSON"), "operator": "CONTAINS"},
    {"text": "timeout", "operator": "CONTAINS"},
    {"text": "Accept: text/html"},
    {"text": "x-2", "operator": "CONTAINS"},
    {"timeRange": {"startTime": "2025-10-09T14:43:41.492895507Z", "endTime": "2025-10-09T14:43:41.492895507Z"}},
    {"timeRange": {"startTime": "2025-10-09T16:43:41+02:00"}},
    {"timeRange": {"endTime": "2025-10-10"}},
    {"sample": "1/1"},
    {"sample": {"key": "rrpair", "value": "3/3"}},
    {"include": False, "service": "other"},
    {"include": False, "header": kv("absent", "")},
    {"include": False, "sample": "0/1"},
]
FAILS: list[dict[str, Any]] = [
    {"cluster": "wes"},
    {"direction": "IN"},
    {"detectedStatus": "20"},
    {"optUrl": "/order"},
    {"host": "example.com"},
    {"header": kv("Absent", ""), "operator": "CONTAINS"},
    {"header": kv("Content-Type", "json"), "operator": "CONTAINS"},
    {"tag": kv("other", "dev")},
    {"include": False, "service": "shop"},
    {"service": "^hop", "operator": "REGEX"},
    {"service": "sho$", "operator": "REGEX"},
    {"reqFilter": kv("user.id", "4")},
    {"reqFilter": kv("nobody", "")},
    {"timeRange": {"startTime": "2025-10-09T14:43:41.492895508Z"}},
    {"timeRange": {"endTime": "2025-10-09T14:43:41.492895506Z"}},
    {"sample": "0/7"},
]


@pytest.mark.parametrize("spec", HOLDS, ids=str)
def test_holds(spec: dict[str, Any]) -> None:
    compiled = compile_rule(rule(**spec))
    assert compiled.matches(pair())
    assert " matches: " in compiled.why(pair())


@pytest.mark.parametrize("spec", FAILS, ids=str)
def test_does_not_hold(spec: dict[str, Any]) -> None:
    compiled = compile_rule(rule(**spec))
    assert not compiled.matches(pair())
    assert "does not match" in compiled.why(pair())


@pytest.mark.parametrize(
    ("criterion", "key", "value", "holds"),
    [
        ("XPATH", "//Order/Id", "7", True),
        ("XPATH", "//o:Order/o:Id/text()", "7", True),
        ("XPATH", "/s:Envelope/s:Body/o:Order/@kind", "new", True),
        ("XPATH", "/Order/Id", "7", False),
        ("XPATH", "//Order[Id='7']/Note", "a bold one", True),
        ("SOAPXPATH", "Order/Id", "7", True),
        ("SOAPXPATH", "/Order/Id", "7", True),
        ("XML", "Envelope.Body.Order.Id", "7", True),
        ("XML", "Order.Id", "7", False),
    ],
)
def test_xml(criterion: str, key: str, value: str, holds: bool) -> None:
    spec = {"reqFilter": kv(key, value, type=f"REQ_FILTER_TYPE_{criterion}")}
    assert compile_rule(rule(**spec)).matches(pair(SOAP)) is holds
    assert not compile_rule(rule(**spec)).matches(pair(b"<not xml"))


def test_other_xml_criteria() -> None:
    for spec in (
        {"httpReqXPath": kv("//Id", "7")},
        {"httpReqSoapXPath": kv("//Id", "7")},
        {"requestBodyXml": kv("//Id", "7")},
        {"requestBodyXml": "<o:Id>7<", "operator": "CONTAINS"},
    ):
        assert compile_rule(rule(**spec)).matches(pair(SOAP))


def test_an_entity_bomb_is_not_opened() -> None:
    bomb = b'<!DOCTYPE a [<!ENTITY b "' + b"x" * 100 + b'">]><a><Id>&b;</Id></a>'
    assert not compile_rule(rule(httpReqXPath=kv("//Id", "x"), operator="CONTAINS")).matches(pair(bomb))


def test_coded_bodies_are_looked_into() -> None:
    coded = pair(gzip.compress(BODY))
    coded.doc["http"]["req"]["headers"]["Content-Encoding"] = ["gzip"]
    assert compile_rule(rule(reqFilter=kv("user.id", "42"))).matches(coded)
    coded.request_body = BODY  # decoded at capture, the header still there
    assert compile_rule(rule(reqFilter=kv("user.id", "42"))).matches(coded)


def test_pairs_that_are_not_http_have_no_headers_urls_or_bodies() -> None:
    sql = RRPair({"l7protocol": "postgres", "command": "Query", "location": "select 1", "postgres": {}})
    for spec in ({"header": kv("a", "b")}, {"optUrl": "x"}, {"host": "x"}, {"reqFilter": kv("a", "b")}):
        assert not compile_rule(rule(**spec)).matches(sql)
    assert compile_rule(rule(detectedLocation="select", operator="CONTAINS")).matches(sql)
    assert not compile_rule(builtin("standard")).matches(sql)


@pytest.mark.parametrize("doc", [{}, {"http": None}, {"http": {"req": {"headers": None}}}, {"tags": None, "ts": 5}])
def test_odd_documents_are_no_reason_to_fail(doc: dict[str, Any]) -> None:
    for spec in [*HOLDS, *FAILS]:
        compiled = compile_rule(rule(**spec))
        compiled.matches(RRPair(copy.deepcopy(doc)))
        compiled.why(RRPair(copy.deepcopy(doc)))


YES, NO = {"service": "shop"}, {"service": "other"}


@pytest.mark.parametrize("outer", ["AND", "OR", None])
@pytest.mark.parametrize("inner", ["AND", "OR", None])
@given(groups=st.lists(st.lists(st.booleans(), min_size=1, max_size=3), min_size=1, max_size=3))
def test_combinations(outer: str | None, inner: str | None, groups: list[list[bool]]) -> None:
    def joined(operator: str | None, values: list[bool]) -> bool:
        return any(values) if operator == "OR" else all(values)

    conditions = [
        ({"operator": inner} if inner else {}) | {"filters": [YES if wanted else NO for wanted in group]}
        for group in groups
    ]
    spec = ({"operator": outer} if outer else {}) | {"conditions": conditions}
    expected = joined(outer, [joined(inner, group) for group in groups])
    compiled = compile_rule(spec)
    assert compiled.matches(pair()) is expected
    assert (" matches: " in compiled.why(pair())) is expected


def test_merged_filters_keep_their_exclusions() -> None:
    spec = {
        "operator": "OR",
        "conditions": [
            {
                "operator": "OR",
                "filters": [
                    {"operator": "CONTAINS", "header": kv("User-Agent", "wget")},
                    {"operator": "CONTAINS", "header": kv("User-Agent", "lynx")},
                    {"include": False, "operator": "CONTAINS", "header": kv("User-Agent", "curl")},
                ],
            }
        ],
    }
    assert not compile_rule(spec).matches(pair())
    other = pair()
    other.doc["http"]["req"]["headers"]["user-agent"] = ["lynx/2"]
    assert compile_rule(spec).matches(other)


def test_why_names_what_decided() -> None:
    compiled = compile_rule({"id": "r1", **rule(operator="CONTAINS", header=kv("User-Agent", "curl"))})
    assert compiled.id == "r1"
    assert compiled.why(pair()) == "rule 'r1' matches: header[User-Agent] CONTAINS \"curl\""
    missing = compile_rule(rule(include=False, service="shop")).why(pair())
    assert missing == 'the rule does not match; not true: service NOT "shop"'


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({}, ["conditions"]),
        ({"conditions": []}, ["conditions"]),
        ({"conditions": [{"filters": []}]}, ["conditions[0].filters"]),
        ({"conditions": [{"filters": [{}]}]}, ["filters[0]"]),
        (rule(include=True), ["no criterion"]),
        (rule(service="a", host="b"), ["service and host", "one thing"]),
        (rule(servise="a"), ["servise", "did you mean 'service'"]),
        (rule(operator="EQUALS", service="a"), ["did you mean 'EQUAL'"]),
        ({"operator": "XOR", "conditions": [{"filters": [YES]}]}, ["expected one of AND, OR"]),
        (rule(operator="REGEX", service="(?=a)"), ["conditions[0].filters[0]", "not supported"]),
        (rule(operator="REGEX", service="(a"), ["parenthes"]),
        (rule(operator="REGEX", service=r"(a)\1"), ["unsupported"]),
        (rule(sample="2/1"), ["0 to 1"]),
        (rule(sample="half"), ["1/5"]),
        (rule(timeRange={"startTime": "yesterday"}), ["RFC 3339"]),
        (rule(timeRange={"startTime": "2025-02-02", "endTime": "2025-01-01"}), ["after its end"]),
        (rule(httpReqXPath=kv("//a[", "x")), ["XPath"]),
        (rule(reqFilter=kv("a[", "x")), ["conditions[0].filters[0]"]),
        (rule(header="User-Agent"), ["header", "object"]),
        ({"query": "nonsense"}, ["unknown keyword"]),
    ],
    ids=str,
)
def test_refused_with_what_and_where(spec: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        compile_rule(spec)
    for word in words:
        assert word in str(caught.value)


def test_a_group_alone_and_a_query_alone_are_rules() -> None:
    assert compile_rule({"filters": [YES], "operator": "OR"}).matches(pair())
    assert compile_rule({"id": "q", "query": 'service IS "shop"'}).matches(pair())


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("a$", "a\n", False),
        ("(?m)a$", "a\nb", True),
        (r"a\$", "a$", True),
        ("[$]", "$", True),
        ("[]$]", "$", True),
        ("[^]$]", "$", False),
        (r"\Qa.b$\E", "xa.b$", True),
        (r"\Qa.b", "a+b", False),
        ("(?U)a+", "aa", True),
        ("(?iU)A+$", "aa", True),
        ("x(?i:Y)", "xy", True),
        ("a(?i)B", "ab", True),
        (r"\d{3}", "12", False),
        (r"^\pL+$", "Zoë", True),
        ("[[:digit:]]+", "1", True),
        ("(?P<n>a)", "a", True),
        ("", "", True),
        ("", "x", True),
        ("^$", "x", False),
        ("(a+)+$", "a" * 5000 + "b", False),
        ("\N{SNOWMAN}", "\N{SNOWMAN}", True),
        ("x", "\udc80x", True),
    ],
)
def test_regular_expressions_are_those_of_go(pattern: str, text: str, found: bool) -> None:
    assert compile_rule(rule(operator="REGEX", service=pattern)).matches(RRPair({"service": text})) is found


def sampled(spec: Any, pairs: list[RRPair]) -> list[int]:
    compiled = compile_rule(rule(sample=spec))
    return [i for i, p in enumerate(pairs) if compiled.matches(p)]


def test_samples_keep_their_fraction_whole_sessions_and_the_same_ones() -> None:
    pairs = [RRPair({"uuid": f"u{i}", "session": f"s{i // 4}"}) for i in range(4000)]
    kept = sampled("1/5", pairs)
    assert kept == sampled("1/5", pairs) == sampled("1/5", pairs)
    assert 600 < len(kept) < 1000
    assert {i // 4 for i in kept} == {i // 4 for i in range(4000) if (i // 4) * 4 in kept}
    assert len(kept) % 4 == 0
    single = sampled({"key": "rrpair", "value": "1/5"}, pairs)
    assert 700 < len(single) < 900
    assert set(single) != set(kept)
    assert set(sampled("1/5", pairs)) <= set(sampled("2/5", pairs))


@pytest.mark.parametrize(
    ("path", "agent", "host"),
    [
        ("/healthz", "x", "shop"),
        ("/livez?verbose", "x", "shop"),
        ("/readyz", "x", "shop"),
        ("/hystrix.stream", "x", "shop"),
        ("/", "ELB-HealthChecker/2.0", "shop"),
        ("/", "kube-probe/1.29", "shop"),
        ("/metrics", "Prometheus/2.45.0", "shop"),
        ("/", "GoogleHC/1.0", "shop"),
        ("/", "x", "monitoring.us-east-1.amazonaws.com"),
        ("/api/v1/series", "x", "api.datadoghq.com"),
        ("/v0.4/traces", "x", "10.0.0.1:8126"),
        ("/agent_listener", "NewRelic-PythonAgent/9", "collector.newrelic.com"),
        ("/v1/traces", "OTel-OTLP-Exporter-Python/1.2", "otel:4318"),
        ("/api/1/envelope/", "sentry.python/1", "o1.ingest.sentry.io"),
    ],
)
def test_standard_speaks_of_probes_and_observability(path: str, agent: str, host: str) -> None:
    compiled = compile_rule(builtin("standard"))
    probe = RRPair({"http": {"req": {"url": path, "uri": path, "host": host, "headers": {"User-Agent": [agent]}}}})
    assert compiled.matches(probe)
    plain = {"url": "/api/orders", "uri": "/api/orders", "host": "shop", "headers": {"User-Agent": ["Mozilla/5.0"]}}
    assert not compiled.matches(RRPair({"http": {"req": plain}}))


def test_builtin_gives_fresh_copies_and_names_what_there_is() -> None:
    first = builtin("standard")
    first["conditions"].clear()
    assert builtin("standard")["conditions"]
    assert "standard" in builtin_names()
    with pytest.raises(ConfigError, match="did you mean 'standard'"):
        builtin("standrad")
    with pytest.raises(ConfigError, match="there are standard"):
        builtin("none")


@pytest.mark.parametrize("name", builtin_names())
def test_built_in_rules_compile_under_their_own_name(name: str) -> None:
    assert compile_rule(builtin(name)).id == name


def as_head(doc: dict[str, Any], ascii_only: bool) -> bytes:
    return json.dumps(doc, ensure_ascii=ascii_only).encode()


@pytest.mark.parametrize("spec", [*HOLDS, *FAILS], ids=str)
@pytest.mark.parametrize("ascii_only", [True, False])
def test_the_quick_no_never_contradicts(spec: dict[str, Any], ascii_only: bool) -> None:
    compiled = compile_rule(rule(**spec))
    for doc in (DOC, DOC | {"service": 'sh"op'}, DOC | {"http": {"req": {"url": "/x"}}}):
        if compiled.matches(RRPair(copy.deepcopy(doc), BODY)):
            assert compiled.may_match(as_head(doc, ascii_only))


def test_the_quick_no_spares_what_the_rule_is_not_after() -> None:
    compiled = compile_rule(builtin("standard"))
    assert not compiled.may_match(b'{"http":{"req":{"url":"/orders","headers":{"User-Agent":["curl"]}}}}')
    assert compiled.may_match(b'{"http":{"req":{"url":"/orders","headers":{"User-Agent":["KUBE-PROBE/1"]}}}}')
    assert compiled.may_match(b'{"http":{"req":{"url":"\\/orders"}}}')
    assert compile_rule(rule(include=False, service="x")).may_match(b"{}")
    assert compile_rule(rule(operator="CONTAINS", service="")).may_match(b"{}")
