"""The fields of a pair: every value that an application wrote, with the place it stands at.

Called by the coverage report, by what it recommends and by `explain`; never on the hot path, which reads bytes. Bodies
have to be unpacked before. Pure and bounded: what is deeper or more than the limits is left out and counted. Nothing
is judged here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote
from xml.etree import ElementTree

import orjson

from speedscale_runtime.rrpair import paths
from speedscale_runtime.rrpair.model import RRPair

from .tokens import TOKEN

MAX_FIELDS = 20_000
MAX_DEPTH = 64
_MAX_XML_BYTES = 4 * 1024 * 1024

Scalar = str | int | float | bool | None
Path = tuple[str | int, ...]

# What says how a message is sent, not what is in it.
_SENDING = """
    accept accept-charset accept-encoding accept-language accept-ranges access-control-allow-credentials
    access-control-allow-headers access-control-allow-methods access-control-allow-origin access-control-expose-headers
    access-control-max-age access-control-request-headers access-control-request-method age allow alt-svc cache-control
    connection content-disposition content-encoding content-language content-length content-md5 content-range
    content-security-policy content-type cross-origin-embedder-policy cross-origin-opener-policy
    cross-origin-resource-policy date digest etag expect expires host if-match if-modified-since if-none-match
    if-unmodified-since keep-alive last-modified origin permissions-policy pragma priority range referrer-policy
    retry-after sec-ch-ua sec-ch-ua-mobile sec-ch-ua-platform sec-fetch-dest sec-fetch-mode sec-fetch-site
    sec-fetch-user server server-timing strict-transport-security te trailer traceparent tracestate transfer-encoding
    upgrade upgrade-insecure-requests user-agent vary via warning x-content-type-options x-frame-options x-powered-by
    x-ratelimit-limit x-ratelimit-remaining x-ratelimit-reset x-xss-protection
"""
_PLAIN_HEADERS = frozenset(_SENDING.split())
_ATTRIBUTES = "domain path expires max-age samesite secure httponly partitioned priority"
_COOKIE_ATTRIBUTES = frozenset(_ATTRIBUTES.split())
# The record's own members; any other object at its top is what a protocol said.
_MEMBERS = "http netinfo signature mutableSignature tags tokenList events responderMatch dlpModified dlpRule session"
_OWN = frozenset(_MEMBERS.split())
_VALUE_LIKE = re.compile(r"\d{4}|@|[0-9a-fA-F]{12}|[0-9a-fA-F]{8}-")
_LONGEST_NAME = 48


class Form(StrEnum):
    """How the part is written that a field stands in; says which extractors of a chain reach it."""

    JSON = "json"
    URLENCODED = "urlencoded"
    XML = "xml"
    TEXT = "text"
    HEADER = "header"
    COOKIE = "cookie"
    QUERY = "query"
    SEGMENT = "segment"
    PROTOCOL = "protocol"


class Field(NamedTuple):
    """One value: `part` of the record, the `form` that part is written in, and the exact `path` in it."""

    part: str
    form: Form
    path: Path
    value: Scalar

    @property
    def name(self) -> str:
        """The name the value stands under; empty where it has none."""
        return next((p.lstrip("@") for p in reversed(self.path) if isinstance(p, str) and p not in _HOLDERS), "")


_HOLDERS = frozenset(("asString", "value", "#text"))  # say nothing of what they hold


def fields(pair: RRPair) -> Iterator[Field]:
    """Yield the fields of a pair, at most `MAX_FIELDS`; structure that is broken yields what can be read."""
    for count, field in enumerate(_all(pair)):
        if count >= MAX_FIELDS:
            return
        yield field


def _all(pair: RRPair) -> Iterator[Field]:
    doc = pair.doc
    yield from _segments(doc)
    for side, body in (("req", pair.request_body), ("res", pair.response_body)):
        part = (pair.http_request if side == "req" else pair.http_response) or {}
        headers = part.get("headers")
        headers = headers if isinstance(headers, Mapping) else {}
        if side == "req":
            yield from _query(part)
        yield from _headers(headers, side)
        if body:
            yield from _body(body, headers, f"http.{side}.body")
    for key, value in doc.items():
        if key not in _OWN and isinstance(value, (dict, list)):
            yield from _tree(value, key, Form.PROTOCOL)


def _segments(doc: Mapping[str, Any]) -> Iterator[Field]:
    location = doc.get("location")
    if isinstance(location, str) and location.startswith("/"):
        for index, segment in enumerate(location.partition("?")[0].split("/")):
            if segment:
                yield Field("location", Form.SEGMENT, (index,), unquote(segment))


def _query(request: Mapping[str, Any]) -> Iterator[Field]:
    params = request.get("queryParams")
    if isinstance(params, Mapping):
        for name, values in params.items():
            for value in values if isinstance(values, list) else [values]:
                yield Field("http.req.queryParams", Form.QUERY, (str(name),), value)
        return
    for name, value in parse_qsl(str(request.get("uri") or "").partition("?")[2], keep_blank_values=True):
        yield Field("http.req.queryParams", Form.QUERY, (name,), value)


def _headers(headers: Mapping[str, Any], side: str) -> Iterator[Field]:
    for name, values in headers.items():
        folded = str(name).lower()
        if folded in _PLAIN_HEADERS:
            continue
        for index, value in enumerate(values if isinstance(values, list) else [values]):
            if folded in ("cookie", "set-cookie"):
                yield from _cookies(str(value), side)
            else:
                yield Field(f"http.{side}.headers", Form.HEADER, (str(name), index), value)


def _cookies(text: str, side: str) -> Iterator[Field]:
    for part in text.split(";"):
        name, equals, value = part.strip().partition("=")
        if equals and name.lower() not in _COOKIE_ATTRIBUTES:
            yield Field(f"http.{side}.cookies", Form.COOKIE, (name,), value)


def _body(body: bytes, headers: Mapping[str, Any], part: str) -> Iterator[Field]:
    kind = next((str(v) for k, v in headers.items() if str(k).lower() == "content-type"), "").lower()
    tree = _json(body)
    if tree is not None:
        yield from _tree(tree, part, Form.JSON)
    elif "x-www-form-urlencoded" in kind:
        for name, value in parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=None):
            yield Field(part, Form.URLENCODED, (name,), value)
    elif body.lstrip()[:1] == b"<" and (root := _xml(body)) is not None:
        yield from _elements(root, part)
    else:
        text = body[: 1024 * 1024].decode("utf-8", "replace")
        if "\0" not in text and text.count("\ufffd") * 10 <= len(text):
            yield Field(part, Form.TEXT, (), text)


def _json(body: bytes) -> dict[str, Any] | list[Any] | None:
    try:
        tree = orjson.loads(body)
    except orjson.JSONDecodeError:
        try:
            tree = json.loads(body)
        except (ValueError, RecursionError):
            return None
    return tree if isinstance(tree, (dict, list)) else None


def _tree(tree: Any, part: str, form: Form) -> Iterator[Field]:
    stack: list[tuple[Path, Any]] = [((), tree)]
    while stack:
        path, value = stack.pop()
        if len(path) > MAX_DEPTH:
            continue
        if isinstance(value, dict):
            stack.extend(((*path, str(k)), v) for k, v in reversed(value.items()))
        elif isinstance(value, list):
            stack.extend(((*path, i), v) for i, v in reversed(list(enumerate(value[:MAX_FIELDS]))))
        else:
            yield Field(part, form, path, value)


def _xml(body: bytes) -> ElementTree.Element | None:
    if len(body) > _MAX_XML_BYTES or b"<!DOCTYPE" in body or b"<!ENTITY" in body:  # entities can grow without bound
        return None
    try:
        return ElementTree.fromstring(body)
    except (ElementTree.ParseError, ValueError, LookupError):
        return None


def _elements(root: ElementTree.Element, part: str) -> Iterator[Field]:
    stack: list[tuple[Path, ElementTree.Element]] = [((_local(root.tag),), root)]
    while stack:
        path, element = stack.pop()
        for name, value in element.attrib.items():
            yield Field(part, Form.XML, (*path, "@" + _local(name)), value)
        if element.text and element.text.strip():
            yield Field(part, Form.XML, path, element.text.strip())
        if len(path) < 2 * MAX_DEPTH:
            children = [((*path, i, _local(c.tag)), c) for i, c in enumerate(element) if isinstance(c.tag, str)]
            stack.extend(reversed(children))


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def pattern(path: Path) -> tuple[str, ...]:
    """Return the path with `*` for an index and for a name that is a value itself (an id, an address)."""
    return tuple("*" if isinstance(p, int) or is_value(p) else p for p in path)


def is_value(text: str) -> bool:
    """Say whether a name, or a segment of a path, looks like a value rather than a name."""
    if len(text) > _LONGEST_NAME or _VALUE_LIKE.search(text) or text.isdigit():
        return True
    return TOKEN.search(text.encode("utf-8", "replace")) is not None


def place(part: str, form: Form, path: tuple[str, ...]) -> str:
    """Return a place as people read it, of a part and a path that `pattern` made; written like those of findings."""
    if form is Form.TEXT or not path:
        return part
    if form in (Form.JSON, Form.PROTOCOL):
        inner = "".join("[*]" if p == "*" else f".{p}" for p in path)
        return f"{part}:${inner}" if form is Form.JSON else part + inner
    if form is Form.XML:
        return part + "/" + "/".join(p for p in path if p != "*")
    if form is Form.SEGMENT:
        return f"{part}/{path[0]}"
    return f"{part}.{path[0]}"


def json_path(path: tuple[str, ...]) -> str:
    """Return the path for a chain's `json_path`: names escaped, every index and every value-like name a wildcard."""
    return "".join("[*]" if p == "*" else ("." if i else "") + paths.render((p,)) for i, p in enumerate(path))
