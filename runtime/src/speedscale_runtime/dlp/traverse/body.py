"""A body: which format it is in, by its content type and by its look, and whether it can be looked into at all."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from speedscale_runtime.dlp.edits import Edit, Edits, apply, merge
from speedscale_runtime.dlp.tokens import TOKEN

from . import (
    binary,
    charset,
    compression,
    events,
    form,
    grpc,
    json_spots,
    json_text,
    multipart,
    protobuf,
    rows,
)
from .base import Asks, Hits

_CONTAINERS = (
    b"PK\x03\x04",
    b"%PDF-",
    b"BZh",
    b"7z\xbc\xaf\x27\x1c",
    b"\xfd7zXZ\x00",
    b"Rar!\x1a\x07",
    b"\x04\x22\x4d\x18",
)
_SUSPECT = frozenset(c[:1] for c in (*_CONTAINERS, b"\x1f", b"\x28", b"\x78"))
_MEDIA = (b"image/", b"audio/", b"video/", b"font/")
_OPAQUE = re.compile(rb"grpc|protobuf|application/(?:connect\+)?proto\b")
_PACKED = re.compile(rb"msgpack|cbor|bson|avro|smile|ubjson|thrift")
_TEXTUAL = re.compile(rb"charset|^text/|json|xml")
_MARKED = (b"\xff", b"\xfe", b"\x00")
_ROUNDS = 4
_IDENTITY = ("", "identity", "chunked", "aws-chunked")


def edits(engine: Asks, data: bytes, content_type: bytes, codings: list[str], *, strict: bool = True) -> Edits:
    """Return the edits of a body as it travelled.

    `codings` are its content codings in the order they were applied; a body that is plain although a coding is named
    (a recorder had undone it) is taken as plain. With `strict`, what cannot be looked into is replaced whole.
    """
    left = [c for c in codings if c not in _IDENTITY] if codings else codings
    if not left:
        return document(engine, data, content_type, 0, strict=strict)
    coding = left[-1]
    if not data:
        return []
    try:
        plain = compression.decompress(coding, data)
    except compression.Unreadable as why:
        if not compression.magic(data) and _readable(data):
            return document(engine, data, content_type, 0, strict=strict)
        return [engine.whole(data, str(why))] if strict else []
    engine.spend(len(plain))
    inner = json_spots.resolve(edits(engine, plain, content_type, left[:-1], strict=strict), plain)
    if not inner:
        return []
    notes = tuple(n for e in inner for n in e.notes)
    if is_marker(inner[0], plain):
        return [Edit(0, len(data), inner[0].new, notes)]
    return [Edit(0, len(data), compression.compress(coding, apply(plain, inner), data), notes)]


def is_marker(edit: Edit, data: bytes) -> bool:
    """Say whether an edit replaces the whole of the data by a marker."""
    whole = edit.start == 0 and edit.end == len(data)
    return whole and edit.notes[0].kind == "UNDECODABLE" and TOKEN.fullmatch(edit.new) is not None


def content_type(headers: Mapping[str, Any]) -> bytes:
    """Return the content type that headers (name to list of values) name; empty when none."""
    texts = _texts(headers, "content-type")
    return texts[0].encode("utf-8", "surrogatepass") if texts else b""


def codings(headers: Mapping[str, Any]) -> list[str]:
    """Return the content codings that headers (name to list of values) name, in the order they were applied."""
    return [c.strip().lower() for t in _texts(headers, "content-encoding") for c in t.split(",") if c.strip()]


def content(headers: Mapping[str, Any]) -> tuple[bytes, list[str]]:
    """Return content type and content codings that headers name, in one pass: the hot path of the two above."""
    kind, coded = b"", False
    for name, values in headers.items():
        length = len(name)
        if length == 12 and not kind and name.lower() == "content-type":
            text = values[0] if isinstance(values, list) and values else values
            kind = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else content_type(headers)
        elif length == 16 and name.lower() == "content-encoding":
            coded = True
    return kind, codings(headers) if coded else []


def _texts(headers: Mapping[str, Any], wanted: str) -> list[str]:
    out: list[str] = []
    length = len(wanted)
    for name, values in headers.items():
        if len(name) == length and name.lower() == wanted:
            out += [v for v in (values if isinstance(values, list) else [values]) if isinstance(v, str)]
    return out


def _readable(data: bytes) -> bool:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return not any(c < " " and c not in "\t\r\n" for c in text[:4096])


def document(engine: Asks, data: bytes, content_type: bytes, depth: int, *, strict: bool = True) -> Edits:
    """Return the edits of a body without content codings; magic numbers are believed before the content type."""
    if data[:1] in _SUSPECT:
        if compression.magic(data):
            return compression.nested(engine, data, depth)
        if data.startswith(_CONTAINERS):
            return [engine.whole(data, "a container that is not looked into")] if strict else []
    kind, opaque, charset_named = _kind(content_type)
    if opaque:
        return [] if _spent(data) else _declared(engine, data, kind, depth, strict=strict)
    if data[:1] in _MARKED or charset_named or data[2:3] == b"\x00":
        found = _foreign(engine, data, kind, depth, strict=strict)
        if found is not None:
            return found
    hits = engine.hits(data)
    if not hits:
        return []
    if _is_json(data, kind):
        spots = json_spots.edits(engine, data, depth, hits) if depth == 0 and b"\\" not in data else None
        return merge(json_text.edits(engine, data, depth, hits)) if spots is None else spots
    found = _found(engine, data, kind, depth, hits)
    return _settled(engine, data, kind, found) if found and not depth else found


@lru_cache(maxsize=1024)
def _kind(content_type: bytes) -> tuple[bytes, bool, bool]:
    """Return a content type in lower case, whether it is made of messages, and whether it names a character set."""
    kind = content_type.lower()
    return kind, _OPAQUE.search(kind) is not None, b"charset" in kind


def _foreign(engine: Asks, data: bytes, kind: bytes, depth: int, *, strict: bool) -> Edits | None:
    """Return the edits of a text in a character set that has to be decoded; None where it is in none."""
    mark, codec = charset.foreign(data, kind)
    if not codec or kind.startswith(_MEDIA):
        return None
    plain_type = kind.partition(b";")[0]
    try:
        return charset.edits(
            data, mark, codec, lambda plain: _resolved(document(engine, plain, plain_type, depth), plain)
        )
    except compression.Unreadable as why:
        if not strict or not _TEXTUAL.search(kind):
            return None
        return [] if _spent(data) else [engine.whole(data, str(why))]


def _spent(data: bytes) -> bool:
    """Say whether a body is the marker that we put in the place of what could not be read."""
    return data.startswith((b"REDACTED-", b'"REDACTED-')) and TOKEN.fullmatch(data.strip(b'"')) is not None


def _resolved(found: Edits, data: bytes) -> Edits:
    return json_spots.resolve(merge(found) if not isinstance(found, json_spots.Spots) else found, data)


def _declared(engine: Asks, data: bytes, kind: bytes, depth: int, *, strict: bool) -> Edits:
    """Return the edits of a body whose type says that it is binary and made of messages."""
    try:
        if b"grpc" in kind:
            return grpc.edits(engine, data, depth, kind)
        found = protobuf.edits(engine, data, depth)
        if found is not None:
            return found
        if protobuf.plain(data):
            return engine.text(data, depth)
        raise compression.Unreadable("no protocol buffers, though its type says so")
    except compression.Unreadable as why:
        return [engine.whole(data, str(why))] if strict else engine.blob(data, depth)


def _is_json(data: bytes, kind: bytes) -> bool:
    first = data[:64].lstrip()[:1]
    return (first in (b"{", b"[", b'"') or b"json" in kind) and (json_text.valid(data) or json_text.lines(data))


def _found(engine: Asks, data: bytes, kind: bytes, depth: int, hits: Hits) -> Edits:
    if (binary.is_binary(data) or _PACKED.search(kind)) and not kind.startswith(b"multipart/"):
        return binary.edits(engine, data, depth, media=kind.startswith(_MEDIA))
    return merge(_by_format(engine, data, kind, depth, hits))


def _settled(engine: Asks, data: bytes, kind: bytes, found: Edits) -> Edits:
    """Return edits after which nothing is found any more.

    In running text a token can make something new of what stands around it; redacting until nothing changes is what
    makes a second redaction change nothing. What does not settle is replaced whole.
    """
    for _ in range(_ROUNDS):
        new = apply(data, found)
        more = _found(engine, new, kind, 0, engine.hits(new))
        if not more:
            return found
        notes = tuple(n for e in (*found, *more) for n in e.notes)
        found = [Edit(0, len(data), apply(new, more), notes)]
    return [engine.whole(data, "does not settle")]


def _by_format(engine: Asks, data: bytes, kind: bytes, depth: int, hits: Hits) -> Edits:
    if kind.startswith(b"multipart/") or data.startswith(b"--"):
        mark = multipart.boundary(kind, data)
        if mark:
            return [*multipart.edits(engine, data, depth, _exact(mark, data)), *engine.values(data, hits)]
    elif b"form-urlencoded" in kind or form.looks_like(data):
        return [*form.edits(engine, data, depth), *engine.text(data, depth, hits)]
    elif b"event-stream" in kind or events.looks_like(data):
        return events.edits(engine, data, depth)
    elif mark := rows.separator(data):
        return [*rows.edits(engine, data, depth, mark), *engine.text(data, depth, hits)]
    return engine.text(data, depth, hits)


def _exact(mark: bytes, data: bytes) -> bytes:
    """Return the boundary in the letter case that the data has (types are compared in lower case)."""
    at = data.lower().find(b"--" + mark.lower())
    return data[at + 2 : at + 2 + len(mark)] if at >= 0 else mark
