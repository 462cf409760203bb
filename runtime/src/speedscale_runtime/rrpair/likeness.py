"""Whether a text says the same as a pair, only in another tool's layout.

Called by `edits`. Every judgement errs towards "the same": the document's own value is then kept, and the text
survives verbatim, so nothing is lost either way. Pure.
"""

from __future__ import annotations

import base64
import re
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, unquote

from speedscale_schemas.errors import PeerError

from . import decoding, heads, jsonlayout, names, sections
from .model import Json, RRPair

_REPLACEMENTS = re.compile("\ufffd+")
_COMMAS = re.compile(r"\s*,\s*")
_BINARY = re.compile(r"^(image|audio|video|font)/|octet-stream|protobuf|grpc|zip|pdf|msgpack|avro|cbor|java-serialized")


def authorities(pair: RRPair) -> set[str]:
    """Return every host and host:port under which tools may show the pair's server."""
    netinfo = pair.doc.get("netinfo")
    upstream = netinfo.get("upstream") if isinstance(netinfo, dict) else None
    upstream = upstream if isinstance(upstream, dict) else {}
    req = pair.http_request or {}
    address = heads.word(pair.doc.get("network_address") or "")
    known = [address, heads.word(req.get("host") or ""), *map(heads.word, _header(req, "host"))]
    known += [heads.word(upstream.get(key) or "") for key in ("hostname", "ipAddress")]
    tags = pair.tags
    known.append(heads.word(tags.get("reverseProxyHost") or ""))
    hosts = {names.without_port(name) for name in known if name}
    ports = {name.rpartition(":")[2] for name in known if ":" in name.rpartition("]")[2]}
    ports |= {heads.word(value) for value in (upstream.get("port"), tags.get("reverseProxyPort")) if value}
    return {*known, *hosts, *(f"{host}:{port}" for host in hosts for port in ports or ("80", "443"))} - {""}


def schemes(pair: RRPair) -> set[str]:
    """Return the schemes under which tools may show the pair's URL."""
    if pair.doc.get("l7protocol") not in heads.HTTP_SCHEMES:
        return set(heads.HTTP_SCHEMES)
    return {heads.scheme(pair), "https"} if pair.doc.get("isTls") is True else {heads.scheme(pair)}


def uri(shown: str, known: str) -> bool:
    """Compare path and query, however they were escaped."""
    (a, _, a_query), (b, _, b_query) = shown.partition("?"), known.partition("?")
    return (unquote(a) or "/") == (unquote(b) or "/") and _query(a_query) == _query(b_query)


def _query(text: str) -> list[tuple[str, str]]:
    return parse_qsl(text, keep_blank_values=True, errors="surrogateescape")


def status(shown: str, res: Json) -> bool:
    """Compare a status line's code and reason with the response; a reason that is unknown may be filled in."""
    (code, _, reason), (own, _, known) = shown.partition(" "), heads.status(res).partition(" ")
    if code != own:
        return False
    message = heads.word(res.get("statusMessage") or "").removeprefix(own).strip()
    try:
        phrases = {"", known.strip(), HTTPStatus(int(code)).phrase} if not message else {message}
    except ValueError:
        phrases = {"", known.strip()}
    return reason.strip() in phrases


def values(shown: list[str], known: list[str]) -> bool:
    """Compare a header's values, whatever was escaped, split or trimmed."""
    return shown == known or _flat(shown) == _flat(known)


def _flat(many: list[str]) -> str:
    return _COMMAS.sub(",", ",".join(many).replace("\\", "")).strip()


def body(shown: bytes, own: bytes, part: Json) -> bool:
    """Tell whether a block is some tool's rendering of this body."""
    kind = content_type(part)
    if _text(shown, own, kind):
        return True
    stored = part.get("body")  # a text beside other bytes: both were recorded
    if isinstance(stored, str) and _text(shown, stored.encode("utf-8", "surrogatepass"), kind):
        return True
    headers = part.get("headers")
    if isinstance(headers, dict) and own and decoding.codings(headers):
        try:
            return _text(shown, decoding.decoded(own, headers), kind)
        except PeerError:
            return False
    return False


def _text(shown: bytes, own: bytes, kind: str) -> bool:
    if shown.replace(b"\r\n", b"\n").rstrip() == own.replace(b"\r\n", b"\n").rstrip():
        return True
    if jsonlayout.same(shown, own):
        return True
    if "html" in kind and b"".join(shown.split()) == b"".join(own.split()):
        return True
    if "x-www-form-urlencoded" in kind and shown[:1] == b"{":
        return _form(shown, own)
    return not is_text(own) and _binary(shown, own)


def _form(shown: bytes, own: bytes) -> bool:
    fields: dict[str, Any] = {}
    for key, value in parse_qsl(own.decode("utf-8", "replace"), keep_blank_values=True):
        fields.setdefault(key, []).append(value)
    said = jsonlayout.plain(shown)
    if not isinstance(said, dict):
        return False
    return bool(fields) and {k: v if isinstance(v, list) else [v] for k, v in said.items()} == fields


def _binary(shown: bytes, own: bytes) -> bool:
    """A body that is no text may be left out, or shown in base64, with escapes or with replacement characters."""
    if not shown or shown in (base64.b64encode(own), sections.escape_bytes(own)):
        return True
    text = shown.decode("utf-8", "replace")
    return _REPLACEMENTS.sub("\ufffd", text) == _REPLACEMENTS.sub("\ufffd", own.decode("utf-8", "replace"))


def unreadable(shown: bytes, own: bytes | None, part: Json) -> bool:
    """Tell whether a text stands for a binary body in a way that we cannot read (a decoded message, a note).

    Nobody edits an image or a protocol buffer as text, so the document's bytes are the better source.
    """
    return bool(own) and not is_text(own or b"") and is_text(shown) and _BINARY.search(content_type(part)) is not None


def is_text(raw: bytes) -> bool:
    """Tell whether bytes are UTF-8."""
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def content_type(part: Json) -> str:
    """Return the content type of a request or response, lower case."""
    found = _header(part, "content-type")
    return heads.word(found[0] if found else part.get("contentType") or "").casefold()


def _header(part: Json, name: str) -> list[Any]:
    headers = part.get("headers")
    for key, value in headers.items() if isinstance(headers, dict) else ():
        if key.casefold() == name:
            return value if isinstance(value, list) else [value]
    return []
