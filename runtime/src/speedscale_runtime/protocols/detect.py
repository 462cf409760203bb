"""Tell the protocol of a connection from the first bytes of either side.

Used by the proxy, beside forwarding: bytes are never kept back for this, so a server that speaks first (MySQL,
SMTP, SSH) is not delayed. At most LOOK bytes a side are remembered. Sources: RFC 9113 section 3.4 (HTTP/2),
RFC 8446 section 5.1 (TLS), PostgreSQL "Message Formats", MySQL "Protocol::HandshakeV10", MongoDB "Wire Protocol",
the Redis serialisation protocol, the Kafka protocol guide, AMQP 0-9-1 section 4.2.2.

A label is a guess from a few bytes; whoever parses the protocol then has the last word.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import StrEnum

LOOK = 64

_H2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_HTTP1_METHODS = (
    b"GET ", b"POST ", b"PUT ", b"DELETE ", b"HEAD ", b"OPTIONS ", b"PATCH ", b"CONNECT ", b"TRACE ",
    b"PROPFIND ", b"PROPPATCH ", b"MKCOL ", b"COPY ", b"MOVE ", b"LOCK ", b"UNLOCK ", b"REPORT ", b"SEARCH ",
    b"PURGE ", b"LINK ", b"UNLINK ", b"SUBSCRIBE ", b"UNSUBSCRIBE ", b"NOTIFY ", b"M-SEARCH ",
)  # fmt: skip
_HTTP1_LINE = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,24} [^\x00-\x20\x7f]+ HTTP/1\.[0-9]\r?\n")
_REDIS_INLINE = re.compile(rb"(?:PING|AUTH|HELLO|INFO|QUIT|SELECT|CLIENT|COMMAND)(?: [ -~]*)?\r\n", re.IGNORECASE)
_REDIS_ARRAY = re.compile(rb"\*[1-9][0-9]{0,5}\r\n(?:\$|$)")
# Protocol version 3.x, or the requests for SSL, GSS encryption and cancellation, with their fixed lengths.
_POSTGRES_REQUESTS = {80877103: 8, 80877104: 8, 80877102: 0}
_MONGODB_OPCODES = frozenset((1, 2001, 2002, 2004, 2005, 2006, 2007, 2010, 2011, 2012, 2013))
_MESSAGE_MAX = 48_000_000 + 16_384  # MongoDB's limit; also a sane one for Kafka
_KAFKA_API_MAX, _KAFKA_VERSION_MAX, _KAFKA_CLIENT_MAX = 100, 25, 249


class Protocol(StrEnum):
    """What a connection speaks; fit for a metric's label."""

    HTTP1 = "http/1"
    HTTP2 = "h2"
    TLS = "tls"
    POSTGRES = "postgres"
    MYSQL = "mysql"
    MONGODB = "mongodb"
    REDIS = "redis"
    KAFKA = "kafka"
    AMQP = "amqp"
    OPAQUE = "opaque"


class _Maybe:
    """More bytes could still make it this protocol."""


_MAYBE = _Maybe()
_Verdict = bool | _Maybe


class Detector:
    """One connection: feed the first bytes of both sides; `protocol` is None while undecided, then final."""

    __slots__ = ("_client", "_server", "protocol")

    def __init__(self) -> None:
        self.protocol: Protocol | None = None
        self._client = b""
        self._server = b""

    def feed_client(self, data: bytes) -> Protocol | None:
        """Take bytes of the client; return the protocol once known."""
        if self.protocol is None:
            self._client = (self._client + data[:LOOK])[:LOOK]
            self.protocol = from_client(self._client)
        return self.protocol

    def feed_server(self, data: bytes) -> Protocol | None:
        """Take bytes of the server; return the protocol once known."""
        if self.protocol is None:
            self._server = (self._server + data[:LOOK])[:LOOK]
            self.protocol = from_server(self._server)
        return self.protocol


def from_client(first: bytes) -> Protocol | None:
    """Return what a client that begins with these bytes speaks; None while more could tell."""
    return _decide(first, _CLIENT)


def from_server(first: bytes) -> Protocol | None:
    """Return what a server that speaks first, with these bytes, speaks; None while more could tell."""
    return _decide(first, _SERVER)


def _decide(first: bytes, tests: tuple[tuple[Protocol, Callable[[bytes], _Verdict]], ...]) -> Protocol | None:
    if not first:
        return None
    waiting = False
    for protocol, test in tests:
        verdict = test(first)
        if verdict is True and not waiting:
            return protocol
        waiting = waiting or verdict is _MAYBE or verdict is True
    return None if waiting and len(first) < LOOK else Protocol.OPAQUE


def _prefix(first: bytes, whole: bytes) -> _Verdict:
    if first.startswith(whole):
        return True
    return _MAYBE if whole.startswith(first) else False


def _h2(first: bytes) -> _Verdict:
    return _prefix(first, _H2_PREFACE)


def _http1(first: bytes) -> _Verdict:
    if first.startswith(_HTTP1_METHODS):
        return True
    if any(method.startswith(first) for method in _HTTP1_METHODS):
        return _MAYBE
    if _HTTP1_LINE.match(first):
        return True
    # A method of the client's own: only its whole first line tells.
    return _MAYBE if re.fullmatch(rb"[A-Z][A-Z\-]{0,23}(?: [^\x00-\x20\x7f]*(?: [HTP/.0-9]*\r?)?)?", first) else False


def _tls(first: bytes) -> _Verdict:
    if first[0] != 0x16:
        return False
    if len(first) < 6:
        return _MAYBE if first[1:2] in (b"", b"\x03") else False
    return first[1] == 3 and first[2] <= 4 and first[5] in (1, 2)


def _postgres(first: bytes) -> _Verdict:
    if len(first) < 8:
        return _MAYBE if first[0] == 0 else False
    length, code = int.from_bytes(first[:4], "big"), int.from_bytes(first[4:8], "big")
    if code in _POSTGRES_REQUESTS:
        return length == _POSTGRES_REQUESTS[code] or (code == 80877102 and 16 <= length <= 268)
    return code >> 16 == 3 and code & 0xFFFF <= 2 and 8 < length <= 10_000


def _mongodb(first: bytes) -> _Verdict:
    if len(first) < 16:
        return _MAYBE if len(first) < 4 or _mongo_length(first) else False
    code = int.from_bytes(first[12:16], "little")
    return _mongo_length(first) and code in _MONGODB_OPCODES and first[8:12] == bytes(4)


def _mongo_length(first: bytes) -> bool:
    return 16 < int.from_bytes(first[:4], "little") <= _MESSAGE_MAX


def _redis(first: bytes) -> _Verdict:
    if first[0] == 0x2A:
        if _REDIS_ARRAY.match(first):
            return True
        return _MAYBE if re.fullmatch(rb"\*(?:[1-9][0-9]{0,5}\r?)?", first) else False
    if _REDIS_INLINE.match(first):
        return True
    words = (b"PING", b"AUTH", b"HELLO", b"INFO", b"QUIT", b"SELECT", b"CLIENT", b"COMMAND")
    head = first.upper()
    if any(word.startswith(head) for word in words):
        return _MAYBE
    begun = any(head.startswith(word + b" ") or head == word + b"\r" for word in words)
    return _MAYBE if begun and b"\n" not in first else False


def _kafka(first: bytes) -> _Verdict:
    """Request header v1 or v2: length, API key, version, correlation id, then a client id of plausible length."""
    if first[0] > 2:
        return False
    if len(first) < 14:
        return _MAYBE
    length = int.from_bytes(first[:4], "big")
    key, version = int.from_bytes(first[4:6], "big"), int.from_bytes(first[6:8], "big")
    client = int.from_bytes(first[12:14], "big", signed=True)
    if not (10 <= length <= _MESSAGE_MAX and key <= _KAFKA_API_MAX and version <= _KAFKA_VERSION_MAX):
        return False
    if not -1 <= client <= min(_KAFKA_CLIENT_MAX, length - 10):
        return False
    name = first[14 : 14 + max(client, 0)]
    return all(0x20 <= byte < 0x7F for byte in name)


def _amqp(first: bytes) -> _Verdict:
    return _prefix(first, b"AMQP")


def _mysql_server(first: bytes) -> _Verdict:
    """A handshake packet (length, sequence 0, protocol 10, a version that ends in zero), or an error packet."""
    if len(first) < 6:
        fits = first[3:4] in (b"", b"\0") and first[4:5] in (b"", b"\x0a", b"\xff")
        return _MAYBE if fits else False
    length = int.from_bytes(first[:3], "little")
    if first[3] != 0 or not 8 < length < 1024:
        return False
    if first[4] == 0xFF:
        return int.from_bytes(first[5:7], "little") >= 1000 if len(first) >= 7 else _MAYBE
    version = first[5:].split(b"\0", 1)[0]
    return first[4] == 10 and re.fullmatch(rb"[0-9]+\.[ -~]*|[0-9]+", version) is not None


_CLIENT: tuple[tuple[Protocol, Callable[[bytes], _Verdict]], ...] = (
    (Protocol.TLS, _tls),
    (Protocol.HTTP2, _h2),
    (Protocol.HTTP1, _http1),
    (Protocol.AMQP, _amqp),
    (Protocol.REDIS, _redis),
    (Protocol.POSTGRES, _postgres),
    (Protocol.MONGODB, _mongodb),
    (Protocol.KAFKA, _kafka),
)
_SERVER: tuple[tuple[Protocol, Callable[[bytes], _Verdict]], ...] = ((Protocol.MYSQL, _mysql_server),)
