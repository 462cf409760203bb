"""What is derived from a pair: session, tokens, tech; never more than redaction left."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speedscale_runtime import signatures
from speedscale_runtime.rrpair import RRPair
from speedscale_runtime.signatures import patterns, tokens
from speedscale_runtime.signatures.tech import tech

TOKEN = "REDACTED-JWT-0123456789abcdef0123"
CLAIMS = base64.urlsafe_b64encode(b'{"sub":"1","exp":1800000000}').decode().rstrip("=")
JWT = f"eyJhbGciOiJIUzI1NiJ9.{CLAIMS}.c2lnbmF0dXJl"


def pair(
    headers: dict[str, str] | None = None,
    answered: dict[str, str] | None = None,
    body: Any = None,
    answer: Any = None,
) -> RRPair:
    def listed(given: dict[str, str] | None) -> dict[str, list[str]]:
        return {k: [v] for k, v in (given or {}).items()}

    def raw(value: Any) -> bytes:
        return b"" if value is None else json.dumps(value).encode()

    req = {"method": "POST", "url": "/login", "uri": "/login", "host": "h", "headers": listed(headers)}
    res = {"statusCode": 200, "headers": listed(answered)}
    return RRPair({"uuid": "dXVpZA==", "http": {"req": req, "res": res}}, raw(body), raw(answer))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (pair({"authorization": f"Bearer {TOKEN}"}), TOKEN),
        (pair({"Authorization": f"Bearer {JWT}"}), JWT),
        (pair({"Cookie": "theme=dark; JSESSIONID=abc123"}), "abc123"),
        (pair(answered={"Set-Cookie": "connect.sid=s%3Axyz; Path=/; HttpOnly"}), "s%3Axyz"),
        (pair(answer={"data": {"access_token": TOKEN}}), TOKEN),
        (pair({"Cookie": "theme=dark"}), ""),
        (pair(), ""),
    ],
)
def test_the_session_is_the_credential_that_requests_share(given: RRPair, expected: str) -> None:
    assert signatures.session(given) == expected


def test_a_login_has_the_session_that_it_opens_even_redacted() -> None:
    login, later = pair(answer={"access_token": TOKEN}), pair({"Authorization": f"Bearer {TOKEN}"})
    assert signatures.session(login) == signatures.session(later) == TOKEN


def test_tokens_say_what_they_are_and_where_they_stand() -> None:
    given = pair({"Authorization": f"Bearer {JWT}"}, answer={"user": {"email": "a.b@example.com"}, "n": [1]})
    signatures.annotate(given)
    tokens = given.doc["tokenList"]
    assert set(tokens) == {f"JWT:{JWT}", "EMAIL:a.b@example.com"}
    jwt = tokens[f"JWT:{JWT}"]["tokens"][0]
    assert jwt["uuid"] == "dXVpZA=="
    assert jwt["token"] == {
        "location": "http.req.headers.Authorization.0",
        "regex": r"^Bearer\s(.+)",
        "pattern": "DATA_PATTERN_JWT",
        "replacementValue": base64.b64encode(JWT.encode()).decode(),
        "expiration": "2027-01-15T08:00:00Z",
    }
    email = tokens["EMAIL:a.b@example.com"]["tokens"][0]["token"]
    assert email["location"] == "http.res.bodyBase64.user.email"


def test_a_redacted_value_is_found_as_its_token_of_its_kind() -> None:
    given = pair(answer={"email": "REDACTED-EMAIL-0123456789abcdef0123", "x": "REDACTED-0123456789abcdef0123"})
    signatures.annotate(given)
    assert given.doc["tokenList"]["EMAIL:REDACTED-EMAIL-0123456789abcdef0123"]
    unknown = given.doc["tokenList"]["UNRECOGNIZED:REDACTED-0123456789abcdef0123"]["tokens"][0]["token"]
    assert "pattern" not in unknown


@pytest.mark.parametrize(
    ("value", "pattern"),
    [
        ("2026-01-31T12:00:00.123Z", "DATETIME"),
        ("0b1f8f3e-5a0c-4c39-9d0a-6e3a3f0c9b11", "UUID"),
        ("192.0.2.7", "IP"),
        ("https://example.com/a?b=c", "HTTP_URL"),
    ],
)
def test_patterns_of_whole_values(value: str, pattern: str) -> None:
    given = pair(answer={"v": value})
    signatures.annotate(given)
    assert list(given.doc["tokenList"]) == [f"{pattern}:{value}"]


@pytest.mark.parametrize("value", ["999.0.2.7", "hello world", "12345678", "x@y"])
def test_other_values_are_no_tokens(value: str) -> None:
    given = pair(answer={"v": value})
    signatures.annotate(given)
    assert "tokenList" not in given.doc


def test_a_trace_and_a_dated_number_are_found() -> None:
    trace = "00-4e87b589a209bd017e3cd75dabf0bbfa-37df69bd08fe5c9f-01"
    given = pair({"Traceparent": trace}, body={"created_at": 1757455613, "amount": 1757455613})
    signatures.annotate(given)
    assert set(given.doc["tokenList"]) == {
        "TRACE_ID:4e87b589a209bd017e3cd75dabf0bbfa",
        "SPAN_ID:37df69bd08fe5c9f",
        "DATETIME:1757455613",
    }
    assert len(given.doc["tokenList"]["DATETIME:1757455613"]["tokens"]) == 1


def test_the_list_of_tokens_is_bounded() -> None:
    given = pair(answer=[f"a{n}@example.com" for n in range(500)])
    signatures.annotate(given)
    assert sum(len(entry["tokens"]) for entry in given.doc["tokenList"].values()) == 64


def test_annotating_twice_is_annotating_once_and_nothing_stale_stays() -> None:
    given = pair({"Authorization": f"Bearer {JWT}"}, body={"a": 1})
    signatures.annotate(given)
    once = given.copy().to_doc()
    signatures.annotate(given)
    assert given.to_doc() == once
    del given.doc["http"]["req"]["headers"]["Authorization"]
    given.request_body = b""
    signatures.annotate(given)
    assert "session" not in given.doc
    assert "tokenList" not in given.doc
    assert "http:requestBodyJSON" not in given.doc["signature"]


def test_the_summary_is_filled_in_where_absent_and_kept_where_present() -> None:
    given = pair()
    given.doc["location"] = "/edited"
    signatures.annotate(given)
    assert (given.doc["command"], given.doc["location"], given.doc["status"]) == ("POST", "/edited", "200")


def test_sql_is_a_token_of_its_statement() -> None:
    parse = {"parseRequest": {"query": "SELECT 1"}}
    given = RRPair({"l7protocol": "postgres", "postgres": {"request": {"execute": {"bindRequest": parse}}}})
    signatures.annotate(given)
    token = given.doc["tokenList"]["SQL:SELECT 1"]["tokens"][0]["token"]
    assert token["location"] == "postgres.request.execute.bindRequest.parseRequest.query"
    assert given.doc["tech"] == "Postgres"


@pytest.mark.parametrize(
    ("given", "label"),
    [
        (pair({"X-Amz-Target": "DynamoDB_20120810.GetItem"}), "DynamoDB"),
        (pair({"Content-Type": "application/grpc+proto"}), "gRPC"),
        (pair(answer={"a": 1}), "JSON"),
        (pair(answered={"Content-Type": "text/xml"}), "XML"),
        (pair(answered={"Content-Type": "text/html"}), "HTML"),
        (pair(), "HTTP"),
    ],
)
def test_tech(given: RRPair, label: str) -> None:
    assert tech(given) == label


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2_000_000_000_000) | st.text(max_size=9) | st.sampled_from(
        ["eyJhbGciOiJub25lIn0.eyJleHAiOjF9.", "6f1f7e5a-1c9d-4b49-b5ab-7ac4db2f4a0e", "2026-01-02T03:04:05Z", "a@b.co",
         "203.0.113.9", "https://x.example/y", "REDACTED-EMAIL-" + "0" * 20, "Bearer eyJh.eyJi.c", "plain words here"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["a", "createdAt", "created_at", "Time", "EXPIRES", "epoch", "x-y"]), inner, max_size=3
    ),
    max_leaves=8,
)  # fmt: skip


@settings(max_examples=300, deadline=None, derandomize=True)
@given(_JSON, st.booleans())
def test_what_is_not_searched_holds_nothing(document: object, ascii_only: bool) -> None:
    body = json.dumps({"d": document}, ensure_ascii=ascii_only).encode()
    if not patterns.could_hold(body):
        assert list(tokens._in_tree("x", json.loads(body))) == []
