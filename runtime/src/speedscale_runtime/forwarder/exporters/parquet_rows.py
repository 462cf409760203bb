"""The columns of Parquet files, and how a pair becomes a row. Pure.

Names are those of an RRPair. Times are in UTC; `ts_ns` keeps the nanoseconds that most readers of timestamps do not.
`record` is the whole pair as `raw.jsonl` has it, so that nothing is lost by the columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from speedscale_runtime.rrpair import RRPair, jsonform

from . import cutting
from .base import Item
from .instants import of_pair, utc

COLUMNS: Mapping[str, str] = {
    "uuid": "VARCHAR",
    "ts_ns": "BIGINT",
    "received_ns": "BIGINT",
    "cluster": "VARCHAR",
    "namespace": "VARCHAR",
    "service": "VARCHAR",
    "direction": "VARCHAR",
    "tech": "VARCHAR",
    "l7protocol": "VARCHAR",
    "network_address": "VARCHAR",
    "command": "VARCHAR",
    "location": "VARCHAR",
    "status": "VARCHAR",
    "session": "VARCHAR",
    "duration_ms": "DOUBLE",
    "request_bytes": "BIGINT",
    "response_bytes": "BIGINT",
    "truncated": "BOOLEAN",
    "record": "VARCHAR",
}
TIMES = {"ts": "ts_ns", "received": "received_ns"}
"""Timestamps of microseconds that the writer derives, and from what."""
PARTITION = "date=%Y-%m-%d/hour=%H"
_TEXTS = (
    "cluster",
    "namespace",
    "service",
    "direction",
    "tech",
    "l7protocol",
    "network_address",
    "command",
    "location",
    "status",
    "session",
)


class Row(NamedTuple):
    """One pair: its partition, its values in the order of COLUMNS, the size of its record, whether it was cut."""

    partition: str
    values: tuple[object, ...]
    size: int
    cut: bool

    @property
    def uuid(self) -> str:
        """The pair's uuid."""
        return str(self.values[0])


def row(item: Item, limit: int) -> Row | None:
    """Return the pair's row, its record cut where it is larger than `limit` bytes; None where that is not enough."""
    fitted = cutting.fit(item.pair, jsonform.dumps_line, len, limit)
    if fitted is None:
        return None
    pair, doc = item.pair, item.pair.doc
    at = of_pair(pair, item.time_ns)
    duration = doc.get("duration")
    values = (
        _text(doc.get("uuid")),
        at,
        item.time_ns,
        *(_text(doc.get(name)) for name in _TEXTS),
        float(duration) if isinstance(duration, int | float) else None,
        len(pair.request_body or b""),
        len(pair.response_body or b""),
        fitted.cut or _was_cut(pair),
        fitted.data.decode("utf-8", "replace"),
    )
    return Row(utc(at).strftime(PARTITION), values, fitted.size, fitted.cut)


def _was_cut(pair: RRPair) -> bool:
    return not cutting.TAGS_OF_CUTS.isdisjoint(pair.doc.get("tags") or ())


def _text(value: object) -> str:
    text = value if isinstance(value, str) else "" if value is None else str(value)
    return text.encode("utf-8", "replace").decode("utf-8")
