"""Pairs that are larger than an exporter can hold: their bodies are cut, the larger first, tagged with the true length.

Pure. Each exporter brings its own encoding; what a byte of a body costs in it is measured, not assumed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from speedscale_runtime.rrpair import RRPair

T = TypeVar("T")

TAGS = {"request_body": "requestPayloadTruncated", "response_body": "responsePayloadTruncated"}
TAGS_OF_CUTS = frozenset(TAGS.values())
ATTRIBUTE = "speedscale.body.truncated"
"""What a log record bears whose pair has a cut body."""
_ROUNDS = 6
_SLACK = 0.97  # text costs more in some places than on average


class Fitted(NamedTuple, Generic[T]):
    """An encoding and its size in bytes, and whether a body was cut for it."""

    data: T
    size: int
    cut: bool


def fit(pair: RRPair, encode: Callable[[RRPair], T], size: Callable[[T], int], limit: int) -> Fitted[T] | None:
    """Return the pair's encoding of at most `limit` bytes; None where not even its head fits."""
    data = encode(pair)
    length = size(data)
    if length <= limit:
        return Fitted(data, length, False)
    total = sum(len(getattr(pair, name) or b"") for name in TAGS)
    bare = encode(shortened(pair, 0))
    least = size(bare)
    if least > limit or not total:
        return None
    cost = max((length - least) / total, 1e-9)
    keep = int((limit - least) / cost * _SLACK)
    for _ in range(_ROUNDS):
        data = encode(shortened(pair, keep))
        length = size(data)
        if length <= limit:
            return Fitted(data, length, True)
        keep = int(keep * min(_SLACK, limit / length) * _SLACK)
    return Fitted(bare, least, True)


def shortened(pair: RRPair, keep: int) -> RRPair:
    """Return a copy of whose bodies `keep` bytes stay in all: the smaller whole, where there is room for it."""
    twin = pair.copy()
    names = sorted((n for n in TAGS if getattr(twin, n)), key=lambda name: len(getattr(twin, name)))
    for position, name in enumerate(names):
        body = getattr(twin, name)
        share = keep // (len(names) - position)
        if len(body) > share:
            part = _whole_characters(body, share)
            setattr(twin, name, part)
            twin.tags.setdefault(TAGS[name], str(len(body)))
            body = part
        keep -= len(body)
    return twin


def _whole_characters(body: bytes, length: int) -> bytes:
    """Return the first `length` bytes, less where that would cut a character of text in two."""
    part = body[:length]
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return part
    return part.decode("utf-8", "ignore").encode("utf-8")
