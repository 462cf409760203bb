"""RRPairs as Markdown."""

from __future__ import annotations

from .model import RRPair


def loads(data: bytes, source: str = "") -> RRPair:
    """Read one RRPair."""
    raise NotImplementedError


def dumps(pair: RRPair) -> bytes:
    """Write one RRPair."""
    raise NotImplementedError


def is_readable(pair: RRPair) -> bool:
    """Whether the pair has a readable form: HTTP has, other protocols are stored as JSON."""
    return isinstance(pair.doc.get("http"), dict)
