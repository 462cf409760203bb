"""Hosts and ports as clients of a forward proxy write them: `host:port`, `[::1]:443`, `http://host/path`.

Used by `preamble` and `forward`. Standard library only. Nothing is resolved here.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_AUTHORITY = re.compile(
    r"(?:\[(?P<six>[0-9A-Fa-f:.]+(?:%[0-9A-Za-z._~-]+)?)\]|(?P<name>[^\s\[\]:/?#@\\\x00-\x20]+))(?::(?P<port>[0-9]{0,5}))?"
)
_ABSOLUTE = re.compile(
    rb"(?P<scheme>[Hh][Tt][Tt][Pp][Ss]?|[Ww][Ss][Ss]?)://(?P<authority>[^/?#]*)(?P<path>[^#]*)(?:#.*)?"
)
_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}


class Target(NamedTuple):
    """Where a client wants to go; IPv6 addresses without brackets; `origin` is the origin-form of the URL."""

    host: str
    port: int
    authority: bytes
    origin: bytes
    tls: bool


def split(authority: bytes, default_port: int) -> tuple[str, int] | None:
    """Return host and port of `host`, `host:port` or `[v6]:port`; None when it is neither.

    `default_port` 0 means that a port must be written. User names before `@` are refused: they are no part of a
    proxy's target (RFC 9110 section 4.2.4).
    """
    match = _AUTHORITY.fullmatch(authority.decode("latin-1"))
    if match is None:
        return None
    port = int(match["port"]) if match["port"] else default_port
    host = match["six"] or match["name"]
    if not 0 < port < 65536 or (match["six"] is not None and ":" not in host):
        return None
    return host, port


def absolute(target: bytes) -> Target | None:
    """Return where an absolute-form target (RFC 9112 section 3.2.2) leads, or None when it is none."""
    match = _ABSOLUTE.fullmatch(target)
    if match is None:
        return None
    scheme = match["scheme"].decode().lower()
    authority = match["authority"].rpartition(b"@")[2]
    where = split(authority, _PORTS[scheme])
    if where is None:
        return None
    path: bytes = match["path"]
    origin = path if path.startswith(b"/") else b"/" + path
    return Target(where[0], where[1], authority, origin, scheme in ("https", "wss"))
