"""What each Markdown section of a pair looks like when we write it.

Called by the Markdown codec. A section is everything from its heading to the newline behind its last fence. Each is
a pure function of the pair; the same pair always gives the same bytes.

Source: the vendor's public recordings: `### NAME ###`, blocks between fences, request and response as a head block
and a body block, signature lines `key is value`, metadata lines `key: value`.
"""

from __future__ import annotations

import base64
import binascii
import uuid as uuids
from typing import Any

from . import heads, jsonlayout, jsontext, names
from .model import Json, RRPair

REQUEST = "REQUEST"
RESPONSE = "RESPONSE"
RESPONSE_MOCK = "RESPONSE (MOCK)"
SIGNATURE = "SIGNATURE"
METADATA = "METADATA"
INTERNAL = "INTERNAL - DO NOT MODIFY"
ORDER = (REQUEST, RESPONSE, SIGNATURE, METADATA)

NONE = "-NONE-"
HIDDEN_TAG = "proxyLocation"

_SIDES = {REQUEST: ("request", "client", "req"), RESPONSE: ("response", "server", "res")}


def section(name: str, pair: RRPair) -> bytes:
    """Return one text section, by the name from `ORDER`."""
    if name == SIGNATURE:
        blocks = [signature_lines(pair.doc.get("signature"))]
    elif name == METADATA:
        blocks = [metadata_lines(pair.doc)]
    elif not isinstance(pair.doc.get("http"), dict):
        blocks = [protocol_text(pair.doc, name)]
    elif name == REQUEST:
        blocks = [_bytes(heads.write_request(pair)), body_text(pair.request_body)]
    else:
        blocks = [_bytes(heads.write_response(pair)), body_text(pair.response_body)]
    return build(name, blocks)


def internal(document: Json) -> bytes:
    """Return the section that holds the document; it never has a fence inside."""
    line = jsontext.compact(document).replace(b"```", b"\\u0060\\u0060\\u0060")
    return build(INTERNAL, [b"json: " + line])


def build(name: str, blocks: list[bytes]) -> bytes:
    """Return a section of these blocks; a fence is longer than any run of backticks in its block."""
    parts = [b"### " + name.encode() + b" ###\n"]
    for number, block in enumerate(blocks):
        fence = b"```"
        while fence in block:
            fence += b"`"
        fence += b"\n"
        parts += [b"\n" if number else b"", fence, block, b"\n" if block else b"", fence]
    return b"".join(parts)


def body_text(body: bytes | None) -> bytes:
    """Return a body as its block shows it: JSON indented, everything else byte for byte."""
    if not body:
        return b""
    return jsonlayout.indent(body) or body


def signature_lines(signature: Any) -> bytes:
    """Return the lines `key is value`, sorted by key."""
    if not isinstance(signature, dict):
        return b""
    return b"\n".join(_bytes(f"{key} is ") + signature_value(signature[key]) for key in sorted(signature))


def signature_value(value: Any) -> bytes:
    """Return a value as it is shown: text as it is, other bytes as `\\xNN`, nothing as `-NONE-`."""
    raw = signature_bytes(value)
    if not raw:
        return NONE.encode()
    try:
        raw.decode()
    except UnicodeDecodeError:
        return escape_bytes(raw)
    return raw


def signature_bytes(value: Any) -> bytes:
    """Return the bytes of a signature's value, which should be base64."""
    if not isinstance(value, str):
        return b"" if value is None else jsontext.compact(value)
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return _bytes(value)


def escape_bytes(raw: bytes) -> bytes:
    """Return bytes as text: printable UTF-8 as it is, all else as `\\xNN`."""
    text = raw.decode("utf-8", "surrogateescape")
    shown = [
        char if char.isprintable() else "".join(f"\\x{byte:02X}" for byte in char.encode("utf-8", "surrogateescape"))
        for char in text
    ]
    return "".join(shown).encode()


def metadata_lines(doc: Json) -> bytes:
    """Return the lines `key: value` of direction, uuid, ts, duration and tags."""
    lines = []
    if "direction" in doc:
        lines.append(f"direction: {heads.word(doc['direction'])}")
    if doc.get("uuid"):
        lines.append(f"uuid: {uuid_text(doc['uuid'])}")
    if "ts" in doc:
        lines.append(f"ts: {names.normal(doc['ts']) or heads.word(doc['ts'])}")
    lines.append(f"duration: {heads.word(doc.get('duration', 0))}ms")
    tags = doc.get("tags")
    if isinstance(tags, dict):
        shown = ", ".join(f"{key}={heads.word(tags[key])}" for key in sorted(tags) if key != HIDDEN_TAG)
        lines.append(f"tags: {shown}")
    return _bytes("\n".join(line.replace("\r", "\\r").replace("\n", "\\n") for line in lines))


def uuid_text(value: Any) -> str:
    """Return base64 of 16 bytes as dashed hex; anything else as it is."""
    try:
        return str(uuids.UUID(bytes=base64.b64decode(value, validate=True)))
    except (ValueError, TypeError):
        return heads.word(value)


def protocol_part(doc: Json, name: str) -> tuple[Json, str] | None:
    """Return where a protocol without readable form keeps its request or response: the object and the key."""
    keys = _SIDES[name]
    for value in doc.values():
        if isinstance(value, dict):
            for key in keys:
                if isinstance(value.get(key), dict):
                    return value, key
    return None


def protocol_text(doc: Json, name: str) -> bytes:
    """Return the request or response of such a protocol as pretty JSON."""
    found = protocol_part(doc, name)
    return b"" if found is None else jsontext.pretty(found[0][found[1]]).rstrip(b"\n")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
