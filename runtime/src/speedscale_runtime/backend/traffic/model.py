"""What is known of a stored pair without opening it: the columns, how they come about, how they are asked for.

Pure. The whole pair is the column `frame`, as it came over the wire.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson

from speedscale_runtime.backend.problems import Reason, Refused
from speedscale_runtime.rrpair import RRPair, jsontext
from speedscale_runtime.snapshot.instants import nanoseconds
from speedscale_schemas import frames
from speedscale_schemas.frames import Frame

COLUMNS: Mapping[str, str] = {
    "uuid": "VARCHAR",
    "ts": "BIGINT",
    "received": "BIGINT",
    "cluster": "VARCHAR",
    "namespace": "VARCHAR",
    "service": "VARCHAR",
    "direction": "VARCHAR",
    "tech": "VARCHAR",
    "protocol": "VARCHAR",
    "command": "VARCHAR",
    "location": "VARCHAR",
    "status": "VARCHAR",
    "session": "VARCHAR",
    "duration_ms": "DOUBLE",
    "size": "BIGINT",
    "frame": "BLOB",
}
SUMMARY = tuple(name for name in COLUMNS if name != "frame")
HOUR_NS = 3600 * 10**9
_TEXT_MAX = 2000


class Row(NamedTuple):
    """One pair, in the order of COLUMNS; times are ns since 1970."""

    uuid: str
    ts: int
    received: int
    cluster: str
    namespace: str
    service: str
    direction: str
    tech: str
    protocol: str
    command: str
    location: str
    status: str
    session: str
    duration_ms: float
    size: int
    frame: bytes


class Part(NamedTuple):
    """One Parquet object of the catalogue."""

    name: str
    hour: int
    pairs: int
    bytes: int
    first_ns: int
    last_ns: int
    received_ns: int


class Position(NamedTuple):
    """A place in the order of stored pairs: time and uuid."""

    ts: int
    uuid: str

    def cursor(self) -> str:
        """Return it as text for clients."""
        return base64.urlsafe_b64encode(orjson.dumps([self.ts, self.uuid])).decode("ascii").rstrip("=")


START = Position(-(1 << 62), "")


def position(cursor: str) -> Position:
    """Return the place of a cursor; Refused where it is none of ours."""
    if not cursor:
        return START
    try:
        ts, uuid = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if isinstance(ts, int) and isinstance(uuid, str):
            return Position(ts, uuid)
    except (ValueError, TypeError, binascii.Error):
        pass
    raise Refused(Reason.INVALID, "cursor: this is none that a page ended with")


@dataclass(frozen=True, slots=True)
class Filter:
    """Which pairs; empty fields select everything. Times are ns since 1970, `end_ns` is not included."""

    start_ns: int | None = None
    end_ns: int | None = None
    cluster: str = ""
    namespace: str = ""
    services: tuple[str, ...] = ()
    direction: str = ""
    session: str = ""

    def sql(self) -> tuple[str, list[Any]]:
        """Return the condition and its values."""
        terms: list[str] = ["TRUE"]
        values: list[Any] = []
        for name, value in (("ts >= ?", self.start_ns), ("ts < ?", self.end_ns)):
            if value is not None:
                terms.append(name)
                values.append(value)
        for column in ("cluster", "namespace", "direction", "session"):
            if wanted := getattr(self, column):
                terms.append(f"{column} = ?")
                values.append(wanted)
        if self.services:
            terms.append(f"service IN ({', '.join('?' * len(self.services))})")
            values += self.services
        return " AND ".join(terms), values

    def touches(self, part: Part) -> bool:
        """Say whether a part may hold such a pair."""
        if self.end_ns is not None and part.first_ns >= self.end_ns:
            return False
        return self.start_ns is None or part.last_ns >= self.start_ns


def row_of(frame: Frame, received_ns: int, fallback_uuid: str) -> Row:
    """Return the row of a frame; ValueError where its head is no JSON object."""
    doc = jsontext.parse(frame.head)
    if not isinstance(doc, dict):
        raise ValueError("the head is no JSON object")
    return Row(
        uuid=plain_uuid(str(doc.get("uuid") or fallback_uuid)),
        ts=_instant(doc.get("ts"), received_ns),
        received=received_ns,
        cluster=_text(doc.get("cluster")),
        namespace=_text(doc.get("namespace")),
        service=_text(doc.get("service") or doc.get("resource")),
        direction=_text(doc.get("direction")),
        tech=_text(doc.get("tech")),
        protocol=_text(doc.get("l7protocol")),
        command=_text(doc.get("command")),
        location=_text(doc.get("location")),
        status=_text(doc.get("status")),
        session=_text(doc.get("session")),
        duration_ms=_number(doc.get("duration")),
        size=len(frame.head) + len(frame.request_body) + len(frame.response_body),
        frame=frames.encode(frame),
    )


def plain_uuid(text: str) -> str:
    """Return a pair's uuid as it may stand in a path: uuids are base64 in records."""
    return text.replace("+", "-").replace("/", "_")[:200]


def pair_of(frame: bytes) -> RRPair:
    """Return the pair of a stored frame."""
    return RRPair.from_frame(frames.decode_at(frame)[0])


def summary(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row without its frame as clients see it."""
    shown = {
        name: values[name]
        for name in ("uuid", "cluster", "namespace", "service", "direction", "tech", "protocol", "command")
    }
    return {
        **shown,
        "location": values["location"],
        "status": values["status"],
        "session": values["session"],
        "ts": rfc3339(values["ts"]),
        "receivedAt": rfc3339(values["received"]),
        "durationMs": values["duration_ms"],
        "bytes": values["size"],
    }


def rfc3339(at_ns: int) -> str:
    """Return an instant as text with nanoseconds, UTC."""
    seconds, rest = divmod(at_ns, 10**9)
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{rest:09d}Z"


def _instant(value: object, otherwise: int) -> int:
    try:
        found = nanoseconds(str(value or ""))
    except (ValueError, OverflowError):
        return otherwise
    return found if 0 <= found < 1 << 62 else otherwise


def _text(value: object) -> str:
    """Return any value as text that every store takes: no lone surrogates, of bounded length."""
    text = value if isinstance(value, str) else "" if value is None else str(value)
    return text[:_TEXT_MAX].encode("utf-8", "replace").decode("utf-8")


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0
