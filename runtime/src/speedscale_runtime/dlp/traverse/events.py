"""Server-sent events (WHATWG HTML, section 9.2): the lines of data of one event are one document.

Also line protocols of the same look. A document that several lines hold is read joined, and written back line by line.
"""

from __future__ import annotations

import re

from speedscale_runtime.dlp.edits import Edits, shift, through

from . import body
from .base import Asks

_EVENT = re.compile(rb"(?m)^(?:data|event|id|retry):")
_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n|\Z)")


def looks_like(data: bytes) -> bool:
    """Say whether a text begins like a stream of events."""
    return _EVENT.match(data) is not None


def edits(engine: Asks, data: bytes, depth: int) -> Edits:
    """Return the edits of all events."""
    out: Edits = []
    group: list[tuple[int, bytes]] = []
    for match in _LINE.finditer(data):
        line, at = match.group(), match.start()
        name, colon, rest = line.partition(b":")
        text = rest.strip()
        if name == b"data" and colon:
            group.append((at + 5 + (rest.index(text) if text else 0), text))
            continue
        out += _data(engine, group, depth)
        group = []
        if not line.strip():
            continue
        if colon and text:
            start = at + len(name) + 1 + rest.index(text)
            out += shift(body.document(engine, text, b"", depth + 1), start)
        out += shift(engine.text(name, depth), at)
    return out + _data(engine, group, depth)


def _data(engine: Asks, group: list[tuple[int, bytes]], depth: int) -> Edits:
    if not group:
        return []
    if len(group) == 1:
        return shift(body.document(engine, group[0][1], b"", depth + 1), group[0][0])
    joined = b"\n".join(text for _, text in group)
    offsets: list[int] = []
    for start, text in group:
        offsets.extend(range(start, start + len(text) + 1))
    found = body.document(engine, joined, b"", depth + 1)
    return through(found, offsets, lambda new: new.replace(b"\n", b"\ndata: "))
