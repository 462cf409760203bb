"""The signature of a pair; for HTTP computed, for other protocols as it was recorded.

`signature_of` is the responder's hot path: it takes a live request's parts and builds no pair.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes

from speedscale_runtime.rrpair import RRPair, decoding
from speedscale_schemas.errors import PeerError

from . import keys
from .body import body_key, canonical_xml
from .canonical import recorded
from .query import canonical_query, from_params
from .text import utf8


class Request(NamedTuple):
    """What of an HTTP request is signed; texts as on the wire, `body` with its content-encoding undone."""

    method: str
    host: str
    path: str
    query: bytes
    content_type: str
    body: bytes


def signature(pair: RRPair) -> dict[str, bytes]:
    """Return the pair's signature.

    HTTP: computed from the request as it stands now. Other protocols: the recorded one, empty where there is none.
    Source: the vendor's public recordings, whose HTTP signatures this reproduces.
    """
    request = request_of(pair)
    return recorded(pair) if request is None else signature_of(request)


def signature_of(request: Request) -> dict[str, bytes]:
    """Return the signature of an HTTP request."""
    method, host, path, query, content_type, body = request
    result = {
        keys.HOST: utf8(host_name(host)),
        keys.METHOD: utf8(method),
        keys.QUERY: query,
        keys.URL: unquote_to_bytes(utf8(path)) if "%" in path else utf8(path),
    }
    if body:
        key = body_key(body, content_type)
        if key is not None:
            result[key[0]] = key[1]
    return result


def as_xml(signature: Mapping[str, bytes], body: bytes) -> dict[str, bytes] | None:
    """Return the signature with an XML body as a document in the place of its hash; None where the body is no XML."""
    document = canonical_xml(body) if keys.BODY_HASH in signature else None
    if document is None:
        return None
    return {**{k: v for k, v in signature.items() if k != keys.BODY_HASH}, keys.BODY_XML: document}


def request_of(pair: RRPair) -> Request | None:
    """Return the signed parts of a pair's HTTP request, or None for another protocol."""
    req = pair.http_request
    if req is None:
        return None
    headers = mapping(req.get("headers"))
    uri = str(req.get("uri") or "")
    path, mark, raw_query = uri.partition("?")
    params = req.get("queryParams")
    query = canonical_query(raw_query.partition("#")[0])
    if not mark and isinstance(params, Mapping) and params:
        query = from_params(params)
    return Request(
        str(req.get("method") or pair.doc.get("command") or "GET"),
        str(req.get("host") or first(headers, "host")),
        str(req.get("url") or path or "/"),
        query,
        first(headers, "content-type"),
        _plain(pair.request_body or b"", headers),
    )


def host_name(host: str) -> str:
    """Return a Host header's name: lower case, without port, an IPv6 address without brackets (RFC 9110 7.2)."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    name, colon, port = host.rpartition(":")
    if colon and ":" not in name and (port.isdigit() or not port):
        host = name
    return host.lower()


def mapping(value: object) -> Mapping[str, Any]:
    """Return an object of a document, an empty one where something else stands: recordings come from many tools."""
    return value if isinstance(value, dict) else {}


def first(headers: Mapping[str, Any], name: str) -> str:
    """Return the first value of a header, whatever its letter case; empty when absent."""
    for key, values in headers.items():
        if key.lower() == name:
            value = values[0] if isinstance(values, list) and values else values
            return value if isinstance(value, str) else ""
    return ""


def _plain(body: bytes, headers: Mapping[str, Any]) -> bytes:
    """Undo the content-encoding; a body that the recorder had unpacked already is taken as it is."""
    if not body or not first(headers, "content-encoding"):
        return body
    try:
        return decoding.decoded(body, headers)
    except PeerError:
        return body
