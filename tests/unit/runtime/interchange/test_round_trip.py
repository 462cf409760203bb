"""What goes out and comes in again is the same call, as far as a format can say it."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedscale_runtime import interchange
from speedscale_runtime.interchange import call as calls
from speedscale_runtime.interchange.call import Call, Origin, pair_of

TOKEN = st.text("abcdefghijklmnopqrstuvwxyzABCDEFXYZ-", min_size=1, max_size=10).filter(lambda t: t.strip("-") == t)
VALUE = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)
RESERVED = {
    "host",
    "content-length",
    "content-type",
    "content-encoding",
    "cookie",
    "connection",
    "te",
    "trailer",
    "upgrade",
}
HEADERS = (
    st.lists(st.tuples(TOKEN.map(lambda t: f"X-{t}"), VALUE), max_size=5)
    .map(lambda hs: tuple(sorted({n.lower(): [(n, v) for m, v in hs if m == n] for n, _ in hs}.values())))
    .map(lambda groups: tuple(pair for group in groups for pair in group))
)
SEGMENT = st.text("abcXYZ019-._~", min_size=1, max_size=8).filter(lambda s: s.strip("."))
QUERY = st.lists(st.tuples(st.text("abc", min_size=1, max_size=3), st.text("abc019 &=+é/", max_size=6)), max_size=4)
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n\t"), max_size=60)
BODY = TEXT.map(str.encode)


def url(host: str, segments: list[str], query: list[tuple[str, str]]) -> str:
    from urllib.parse import urlencode

    return f"http://{host}/{'/'.join(segments)}" + (f"?{urlencode(query)}" if query else "")


URLS = st.builds(
    url, st.sampled_from(["shop:8080", "api.example.com", "[::1]:8080"]), st.lists(SEGMENT, max_size=4), QUERY
)


def call_of(bodies: st.SearchStrategy[bytes]) -> st.SearchStrategy[Call]:
    return st.builds(
        Call,
        method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]),
        url=URLS,
        headers=HEADERS.map(lambda h: (*h, ("Content-Type", "application/octet-stream"))),
        body=bodies,
        status=st.sampled_from([200, 201, 204, 301, 404, 418, 503]),
        reason=st.just(""),
        response_headers=HEADERS.map(lambda h: (*h, ("Content-Type", "text/plain"))),
        response_body=bodies,
        ts=st.just("2026-01-02T03:04:05.123456789Z"),
        duration_ms=st.integers(0, 5000).map(float),
        direction=st.sampled_from(["IN", "OUT"]),
        service=st.just("shop"),
    )


def trip(form: str, call: Call) -> Call:
    """Send a call through a format; return what came back."""
    out = interchange.dump(form, [pair_of(call, Origin("test"), 0)])
    (data,) = out.files.values()
    back = interchange.load(form, data)
    assert out.problems == ()
    assert back.problems == ()
    (pair,) = back.pairs
    again = calls.of(pair)
    assert again is not None
    return again


def lists(headers: tuple[tuple[str, str], ...]) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for name, value in headers:
        if name.lower() != "host":
            grouped.setdefault(name.lower(), []).append(value)
    return grouped


def same(a: Call, b: Call) -> None:
    assert (b.method, b.url, b.body, b.status, b.response_body) == (a.method, a.url, a.body, a.status, a.response_body)
    assert lists(b.headers) == lists(a.headers)
    assert lists(b.response_headers) == lists(a.response_headers)


@given(call_of(BODY | st.binary(max_size=40)))
def test_har_keeps_everything(call: Call) -> None:
    again = trip("har", call)
    same(call, again)
    assert (again.ts, again.direction, again.service) == (call.ts, call.direction, call.service)
    assert round(again.duration_ms) == round(call.duration_ms)


@given(call_of(BODY))
def test_postman_keeps_texts(call: Call) -> None:
    same(call, trip("postman", call))


@given(call_of(BODY | st.binary(max_size=40)))
def test_wiremock_keeps_what_a_mapping_can_say(call: Call) -> None:
    again = trip("wiremock", call)
    same(call, again)
    assert (again.ts, again.service) == (call.ts, call.service)


@given(call_of(BODY))
def test_curl_keeps_the_request(call: Call) -> None:
    if not call.body:
        return
    again = trip("curl", call)
    assert (again.method, again.url, again.body) == (call.method, call.url, call.body)
    assert lists(again.headers) == lists(call.headers)


@pytest.mark.parametrize("form", interchange.EXPORTS)
def test_the_same_pairs_give_the_same_bytes(form: str) -> None:
    call = Call("POST", "http://shop/a?b=c", (("X", "1"),), b"{}", 200, "OK", (("Y", "2"),), b"{}")
    once, twice = (interchange.dump(form, [pair_of(call, Origin("test"), i) for i in range(3)]) for _ in range(2))
    assert once == twice


@given(st.binary(max_size=200))
def test_what_is_no_file_of_the_format_is_refused_with_words(data: bytes) -> None:
    from speedscale_schemas.errors import ConfigError

    for form in interchange.IMPORTS:
        said = "x"
        try:
            interchange.load(form, data, file="x")
        except ConfigError as error:
            said = error.problems[0]
        assert said.startswith("x")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "url",
                    "request",
                    "response",
                    "header",
                    "headers",
                    "body",
                    "item",
                    "raw",
                    "query",
                    "mode",
                    "status",
                    "content",
                    "postData",
                    "bodyPatterns",
                    "auth",
                    "key",
                    "value",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=25,
)


@given(JSON, JSON)
def test_odd_documents_give_problems_and_no_exceptions(a: Any, b: Any) -> None:
    import orjson

    from speedscale_schemas.errors import ConfigError

    documents = {
        "har": {"log": {"entries": [{"request": a, "response": b}, a]}},
        "wiremock": {
            "mappings": [
                {"request": a, "response": b},
                {"request": {"url": "/x"}, "response": b},
                {"request": a, "response": {}},
            ]
        },
        "postman": {
            "info": {},
            "item": [
                {"request": a, "response": b},
                {"request": {"url": a, "body": b}},
                {"request": {"url": "http://x", "header": a, "auth": b}},
            ],
        },
    }
    for form, document in documents.items():
        try:
            data = orjson.dumps(document)
        except TypeError:
            return  # integers beyond 64 bits
        with contextlib.suppress(ConfigError):
            interchange.load(form, data, file="x")
