"""multipart/form-data and its kin (RFC 7578, RFC 2046 section 5.1): each part under its own name and type."""

from __future__ import annotations

import re

from speedscale_runtime.dlp.edits import Edits, shift

from . import body, quoted_printable
from .base import Asks

_BOUNDARY = re.compile(rb"boundary=\"?([^\";\s]{1,200})", re.IGNORECASE)
_FIRST = re.compile(rb"\A(?:\r?\n)?--([^\r\n]{1,200}?)[ \t]*\r?\n")
_NAME = re.compile(rb"[;\s]name=\"?([^\";\r\n]*)", re.IGNORECASE)
_FILE = re.compile(rb"[;\s]filename\*?=", re.IGNORECASE)
_CODING = re.compile(rb"^content-transfer-encoding:[ \t]*([A-Za-z0-9\-]+)", re.IGNORECASE | re.MULTILINE)
_TYPE = re.compile(rb"^content-type:\s*([^\r\n]+)", re.IGNORECASE | re.MULTILINE)


def boundary(content_type: bytes, data: bytes) -> bytes:
    """Return the boundary that the type names or that the data begins with; empty when there is none."""
    match = _BOUNDARY.search(content_type) or _FIRST.match(data)
    return match.group(1) if match else b""


def edits(engine: Asks, data: bytes, depth: int, mark: bytes) -> Edits:
    """Return the edits of all parts."""
    out: Edits = []
    at = 0
    for piece in data.split(b"--" + mark):
        out += shift(_part(engine, piece, depth), at)
        at += len(piece) + 2 + len(mark)
    return out


def _part(engine: Asks, piece: bytes, depth: int) -> Edits:
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
        inner = engine.leaf(content, key, depth)
    return out + shift(inner, split.end(), where)
