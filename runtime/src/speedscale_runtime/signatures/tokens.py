"""The token list of a pair: which values in it a replay may have to replace, and where they stand.

Called by `annotate`. Locations are written as the vendor's analyzer writes them
(`http.req.headers.Authorization.0`, `http.res.bodyBase64.access_token`). Bounded: TOKENS_MAX tokens a pair, bodies
over BODY_MAX bytes are not searched; the list then simply ends.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from itertools import islice
from typing import Any, Union

import orjson

from speedscale_runtime.rrpair import RRPair

from . import patterns
from .patterns import Found, recognise

# what stands above, and the name or index there
_Way = tuple[Union["_Way", None], str | int]

TOKENS_MAX = 64
BODY_MAX = 256 * 1024
_LEAVES_MAX = 5000
_EPOCH_MIN = 900_000_000  # below it no whole number is a date of ours
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
        if body and len(body) <= BODY_MAX and body[:1] in (b"{", b"[") and patterns.could_hold(body):
            try:
                tree = orjson.loads(body)
            except orjson.JSONDecodeError:
                continue
            yield from _in_tree(f"http.{side}.bodyBase64", tree)
    yield from _in_sql(pair.doc.get("postgres"))


def _in_headers(prefix: str, headers: object) -> Iterator[tuple[str, Found]]:
    if not isinstance(headers, dict):
        return
    for name in sorted(n for n in headers if n.lower() in _HEADERS):
        values = headers[name] if isinstance(headers[name], list) else [headers[name]]
        for index, value in enumerate(values):
            if not isinstance(value, str):
                continue
            at = f"{prefix}.{name}.{index}"
            if name.lower() == "traceparent":
                yield from ((at, found) for found in patterns.traceparent(value))
                continue
            found = recognise(value)
            if found is not None:
                yield at, found


def _in_tree(prefix: str, tree: dict[str, Any] | list[Any]) -> Iterator[tuple[str, Found]]:
    """Walk a JSON object or array in document order, at most _LEAVES_MAX values of it.

    Where a value stands is written out only for those that are found: most are not.
    """
    way: _Way | None = None
    name, items = "", _items(tree)
    above: list[tuple[_Way | None, str, Iterator[tuple[Any, Any]]]] = []
    left = _LEAVES_MAX - 1
    while True:
        for key, value in items:
            left -= 1
            if left < 0:
                return
            kind = type(value)
            if kind is str:
                found = None
                if len(value) > 6 and ("-" in value or "." in value or ":" in value):  # each pattern has one of them
                    found = recognise(value)
            elif kind is dict or kind is list:
                above.append((way, name, items))
                way, items = (way, key), _items(value)
                if type(key) is str:
                    name = key
                break
            elif kind is int and value > _EPOCH_MIN:
                found = patterns.epoch(key if type(key) is str else name, value)
            else:
                continue
            if found is not None:
                yield prefix + _written((way, key)), found
        else:
            if not above:
                return
            way, name, items = above.pop()


def _items(value: dict[str, Any] | list[Any]) -> Iterator[tuple[Any, Any]]:
    return iter(value.items()) if isinstance(value, dict) else enumerate(value)


def _written(way: _Way) -> str:
    parts: list[str] = []
    at: _Way | None = way
    while at is not None:
        parts.append(f".{at[1]}")
        at = at[0]
    return "".join(reversed(parts))


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
