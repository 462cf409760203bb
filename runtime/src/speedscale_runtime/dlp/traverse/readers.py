"""Readers of leaves that are more than text: which header, which part of a signature is read how.

A table and small adapters; `head` decides what stands where.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable

from speedscale_runtime.dlp.edits import Edit, Edits, apply, merge

from . import auth, cookies, form
from .base import Asks

Reader = Callable[[Asks, bytes, int], Edits]

HEADERS: dict[str, Reader] = {
    "authorization": auth.header,
    "proxy-authorization": auth.header,
    "cookie": cookies.cookie,
    "set-cookie": cookies.set_cookie,
    "location": form.url,
    "referer": form.url,
    "content-location": form.url,
    "x-original-url": form.url,
    "x-rewrite-url": form.url,
    ":path": form.url,
}


def session(engine: Asks, data: bytes, depth: int) -> Edits:
    """Return the edits of the session id that was computed for a record: a credential, whatever it looks like."""
    return engine.secret(data, "session", "the session id of the record")


def signature(name: str) -> Reader:
    """Return the reader of a signature's plain value under the last part of its key."""
    if name in ("url", "uri", "queryparams"):
        return lambda engine, data, depth: (
            form.url(engine, data, depth) if name != "queryparams" else form.edits(engine, data, depth)
        )
    return lambda engine, data, depth: engine.leaf(data, name.encode("utf-8", "replace"), depth)


def coded(name: str) -> Reader:
    """Return the reader of a base64 value that means text under `name`."""
    inner = signature(name)

    def read(engine: Asks, data: bytes, depth: int) -> Edits:
        try:
            plain = base64.b64decode(data, validate=True)
        except binascii.Error:
            return engine.leaf(data, name.encode("utf-8", "replace"), depth)
        edits = merge(inner(engine, plain, depth + 1))
        if not edits:
            return []
        notes = tuple(n for e in edits for n in e.notes)
        return [Edit(0, len(data), base64.b64encode(apply(plain, edits)), notes)]

    return read
