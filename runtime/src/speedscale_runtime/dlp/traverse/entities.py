"""Character references of XML and HTML: `&#64;`, `&#x40;`, `&commat;`."""

from __future__ import annotations

import html
import re

from speedscale_runtime.dlp.edits import Edits, through

from .base import Asks
from .offsets import Offsets, decode

_UNIT = re.compile(rb"&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")


def _meaning(match: re.Match[bytes]) -> bytes:
    return html.unescape(match.group().decode("ascii")).encode("utf-8", "surrogatepass")


def unescape(data: bytes) -> tuple[bytes, Offsets]:
    """Return the text without references and the offset of each of its bytes."""
    return decode(data, _UNIT, _meaning)


def escape(text: bytes) -> bytes:
    """Return text as it has to stand in XML text or in a quoted attribute."""
    return (
        text.replace(b"&", b"&amp;")
        .replace(b"<", b"&lt;")
        .replace(b">", b"&gt;")
        .replace(b'"', b"&quot;")
        .replace(b"'", b"&#39;")
    )


def view(engine: Asks, data: bytes, depth: int, place: str) -> Edits:
    """Return the edits of a text whose references hide something."""
    decoded, offsets = unescape(data)
    if decoded == data:
        return []
    engine.spend(offsets.cost)
    return through(engine.text(decoded, depth + 1), offsets, escape)
