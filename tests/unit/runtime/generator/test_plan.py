"""From pairs to what is sent: bytes, targets, endpoints, sessions, and what cannot be replayed."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from speedscale_runtime.generator.config import from_environ
from speedscale_runtime.generator.endpoints import Endpoints, template
from speedscale_runtime.generator.plan import build
from speedscale_runtime.generator.targets import Target, parse_override, parse_overrides, target_of
from speedscale_runtime.generator.testconfig import read
from speedscale_runtime.generator.wire import UnsendableError, encode
from speedscale_runtime.rrpair import RRPair
from speedscale_schemas.errors import ConfigError


def pair(uri: str = "/x", method: str = "GET", body: bytes | None = None, **more: Any) -> RRPair:
    headers = more.pop("headers", {})
    request = {"method": method, "uri": uri, "host": more.pop("host", "app:8080"), "headers": headers}
    doc = {"l7protocol": "http", "service": "api", **more, "http": {"req": request, "res": {"statusCode": 200}}}
    return RRPair(doc, body)


def lines(made: bytes) -> list[str]:
    return made.split(b"\r\n\r\n")[0].decode().split("\r\n")


def test_headers_go_out_as_recorded_but_for_the_connections_own() -> None:
    made = encode(
        pair(headers={
            "accept": ["a, b"], "Connection": ["keep-alive, X-Hop"], "X-Hop": ["1"], "Keep-Alive": ["timeout=5"],
            "Content-Length": ["99"], "Transfer-Encoding": ["chunked"], "X-Two": ["1", "2"], ":authority": ["z"],
            "Accept-Encoding": ["gzip"], "Expect": ["100-continue"],
        }),
        "target:1", rewrite_host=False,
    )  # fmt: skip
    assert lines(made) == [
        "GET /x HTTP/1.1", "Host: app:8080", "accept: a, b", "X-Two: 1", "X-Two: 2", "Accept-Encoding: gzip",
    ]  # fmt: skip


def test_a_replays_mark_joins_the_recorded_baggage_and_nothing_else_changes() -> None:
    recorded = pair(headers={"Baggage": ["user=ada", "tenant=x"], "Accept": ["*/*"]})
    plain = lines(encode(recorded, "target:1", rewrite_host=False))
    assert plain == ["GET /x HTTP/1.1", "Host: app:8080", "Baggage: user=ada", "Baggage: tenant=x", "Accept: */*"]
    made = lines(encode(recorded, "target:1", rewrite_host=False, mark="speedscale-replay=r-1"))
    assert made == [*plain[:2], "Accept: */*", "baggage: user=ada,tenant=x,speedscale-replay=r-1"]
    (session,) = build([pair()], parse_overrides(["http://app:1"]), mark="speedscale-replay=r-1").sessions
    assert b"\r\nbaggage: speedscale-replay=r-1\r\n" in session.tests[0].wire


@pytest.mark.parametrize(
    ("report", "wanted", "mark"), [("r 1", True, "speedscale-replay=r%201"), ("r-1", False, ""), ("", True, "")]
)
def test_tests_are_marked_where_the_report_has_an_id_and_the_config_lets_them(
    report: str, wanted: bool, mark: str
) -> None:
    settings = from_environ({"SNAPSHOT_ID": "s", "TEST_REPORT_ID": report})
    assert settings.mark(read({"id": "c", "generator": {"mark": wanted}})) == mark


def test_host_is_the_recorded_one_unless_told() -> None:
    recorded = pair(headers={"host": ["shop.example"]})
    assert lines(encode(recorded, "target:1", rewrite_host=False))[1] == "Host: shop.example"
    assert lines(encode(recorded, "target:1", rewrite_host=True))[1] == "Host: target:1"
    assert lines(encode(pair(host=""), "target:1", rewrite_host=False))[1] == "Host: target:1"


def test_bodies_get_their_length_and_their_form_back() -> None:
    made = encode(pair(method="POST", body=b"abc"), "t", rewrite_host=False)
    assert made.endswith(b"Content-Length: 3\r\n\r\nabc")
    assert encode(pair(method="POST"), "t", rewrite_host=False).endswith(b"Content-Length: 0\r\n\r\n")
    form = {"Content-Type": ["application/x-www-form-urlencoded; charset=utf-8"]}
    shown = json.dumps({"user": "a b", "n": "1", "l": ["x", "y"], "e": ""}).encode()
    sized = {**form, "content-length": ["23"]}  # the form's, though the recording shows JSON
    made = encode(pair(method="POST", body=shown, headers=sized), "t", rewrite_host=False)
    assert made.endswith(b"Content-Length: 23\r\n\r\nuser=a+b&n=1&l=x&l=y&e=")
    assert encode(pair(method="POST", body=b"a=1&b=%7B", headers=form), "t", rewrite_host=False).endswith(b"a=1&b=%7B")


@pytest.mark.parametrize("length", [True, False], ids=["with a length", "chunked"])
@pytest.mark.parametrize("body", [b'{"sku":"A","quantity":1}', b'{"sku": "A"}', b'{"a":{"b":[1]}}', b"{}", b"{"])
def test_json_that_its_client_called_a_form_goes_out_as_it_came(body: bytes, length: bool) -> None:
    headers = {"Content-Type": ["application/x-www-form-urlencoded"]}
    if length:
        headers["Content-Length"] = [str(len(body))]
    made = encode(pair(method="POST", body=body, headers=headers), "t", rewrite_host=False)
    assert made.split(b"\r\n\r\n", 1)[1] == body


def test_a_body_that_the_recording_decoded_is_coded_again() -> None:
    headers = {"Content-Encoding": ["gzip"]}
    made = encode(pair(method="POST", body=b'{"a":1}', headers=headers), "t", rewrite_host=False)
    assert gzip.decompress(made.split(b"\r\n\r\n", 1)[1]) == b'{"a":1}'
    raw = gzip.compress(b"x", mtime=0)
    assert encode(pair(method="POST", body=raw, headers=headers), "t", rewrite_host=False).endswith(raw)


@pytest.mark.parametrize("bad", [{"X": ["a\r\nEvil: 1"]}, {"X\n": ["a"]}, {"X": ["a\0"]}])
def test_line_breaks_in_headers_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(UnsendableError):
        encode(pair(headers=bad), "t", rewrite_host=False)


@pytest.mark.parametrize(
    ("uri", "sent"),
    [("/a b?q=ä", "/a%20b?q=%C3%A4"), ("/a%20b?x=[1]&y={}", "/a%20b?x=[1]&y={}"), ("http://h/p?q", "/p?q"), ("*", "*")],
)
def test_request_targets(uri: str, sent: str) -> None:
    assert lines(encode(pair(uri), "t", rewrite_host=False))[0] == f"GET {sent} HTTP/1.1"


OVERRIDES = [
    # override, recorded host, tls → target: the vendor's table, each part on its own
    ("https://", "app:8080", False, "https://app:443"),
    ("http://", "app", True, "http://app:80"),
    (":9090", "app:8080", False, "http://app:9090"),
    (":9090", "app", True, "https://app:9090"),
    ("new.example.com", "app:8080", False, "http://new.example.com:8080"),
    ("new.example.com:81", "app:8080", True, "https://new.example.com:81"),
    ("http://localhost:3000", "app", True, "http://localhost:3000"),
    ("http://localhost", "app:8080", False, "http://localhost:80"),
    ("https://localhost/", "app:8080", False, "https://localhost:443"),
    ("http://:3000", "app:8080", True, "http://app:3000"),
    ("[::1]:80", "app", False, "http://[::1]:80"),
    ("api=:1", "app:8080", False, "http://app:1"),
    ("app=:1", "app:8080", False, "http://app:1"),
    ("other=:1", "app:8080", False, "http://app:8080"),
]


@pytest.mark.parametrize(("override", "host", "tls", "target"), OVERRIDES)
def test_scheme_host_and_port_are_replaced_independently(override: str, host: str, tls: bool, target: str) -> None:
    recorded = pair(host=host, l7protocol="https" if tls else "http")
    assert str(target_of(recorded, [parse_override(override)])) == target


def test_a_service_of_its_own_wins_over_all() -> None:
    overrides = parse_overrides([":1", "api=:2"])
    assert str(target_of(pair(), overrides)) == "http://app:2"
    assert str(target_of(pair(service="web"), overrides)) == "http://app:1"


@pytest.mark.parametrize("text", ["", "ftp://x", "http://a b", "x:99999", "a=", "http://h/path/x", "http://h:p"])
def test_wrong_targets_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="write"):
        parse_override(text)


def test_two_targets_for_one_service_are_refused() -> None:
    with pytest.raises(ConfigError, match="two targets for every service"):
        parse_overrides([":1", ":2"])


def test_authority_leaves_out_the_schemes_own_port() -> None:
    assert Target("https", "h", 443).authority == "h"
    assert Target("http", "::1", 443).authority == "[::1]:443"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/orders/7001", "/orders/{id}"),
        ("/u/0123e456-7890-4abc-8def-0123456789ab/x", "/u/{id}/x"),
        ("/c/5f1d7f3e9b2c4a6d8e0f1a2b", "/c/{id}"),
        ("/v1/items?x=1", "/v1/items"),
        ("/REDACTED-EMAIL-0011", "/{id}"),
        ("/t/abcdefghij1234567890xyz", "/t/{id}"),
        ("", "/"),
    ],
)
def test_endpoints_are_templated(path: str, name: str) -> None:
    assert template(path) == name


def test_endpoint_regexes_win_in_order() -> None:
    names = Endpoints([{"url": "^/a/", "method": "POST"}, {"url": "^/a"}])
    assert names.location("GET", "/a/1") == "^/a"
    assert names.location("POST", "/a/1") == "^/a/"
    assert names.location("GET", "/b/1") == "/b/{id}"
    with pytest.raises(ConfigError, match=r"endpoint_regexes\[0\]"):
        Endpoints([{"url": "("}])


def test_what_cannot_be_replayed_is_counted_by_reason() -> None:
    plan = build(
        [
            pair(),
            RRPair({"l7protocol": "postgres"}),
            RRPair({"l7protocol": "postgres"}),
            pair(tags={"requestPayloadTruncated": "9"}),
            pair(method="CONNECT"),
            pair(host=""),
            pair(headers={"Content-Type": ["application/grpc+proto"]}),
            pair(headers={"X": ["a\nb"]}),
        ]
    )
    assert plan.tests == 1
    assert {s["reason"]: s["pairs"] for s in plan.skipped} == {
        "protocol postgres is no HTTP": 2,
        "the recorded request body was cut": 1,
        "CONNECT is for proxies": 1,
        "the recording names no host and there is no target for it (--test-against)": 1,
        "gRPC is not replayed yet": 1,
        "a header holds a line break": 1,
    }


def session(name: str, uri: str, *, answer: str = "", connection: str = "", **headers: str) -> RRPair:
    made = pair(uri, session=name, headers={k: [v] for k, v in headers.items()}, netinfo={"id": connection})
    made.response_body = answer.encode()
    return made


def test_a_login_and_what_uses_its_token_are_one_session() -> None:
    plan = build(
        [
            session("", "/login", answer='{"token":"tok-123456"}'),
            session("tok-123456", "/me", Authorization="Bearer tok-123456"),
            session("other", "/x"),
        ]
    )
    assert [[t.pair.http_request["uri"] for t in s.tests if t.pair.http_request] for s in plan.sessions] == [
        ["/login", "/me"],
        ["/x"],
    ]


def test_a_shared_connection_makes_one_session() -> None:
    plan = build([session("a", "/1", connection="7"), session("b", "/2", connection="7"), session("c", "/3")])
    assert sorted(len(s.tests) for s in plan.sessions) == [1, 2]
