"""multipart/form-data and its kin (RFC 7578, RFC 2046 section 5.1): each part under its own name and type."""

from __future__ import annotations

import re

from speedscale_runtime.dlp.detectors import KeyRule
from speedscale_runtime.dlp.edits import Edits, shift

from . import body, form, persons, quoted_printable
from .base import Asks

_BOUNDARY = re.compile(rb"boundary=\"?([^\";\s]{1,200})", re.IGNORECASE)
_FIRST = re.compile(rb"\A(?:\r?\n)?--([^\r\n]{1,200}?)[ \t]*\r?\n")
_NAME = re.compile(rb"[;\s]name=\"?([^\";\r\n]*)", re.IGNORECASE)
_FILE = re.compile(rb"[;\s]filename\*?=", re.IGNORECASE)
_CODING = re.compile(rb"^content-transfer-encoding:[ \t]*([A-Za-z0-9\-]+)", re.IGNORECASE | re.MULTILINE)
_TYPE = re.compile(rb"^content-type:\s*([^\r\n]+)", re.IGNORECASE | re.MULTILINE)

_HEADERS = 1024
_MOST_PARTS = 512


def boundary(content_type: bytes, data: bytes) -> bytes:
    """Return the boundary that the type names or that the data begins with; empty when there is none."""
    match = _BOUNDARY.search(content_type) or _FIRST.match(data)
    return match.group(1) if match else b""


def edits(engine: Asks, data: bytes, depth: int, mark: bytes) -> Edits:
    """Return the edits of all parts."""
    out: Edits = []
    at = 0
    pieces = data.split(b"--" + mark)
    names = [
        form.last(m.group(1))[1]
        for m in map(_NAME.search, (p[:_HEADERS] for p in pieces[:_MOST_PARTS]))
        if m is not None
    ]
    bare = persons.bare(engine.names, names)
    for piece in pieces:
        out += shift(_part(engine, piece, depth, bare), at)
        at += len(piece) + 2 + len(mark)
    return out


def _part(engine: Asks, piece: bytes, depth: int, bare: KeyRule | None) -> Edits:
    split = re.search(rb"\r?\n\r?\n", piece)
    if split is None:
        return engine.text(piece, depth)
    headers, content = piece[: split.start()], piece[split.end() :]
    tail = len(content) - len(content.rstrip(b"\r\n"))
    content = content[: len(content) - tail] if tail else content
    name = _NAME.search(headers)
    kind = _TYPE.search(headers)
    key = name.group(1) if name else b""
    where = key.decode("utf-8", "replace")
    out = engine.text(headers, depth)
    coding = _CODING.search(headers)
    if coding is not None and coding.group(1).lower() == b"quoted-printable":
        inner = quoted_printable.edits(engine, content, key, depth)
    elif kind is not None or _FILE.search(headers):
        inner = body.document(engine, content, kind.group(1) if kind else b"", depth + 1)
    else:
        last, rule = form.by_key(engine, key, bare)
        inner = engine.leaf(content, last, depth, rule=rule and persons.plain(rule))
    return out + shift(inner, split.end(), where)
