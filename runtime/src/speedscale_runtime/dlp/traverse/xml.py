"""XML and HTML: text under its element's name, attributes under theirs, CDATA, comments; references undone."""

from __future__ import annotations

import re

from speedscale_runtime.dlp.edits import Edits, shift, through

from .base import Asks
from .entities import escape, unescape

_TAG = re.compile(
    rb"<!\[CDATA\[(.*?)\]\]>|<!--(.*?)-->|<\?.*?\?>|<(/?)([A-Za-z_][\w:.\-]*)((?:\"[^\"]*\"|'[^']*'|[^>\"'])*)>",
    re.DOTALL,
)
_ATTRIBUTE = re.compile(rb"([A-Za-z_][\w:.\-]*)\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")
_NAMED = (b"name", b"key", b"id", b"Name")


def edits(engine: Asks, data: bytes, depth: int) -> Edits:
    """Return the edits of everything that looks like XML or HTML in the data."""
    out: Edits = []
    stack: list[bytes] = []
    at = 0
    for match in _TAG.finditer(data):
        if match.start() > at:
            out += _text(engine, data, at, match.start(), stack, depth)
        at = match.end()
        if match.group(1) is not None:
            out += _place(shift(engine.leaf(match.group(1), _local(stack), depth), match.start(1)), stack)
        elif match.group(2) is not None:
            out += shift(engine.text(match.group(2), depth), match.start(2))
        elif match.group(3):
            if stack:
                stack.pop()
        elif match.group(4):
            name = match.group(4)
            out += _attributes(engine, match, [*stack, name], depth)
            if not match.group(5).endswith(b"/"):
                stack.append(name)
    if stack and at < len(data):
        out += _text(engine, data, at, len(data), stack, depth)
    return out


def _local(stack: list[bytes]) -> bytes:
    return stack[-1].rpartition(b":")[2] if stack else b""


def _place(edits: Edits, stack: list[bytes], attribute: str = "") -> Edits:
    where = "/" + "/".join(s.decode("utf-8", "replace") for s in stack) + attribute
    return shift(edits, 0, where) if edits else edits


def _text(engine: Asks, data: bytes, start: int, end: int, stack: list[bytes], depth: int) -> Edits:
    raw = data[start:end]
    text = raw.strip()
    if not text:
        return []
    start += raw.index(text)
    return _place(shift(_decoded(engine, text, _local(stack), depth), start), stack)


def _decoded(engine: Asks, raw: bytes, key: bytes, depth: int) -> Edits:
    if b"&" not in raw:
        return engine.leaf(raw, key, depth)
    decoded, offsets = unescape(raw)
    return through(engine.leaf(decoded, key, depth + 1), offsets, escape)


def _attributes(engine: Asks, match: re.Match[bytes], stack: list[bytes], depth: int) -> Edits:
    out: Edits = []
    label = b""
    for attribute in _ATTRIBUTE.finditer(match.group(5)):
        group = 2 if attribute.group(2) is not None else 3
        key, raw = attribute.group(1), attribute.group(group)
        if key in _NAMED:
            label = raw
        name = label if key == b"value" and label else key.rpartition(b":")[2]
        found = shift(_decoded(engine, raw, name, depth), match.start(5) + attribute.start(group))
        out += _place(found, stack, "/@" + key.decode("utf-8", "replace"))
    return out
