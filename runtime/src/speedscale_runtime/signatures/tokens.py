"""The token list of a pair: which values in it a replay may have to replace, and where they stand.

Called by `annotate`. Locations are written as the vendor's analyzer writes them
(`http.req.headers.Authorization.0`, `http.res.bodyBase64.access_token`). Bounded: TOKENS_MAX tokens a pair, bodies
over BODY_MAX bytes are not searched; the list then simply ends.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from itertools import islice
from typing import Any

import orjson

from speedscale_runtime.rrpair import RRPair

from . import patterns
from .patterns import Found

TOKENS_MAX = 64
BODY_MAX = 256 * 1024
_LEAVES_MAX = 5000
_HEADERS = frozenset(
    ("authorization", "cookie", "set-cookie", "traceparent", "location", "x-request-id", "x-correlation-id", "etag")
)
_STATEMENTS = ("query", "parse", "describe", "bind", "execute")


def token_list(pair: RRPair) -> dict[str, Any]:
    """Return the document's `tokenList` for a pair; empty where nothing was recognised."""
    listed: dict[str, Any] = {}
    uuid = pair.doc.get("uuid")
    for location, found in islice(_search(pair), TOKENS_MAX):
        name = f"{found.pattern}:{found.value}"
        entry = listed.setdefault(name, {"id": name, "tokens": []})
        entry["tokens"].append({**({"uuid": uuid} if uuid else {}), "token": _token(location, found)})
    return {name: listed[name] for name in sorted(listed)}


def _token(location: str, found: Found) -> dict[str, str]:
    token = {"location": location}
    if found.regex:
        token["regex"] = found.regex
    if found.pattern != patterns.UNRECOGNIZED:
        token["pattern"] = patterns.PREFIX + found.pattern
    token["replacementValue"] = base64.b64encode(found.value.encode("utf-8", "surrogatepass")).decode("ascii")
    if found.pattern == "JWT":
        expires = patterns.expiration(found.value)
        if expires:
            token["expiration"] = expires
    return token


def _search(pair: RRPair) -> Iterator[tuple[str, Found]]:
    for side, part, body in (
        ("req", pair.http_request, pair.request_body),
        ("res", pair.http_response, pair.response_body),
    ):
        if part is None:
            continue
        yield from _in_headers(f"http.{side}.headers", part.get("headers"))
        params = part.get("queryParams")
        if isinstance(params, dict):
            yield from _in_tree(f"http.{side}.queryParams", params)
        if body and len(body) <= BODY_MAX and body[:1] in (b"{", b"["):
            try:
                tree = orjson.loads(body)
            except orjson.JSONDecodeError:
                continue
            yield from _in_tree(f"http.{side}.bodyBase64", tree)
    yield from _in_sql(pair.doc.get("postgres"))


def _in_headers(prefix: str, headers: object) -> Iterator[tuple[str, Found]]:
    if not isinstance(headers, dict):
        return
    for name in sorted(headers):
        if name.lower() not in _HEADERS:
            continue
        values = headers[name] if isinstance(headers[name], list) else [headers[name]]
        for index, value in enumerate(values):
            if not isinstance(value, str):
                continue
            at = f"{prefix}.{name}.{index}"
            if name.lower() == "traceparent":
                yield from ((at, found) for found in patterns.traceparent(value))
                continue
            found = patterns.recognise(value)
            if found is not None:
                yield at, found


def _in_tree(prefix: str, tree: object) -> Iterator[tuple[str, Found]]:
    """Walk a JSON value in document order, at most _LEAVES_MAX values of it."""
    stack: list[tuple[str, str, object]] = [(prefix, "", tree)]
    seen = 0
    while stack and seen < _LEAVES_MAX:
        at, key, value = stack.pop()
        seen += 1
        if isinstance(value, str):
            found = patterns.recognise(value)
        elif type(value) is int:
            found = patterns.epoch(key, value)
        else:
            found = None
            if isinstance(value, dict):
                stack += [(f"{at}.{k}", k, v) for k, v in reversed(value.items())]
            elif isinstance(value, list):
                stack += [(f"{at}.{i}", key, v) for i, v in reversed(list(enumerate(value)))]
        if found is not None:
            yield at, found


def _in_sql(postgres: object) -> Iterator[tuple[str, Found]]:
    request = postgres.get("request") if isinstance(postgres, dict) else None
    if not isinstance(request, dict):
        return
    for message in _STATEMENTS:
        body = request.get(message)
        at = f"postgres.request.{message}"
        for step in ("", "bindRequest", "parseRequest"):
            if step and isinstance(body, dict) and isinstance(body.get(step), dict):
                body, at = body[step], f"{at}.{step}"
        text = body.get("query") if isinstance(body, dict) else None
        if isinstance(text, str) and text:
            yield f"{at}.query", Found("SQL", text)
