"""XML and HTML: text under its element's name, attributes under theirs, CDATA, comments; references undone."""

from __future__ import annotations

import re

from speedscale_runtime.dlp.edits import Edits, shift, through

from .base import Asks
from .entities import escape, unescape

_OPEN = re.compile(rb"<(?:(!\[CDATA\[)|(!--)|(\?)|(?=/?[A-Za-z_\x80-\xff]))")
_CLOSERS = {1: b"]]>", 2: b"-->", 3: b"?>"}
# bounded, so that what never closes costs no more than this for each tag
_TAG = re.compile(
    rb"<(/?)([A-Za-z_\x80-\xff][\w:.\-\x80-\xff]{0,127})"
    rb"((?:\"[^\"<]{0,4096}\"|'[^'<]{0,4096}'|[^<>\"']){0,4096})>",
    re.DOTALL,
)
_ATTRIBUTE = re.compile(rb"([A-Za-z_\x80-\xff][\w:.\-\x80-\xff]*)\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")
_DEEPEST = 256
_SHOWN = 16
_NAMED = (b"name", b"key", b"id", b"Name")


def edits(engine: Asks, data: bytes, depth: int) -> Edits:
    """Return the edits of everything that looks like XML or HTML in the data."""
    out: Edits = []
    stack: list[bytes] = []
    at = done = 0
    while (opening := _OPEN.search(data, at)) is not None:
        start = opening.start()
        kind = opening.lastindex
        if kind is not None:
            end = data.find(_CLOSERS[kind], opening.end())
            if end < 0:
                break
            stop = end + len(_CLOSERS[kind])
        else:
            tag = _TAG.match(data, start)
            if tag is None:
                at = start + 1
                continue
            stop = tag.end()
        if start > done:
            out += _text(engine, data, done, start, stack, depth)
        at = done = stop
        if kind == 1:
            found = engine.leaf(data[opening.end() : end], _local(stack), depth)
            out += _place(shift(found, opening.end()), stack) if found else []
        elif kind == 2:
            out += shift(engine.text(data[opening.end() : end], depth), opening.end())
        elif kind is None and tag is not None:
            out += _on_tag(engine, tag, stack, depth)
    if stack and done < len(data):
        out += _text(engine, data, done, len(data), stack, depth)
    return out


def _on_tag(engine: Asks, tag: re.Match[bytes], stack: list[bytes], depth: int) -> Edits:
    if tag.group(1):
        if stack:
            stack.pop()
        return []
    found = _attributes(engine, tag, stack, depth) if b"=" in tag.group(3) else []
    if not tag.group(3).endswith(b"/") and len(stack) < _DEEPEST:
        stack.append(tag.group(2))
    return found


def _local(stack: list[bytes]) -> bytes:
    return stack[-1].rpartition(b":")[2] if stack else b""


def _place(edits: Edits, stack: list[bytes], attribute: str = "") -> Edits:
    shown = stack if len(stack) <= _SHOWN else [*stack[: _SHOWN // 2], "…".encode(), *stack[-_SHOWN // 2 :]]
    return shift(edits, 0, "/" + "/".join(s.decode("utf-8", "replace") for s in shown) + attribute)


def _text(engine: Asks, data: bytes, start: int, end: int, stack: list[bytes], depth: int) -> Edits:
    raw = data[start:end]
    text = raw.strip()
    if not text:
        return []
    start += raw.index(text)
    found = _decoded(engine, text, _local(stack), depth)
    return _place(shift(found, start), stack) if found else []


def _decoded(engine: Asks, raw: bytes, key: bytes, depth: int) -> Edits:
    if b"&" not in raw:
        return engine.leaf(raw, key, depth)
    decoded, offsets = unescape(raw)
    return through(engine.leaf(decoded, key, depth + 1), offsets, escape)


def _attributes(engine: Asks, match: re.Match[bytes], stack: list[bytes], depth: int) -> Edits:
    out: Edits = []
    label = b""
    for attribute in _ATTRIBUTE.finditer(match.group(3)):
        group = 2 if attribute.group(2) is not None else 3
        key, raw = attribute.group(1), attribute.group(group)
        if key in _NAMED:
            label = raw
        name = label if key == b"value" and label else key.rpartition(b":")[2]
        found = shift(_decoded(engine, raw, name, depth), match.start(3) + attribute.start(group))
        if found:
            out += _place(found, [*stack, match.group(2)], "/@" + key.decode("utf-8", "replace"))
    return out
