"""Where a pair's file belongs in a recording: host folder and time stamp, both safe as file names.

Used by the recordings' writer; `split_authority` by whoever reads a `network_address` or a Host. Pure. Source: the
vendor's layout `<host>/<ts>.md`, with the time stamp's `T` written as `_` and `:` as `-`.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from .model import RRPair

NANOSECONDS = 1_000_000_000
_NAME_MAX = 120
_UNSAFE = re.compile(r"[^A-Za-z0-9._\-]")
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?(Z|[+-]\d\d:\d\d)?")
UNDATED = "1970-01-01T00:00:00Z"


def host(pair: RRPair) -> str:
    """Return the folder's name: `localhost` for what came in, else the host that was called, made safe."""
    return "localhost" if pair.direction == "IN" else safe(called(pair) or "unknown")


def called(pair: RRPair) -> str:
    """Return the name or address of the host that was called, without its port; empty when unknown."""
    return next(filter(None, map(without_port, _hosts(pair.doc))), "")


def _hosts(doc: dict[str, Any]) -> list[str]:
    request = _inside(_inside(doc.get("http")).get("req"))
    upstream = _inside(_inside(doc.get("netinfo")).get("upstream"))
    found = (request.get("host"), doc.get("network_address"), upstream.get("hostname"), upstream.get("ipAddress"))
    return [value for value in found if isinstance(value, str)]


def _inside(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def without_port(authority: str) -> str:
    """Return the host of `host`, `host:port`, `[v6]:port` or a bare IPv6 address."""
    authority = authority.strip()
    if authority.startswith("["):
        return authority[1:].partition("]")[0]
    return authority if authority.count(":") > 1 else authority.partition(":")[0]


def safe(name: str) -> str:
    """Return a file name that stays in its folder: no separators, no leading dot, at most 120 characters.

    Names that had to be changed beyond IPv6's colons get a short hash, so that two hosts never share a folder.
    """
    clean = _UNSAFE.sub("_", name.replace(":", "-"))[:_NAME_MAX]
    clean = "_" + clean[1:] if clean.startswith((".", "-")) else clean or "unknown"
    if clean != name.replace(":", "-"):
        clean += "-" + hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return clean


def stem(ts: str) -> str:
    """Return the file name without suffix for a time stamp from `normal`."""
    return ts.replace("T", "_").replace(":", "-").replace("+", "_")


def normal(ts: object) -> str:
    """Return the time stamp as text sections show it: the fraction without trailing zeros; "" for no time stamp."""
    match = _TIME.fullmatch(ts) if isinstance(ts, str) else None
    if match is None:
        return ""
    seconds, fraction, zone = match.groups()
    try:
        datetime.fromisoformat(seconds)
    except ValueError:  # the 99th of a month
        return ""
    fraction = (fraction or "").rstrip("0")
    return seconds + (f".{fraction}" if fraction else "") + (zone or "Z")


def later(ts: str, nanoseconds: int) -> str:
    """Return a time stamp from `normal` moved by some nanoseconds, with nine digits; never loses precision."""
    match = _TIME.fullmatch(ts)
    if match is None:
        raise ValueError(f"{ts!r} is no RFC 3339 time stamp")
    seconds, fraction, zone = match.groups()
    total = int((fraction or "").ljust(9, "0")) + nanoseconds
    carry, rest = divmod(total, NANOSECONDS)
    moved = datetime.fromisoformat(seconds).replace(tzinfo=UTC) + timedelta(seconds=carry)
    return f"{moved:%Y-%m-%dT%H:%M:%S}.{rest:09d}{zone or 'Z'}"


def split_authority(text: str) -> tuple[str, int]:
    """Return host and port (0 where there is none) of `host:port`, `[v6]:port` or a bare host."""
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        return host, int(rest[1:]) if rest[1:].isdecimal() else 0
    host, colon, port = text.rpartition(":")
    if colon and port.isdecimal() and ":" not in host:
        return host, int(port)
    return text, 0
