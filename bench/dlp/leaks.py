"""The leak rate: whether a value that was planted is in the redacted bytes, under any encoding they could have.

Documents go out plain and wrapped (gzip, deflate, br, zstd as content codings; base64, percent and unicode escapes in
JSON; JSON in JSON) and are undone again as far as anything can be undone. Short values (under six characters) are
left out: `Ana` and `123` stand in too many innocent words.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import html
import json
import re
import zlib
from collections.abc import Callable
from urllib.parse import quote, unquote_plus

import brotli
import zstandard

from speedscale_runtime.dlp import Redactor
from speedscale_runtime.dlp.edits import apply
from speedscale_runtime.dlp.traverse import body

from .corpus import Document

SHORTEST = 6
_RUN = re.compile(rb"[A-Za-z0-9+/_\-]{12,}={0,2}")
Wrapped = tuple[bytes, str, list[str]]


def _escaped(data: bytes) -> bytes:
    text = data.decode("utf-8")
    return json.dumps({"payload": text}, ensure_ascii=True).encode()


WRAPPERS: dict[str, Callable[[Document], Wrapped]] = {
    "plain": lambda d: (d.data, d.content_type, []),
    "gzip": lambda d: (gzip.compress(d.data, mtime=0), d.content_type, ["gzip"]),
    "deflate": lambda d: (zlib.compress(d.data), d.content_type, ["deflate"]),
    "br": lambda d: (brotli.compress(d.data, quality=4), d.content_type, ["br"]),
    "zstd": lambda d: (zstandard.compress(d.data), d.content_type, ["zstd"]),
    "base64 in JSON": lambda d: (
        json.dumps({"id": 7, "data": base64.b64encode(d.data).decode()}).encode(),
        "application/json",
        [],
    ),
    "gzip in base64 in JSON": lambda d: (
        json.dumps({"id": 7, "data": base64.b64encode(gzip.compress(d.data, mtime=0)).decode()}).encode(),
        "application/json",
        [],
    ),
    "string in JSON, escaped": lambda d: (_escaped(d.data), "application/json", []),
    "percent in a form": lambda d: (
        b"id=7&payload=" + quote(d.data, safe="").encode(),
        "application/x-www-form-urlencoded",
        [],
    ),
    "UTF-16": lambda d: (d.data.decode("utf-8").encode("utf-16"), d.content_type + "; charset=utf-16", []),
    "server-sent events": lambda d: (
        b"data: " + json.dumps({"body": d.data.decode("utf-8")}, ensure_ascii=False).encode() + b"\n\n",
        "text/event-stream",
        [],
    ),
    "hex": lambda d: (json.dumps({"blob": d.data.hex()}).encode(), "application/json", []),
}


def redact(ours: Redactor, wrapped: Wrapped) -> bytes:
    """Return the body as it would leave."""
    data, kind, codings = wrapped
    ours.engine.work.begin(len(data))
    edits = body.edits(ours.engine, data, kind.encode(), codings)
    return apply(data, edits) if edits else data


def leaked(document: Document, out: bytes) -> list[str]:
    """Return the planted values that are in redacted bytes under some decoding."""
    views = decodings(out)
    wanted = {s.value for s in document.spans if len(s.value) >= SHORTEST}
    return sorted(v for v in wanted if any(v.casefold() in view for view in views))


def decodings(data: bytes, depth: int = 4) -> set[str]:
    """Return all readings of bytes: undone compression, base64, hex, escapes, references, UTF-16, case folded."""
    seen: set[bytes] = set()
    views: set[str] = set()
    todo = [(data, depth)]
    while todo:
        item, left = todo.pop()
        if item in seen or len(seen) > 400:
            continue
        seen.add(item)
        text = item.decode("utf-8", "replace")
        views.add(text.casefold())
        if left:
            todo += [(other, left - 1) for other in _undone(item, text) if other != item]
    return views


def _undone(item: bytes, text: str) -> list[bytes]:
    out = [unquote_plus(text).encode("utf-8", "replace"), html.unescape(text).encode("utf-8", "replace")]
    if "\\" in text:
        out.append(
            re.sub(r"\\u([0-9a-fA-F]{4})", _unit, text)
            .encode("utf-16", "surrogatepass")
            .decode("utf-16", "replace")
            .encode()
        )
        out.append(re.sub(r"\\(.)", r"\1", text).encode("utf-8", "replace"))
    for undo in (gzip.decompress, zlib.decompress, brotli.decompress, zstandard.ZstdDecompressor().decompress):
        try:
            out.append(undo(item))
        except (OSError, EOFError, zlib.error, brotli.error, zstandard.ZstdError):
            continue
    if b"\x00" in item:
        out += [item.decode(coding, "replace").encode("utf-8", "replace") for coding in ("utf-16", "utf-16-be")]
    if text.startswith("data:"):
        out.append("\n".join(line.removeprefix("data: ") for line in text.splitlines()).encode())
    for run in _RUN.findall(item):
        with contextlib.suppress(ValueError):
            out.append(base64.b64decode(run.replace(b"-", b"+").replace(b"_", b"/") + b"=" * (-len(run) % 4)))
        if re.fullmatch(rb"(?:[0-9a-fA-F]{2})+", run):
            out.append(bytes.fromhex(run.decode()))
    return out


def _unit(match: re.Match[str]) -> str:
    return chr(int(match.group(1), 16))
