"""Pairs as lines of JSON, as `raw.jsonl` has them: what Firehose and Kafka carry. Pure."""

from __future__ import annotations

from speedscale_runtime.rrpair import RRPair, jsonform

from . import cutting
from .cutting import Fitted


def encode(pair: RRPair, limit: int, end: bytes = b"") -> Fitted[bytes] | None:
    """Return the pair's line of at most `limit` bytes, `end` included; None where not even its head fits."""
    return cutting.fit(pair, lambda given: jsonform.dumps_line(given) + end, len, limit)
