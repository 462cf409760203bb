"""Read server name and ALPN from a TLS ClientHello without a TLS stack.

RFC 8446 section 4.1.2, RFC 6066 section 3, RFC 7301 section 3.1.
Used by the proxy to name a connection and to choose a certificate. Pure and bounded: a hello longer than
HELLO_MAX bytes, records included, is refused. Standard library only.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from speedscale_schemas.errors import PeerError

HELLO_MAX = 65_536
_HANDSHAKE, _CLIENT_HELLO = 22, 1
_SERVER_NAME, _ALPN = 0, 16
_RECORD_MAX = 16_384
_NAME = re.compile(rb"[0-9A-Za-z_](?:[0-9A-Za-z._-]{0,253}[0-9A-Za-z_])?\.?")


class NeedMore(Exception):
    """The bytes so far are the start of a ClientHello; call again with them and more."""


class ClientHello(NamedTuple):
    """What a client asked for: `sni` lower-case without a final dot, "" when absent; `alpn` in its order."""

    sni: str
    alpn: tuple[bytes, ...]


def parse(data: bytes) -> ClientHello:
    """Return what the ClientHello at the start of `data` says, however it is split into records.

    Raises NeedMore when it does not end in `data`, PeerError when it is none, is malformed, or exceeds HELLO_MAX.
    """
    body = _handshake(data)
    try:
        return _hello(body)
    except IndexError:
        raise _bad("a length points outside of it") from None


def _bad(detail: str) -> PeerError:
    return PeerError("bad_client_hello", detail)


def _handshake(data: bytes) -> bytes:
    """Join the records of the first handshake message and return its body."""
    message = b""
    pos = 0
    while True:
        if len(message) >= 1 and message[0] != _CLIENT_HELLO:
            raise _bad("not a ClientHello")
        if len(message) >= 4:
            size = int.from_bytes(message[1:4], "big")
            if size > HELLO_MAX:
                raise _bad(f"{size} bytes; at most {HELLO_MAX} are read")
            if len(message) >= 4 + size:
                return message[4 : 4 + size]
        header = data[pos : pos + 5]
        if header and (header[0] != _HANDSHAKE or header[1:2] not in (b"", b"\x03")):
            raise _bad("not a TLS handshake record")
        if len(header) < 5:
            raise _need_more(data)
        length = int.from_bytes(header[3:5], "big")
        if not 0 < length <= _RECORD_MAX:
            raise _bad(f"record of {length} bytes")
        piece = data[pos + 5 : pos + 5 + length]
        message += piece
        pos += 5 + length
        if len(piece) < length and (len(message) < 4 or len(message) < 4 + int.from_bytes(message[1:4], "big")):
            if message and message[0] != _CLIENT_HELLO:
                raise _bad("not a ClientHello")
            raise _need_more(data)


def _need_more(data: bytes) -> Exception:
    return _bad(f"more than {HELLO_MAX} bytes") if len(data) > HELLO_MAX else NeedMore()


def _hello(body: bytes) -> ClientHello:
    pos = 2 + 32  # version, random
    pos += 1 + body[pos]  # session id
    pos += 2 + _u16(body, pos)  # cipher suites
    pos += 1 + body[pos]  # compression methods
    if pos == len(body):  # no extensions at all (TLS 1.2 and older)
        return ClientHello("", ())
    end = pos + 2 + _u16(body, pos)
    if end != len(body):
        raise IndexError
    pos += 2
    sni = ""
    alpn: tuple[bytes, ...] = ()
    while pos < end:
        kind, size = _u16(body, pos), _u16(body, pos + 2)
        extension = body[pos + 4 : pos + 4 + size]
        if len(extension) != size:
            raise IndexError
        if kind == _SERVER_NAME and size:
            sni = _server_name(extension)
        elif kind == _ALPN:
            alpn = _protocols(extension)
        pos += 4 + size
    return ClientHello(sni, alpn)


def _u16(data: bytes, pos: int) -> int:
    return data[pos] << 8 | data[pos + 1]


def _server_name(extension: bytes) -> str:
    if _u16(extension, 0) != len(extension) - 2 or extension[2] != 0:
        raise IndexError
    size = _u16(extension, 3)
    name = extension[5 : 5 + size]
    if len(name) != size or _NAME.fullmatch(name) is None:
        raise _bad("server name is no host name")
    return name.decode("ascii").lower().rstrip(".")


def _protocols(extension: bytes) -> tuple[bytes, ...]:
    if _u16(extension, 0) != len(extension) - 2:
        raise IndexError
    names, pos = [], 2
    while pos < len(extension):
        name = extension[pos + 1 : pos + 1 + extension[pos]]
        if not name or len(name) != extension[pos]:
            raise IndexError
        names.append(name)
        pos += 1 + len(name)
    return tuple(names)
