"""SAML messages in a query or a form: base64, in redirects deflated before (SAML bindings 2.0, section 3.4.4.1)."""

from __future__ import annotations

import base64
import binascii

from speedscale_runtime.dlp.edits import Edit, Edits, apply, merge, under

from . import compression
from .base import Asks
from .percent import quote, unquote


def edits(engine: Asks, data: bytes, depth: int) -> Edits:
    """Return the edit of a parameter's value as it stands; one that cannot be read is replaced."""
    decoded = unquote(data, form=b"%2B" in data or b"%2b" in data)[0].replace(b" ", b"+") if data else b""
    if not decoded or decoded.startswith(b"REDACTED-"):
        return []
    try:
        message = base64.b64decode(decoded, validate=True)
    except binascii.Error:
        return engine.leaf(decoded, b"", depth + 1) and [engine.whole(data, "a SAML message that is no base64")]
    deflated = message.lstrip()[:1] != b"<"
    try:
        plain = compression.decompress("deflate", message) if deflated else message
    except compression.Unreadable as why:
        return [engine.whole(data, str(why))]
    engine.spend(len(plain))
    inner = merge(engine.text(plain, depth + 1))
    if not inner:
        return []
    new = apply(plain, inner)
    coded = base64.b64encode(compression.compress("deflate", new, message) if deflated else new)
    notes = tuple(n for e in inner for n in under(e.notes, "|saml"))
    return [Edit(0, len(data), quote(coded), notes)]
