"""The body's part of a signature: JSON, form and everything else, each in a canonical form.

JSON: compact, keys sorted at every level. A form is signed as the JSON object of its fields, as the vendor does.
Whatever else, XML included, is signed by the SHA-256 of its decoded bytes (recordings that sign XML as a document
are matched through `canonical_xml`); a multipart boundary is replaced by a fixed one first, because clients draw
it anew for each request.
"""

from __future__ import annotations

import hashlib
import json
import re
from urllib.parse import parse_qsl
from xml.etree import ElementTree

import orjson

from . import keys

_BOUNDARY = re.compile(r'boundary="?([^";,]+)"?', re.IGNORECASE)
_FIXED_BOUNDARY = b"speedscale-boundary"
_FORM = "application/x-www-form-urlencoded"
_JSON_STARTS = (b"{", b"[")


def body_key(body: bytes, content_type: str) -> tuple[str, bytes] | None:
    """Return the signature key and value of a decoded body, or None for an empty one.

    `content_type` is the header's value, in any case, with parameters, or empty.
    """
    if not body:
        return None
    kind = content_type.partition(";")[0].strip().lower()
    if "json" in kind or body.lstrip()[:1] in _JSON_STARTS:
        text = canonical_json(body)
        if text is not None:
            return keys.BODY_JSON, text
    if kind == _FORM:
        fields = form_object(body)
        if fields is not None:
            return keys.BODY_JSON, orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)
    if kind.startswith("multipart/"):
        body = _fixed_boundary(body, content_type)
    return keys.BODY_HASH, hashlib.sha256(body).digest()


def canonical_json(body: bytes) -> bytes | None:
    """Return JSON compact with sorted keys, or None where the bytes are no JSON (RFC 8259)."""
    try:
        return orjson.dumps(orjson.loads(body), option=orjson.OPT_SORT_KEYS)
    except (orjson.JSONDecodeError, TypeError):
        pass
    try:
        text = json.dumps(json.loads(body), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return text.encode("utf-8")
    except (ValueError, RecursionError):
        return None


def canonical_xml(body: bytes) -> bytes | None:
    """Return XML in C14N 2.0 without the space around texts, or None where the bytes are no XML."""
    if body.lstrip()[:1] != b"<":
        return None
    try:
        return ElementTree.canonicalize(body.decode("utf-8-sig"), strip_text=True).encode()
    except (ElementTree.ParseError, ValueError, LookupError):
        return None


def form_object(body: bytes) -> dict[str, str | list[str]] | None:
    """Return a form's fields as an object, a repeated field as a list; None where the bytes are no form."""
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, strict_parsing=True, errors="strict")
    except ValueError:
        return None
    fields: dict[str, str | list[str]] = {}
    for name, value in pairs:
        before = fields.get(name)
        if before is None:
            fields[name] = value
        elif isinstance(before, list):
            before.append(value)
        else:
            fields[name] = [before, value]
    return fields


def _fixed_boundary(body: bytes, content_type: str) -> bytes:
    found = _BOUNDARY.search(content_type)
    if found is None:
        return body
    mark = b"--" + found.group(1).strip().encode("latin-1", "replace")
    return body.replace(mark, b"--" + _FIXED_BOUNDARY)
