"""Sans-io parsers of what a client says to a forward proxy before its own bytes: HTTP or SOCKS.

Used by the proxy (worker and supervisor) and the responder: feed the first bytes, send `outgoing`, and when a
`Result` comes connect to its target. CONNECT is RFC 9110 section 9.3.6, SOCKS5 RFC 1928, SOCKS4 and 4a the
documents of NEC and Ying-Da Lee. Light: the supervisor imports it, so standard library only.

Invariant: bytes that are none of these come back whole in `rest` (OPAQUE), so that nothing a client said is lost.
"""

from __future__ import annotations

from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from . import http1_head as heads
from .authority_form import absolute, split
from .exchange import Cause
from .forward import Forward, Rewriter
from .http1_head import HeadBuffer, ParseError

__all__ = ["Failure", "Forward", "Kind", "Preamble", "Result", "Rewriter"]

_SOCKS4, _SOCKS5, _CONNECT, _NO_AUTH, _NONE_ACCEPTABLE = 4, 5, 1, 0, 0xFF
_SOCKS4_TEXT_MAX = 255  # user name, and host name of 4a; each without its zero byte


class Kind(StrEnum):
    """How the client named its target."""

    CONNECT = "connect"
    ABSOLUTE = "absolute"
    SOCKS4 = "socks4"
    SOCKS5 = "socks5"
    ORIGIN = "origin"  # an ordinary request; host and port are from its Host field, "" and 80 without one
    OPAQUE = "opaque"  # none of these: all bytes are in `rest`
    REFUSED = "refused"  # send `Preamble.outgoing` and close; `cause` says why


class Failure(StrEnum):
    """Why the target was not reached, for `Result.reply_fail`."""

    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    UNKNOWN_HOST = "unknown_host"
    TIMEOUT = "timeout"
    NOT_ALLOWED = "not_allowed"
    OTHER = "other"


_HTTP_STATUS = {
    Failure.TIMEOUT: b"504 Gateway Timeout",
    Failure.NOT_ALLOWED: b"403 Forbidden",
}
_SOCKS5_CODE = {  # RFC 1928 section 6
    Failure.REFUSED: 5,
    Failure.UNREACHABLE: 4,
    Failure.UNKNOWN_HOST: 4,
    Failure.TIMEOUT: 6,
    Failure.NOT_ALLOWED: 2,
    Failure.OTHER: 1,
}


class Result(NamedTuple):
    """The target, what to answer, and what goes upstream.

    `reply_ok` goes to the client once the target is connected (empty where nothing is owed); `rest` goes upstream.
    For ABSOLUTE `rest` is the rewritten beginning, and every later byte of the client goes through
    `rewriter.feed`; `pending` holds what the first bytes already contained for later requests, maybe for
    other targets. `tls` is set for an absolute https URL: the target wants TLS from us. `host` is a name or an
    address without brackets, `port` 1 to 65535 (0 for OPAQUE and REFUSED).
    """

    kind: Kind
    host: str = ""
    port: int = 0
    reply_ok: bytes = b""
    rest: bytes = b""
    cause: str = ""
    tls: bool = False
    rewriter: Rewriter | None = None
    pending: tuple[Forward, ...] = ()

    def reply_fail(self, reason: Failure) -> bytes:
        """Return the bytes that tell the client why it cannot have its target; close after sending them."""
        if self.kind is Kind.SOCKS5:
            return _socks5_reply(_SOCKS5_CODE[reason])
        if self.kind is Kind.SOCKS4:
            return _socks4_reply(False)
        if self.kind in (Kind.CONNECT, Kind.ABSOLUTE, Kind.ORIGIN):
            return _http_refusal(_HTTP_STATUS.get(reason, b"502 Bad Gateway"), f"target: {reason.value}")
        return b""


class Preamble:
    """Reads one connection's first bytes.

    After each `feed`, send and empty `outgoing` (SOCKS5 negotiation, refusals). Keeps at most `max_head_bytes`.
    """

    __slots__ = ("_blank", "_data", "_greeted", "_head", "_max_head", "outgoing")

    def __init__(self, *, max_head_bytes: int = 65536) -> None:
        self.outgoing = b""
        self._data = b""
        self._blank = b""  # line ends before a request, which a server passes over
        self._greeted = False
        self._max_head = max_head_bytes
        self._head = HeadBuffer(heads.check_request_start, max_head_bytes)

    def feed(self, data: bytes) -> Result | None:
        """Take client bytes; return the result once it is known, else None. Not to be called after a result."""
        if not data:
            return None
        if self._head.data or self._blank:
            return self._http(data)
        self._data += data
        if self._greeted or self._data[0] == _SOCKS5:
            return self._socks5()
        if self._data[0] == _SOCKS4:
            return self._socks4()
        self._data = b""
        return self._http(data)

    def unread(self) -> bytes:
        """Return the bytes kept so far: for a client that leaves before its target is known."""
        return self._data + self._blank + bytes(self._head.data)

    # -- HTTP ---------------------------------------------------------------------------------------------------

    def _http(self, data: bytes) -> Result | None:
        before = self._blank + bytes(self._head.data)
        whole = before + data
        if not self._head.data and len(whole) - len(whole.lstrip(b"\r\n")) > self._max_head:
            return Result(Kind.OPAQUE, rest=whole, cause=Cause.BAD_REQUEST_LINE)
        try:
            head, stop = self._head.take(data, 0, 0)
            if head is None:
                self._blank = whole[: len(whole) - len(self._head.data)]
                return None
            method, target, _, start = heads.request_line(head)
            headers = heads.fields(head, start)
        except ParseError as error:
            return Result(Kind.OPAQUE, rest=whole, cause=error.cause)
        if method == b"CONNECT":
            return self._connect(target, data[stop:])
        where = absolute(target)
        if where is None:
            return _origin(headers, whole)
        rewriter = Rewriter(where.host, where.port, tls=where.tls, max_head_bytes=self._max_head)
        first, *later = rewriter.feed(whole.lstrip(b"\r\n"))
        return Result(
            Kind.ABSOLUTE,
            where.host,
            where.port,
            rest=first.data,
            tls=where.tls,
            rewriter=rewriter,
            pending=tuple(later),
        )

    def _connect(self, target: bytes, rest: bytes) -> Result:
        where = split(target, 0)
        if where is None:
            self.outgoing += _http_refusal(b"400 Bad Request", "CONNECT needs host:port")
            return Result(Kind.REFUSED, cause="bad_target")
        return Result(Kind.CONNECT, *where, reply_ok=b"HTTP/1.1 200 Connection established\r\n\r\n", rest=rest)

    # -- SOCKS --------------------------------------------------------------------------------------------------

    def _socks4(self) -> Result | None:
        data = self._data
        if len(data) < 8:
            return None
        user_end = data.find(b"\0", 8, 8 + _SOCKS4_TEXT_MAX + 1)
        if user_end < 0:
            return self._socks4_refused("user_too_long") if len(data) > 8 + _SOCKS4_TEXT_MAX else None
        port = int.from_bytes(data[2:4], "big")
        host, stop = str(IPv4Address(data[4:8])), user_end + 1
        if data[4:7] == b"\0\0\0" and data[7]:  # 4a: a name follows
            name_end = data.find(b"\0", stop, stop + _SOCKS4_TEXT_MAX + 1)
            if name_end < 0:
                return self._socks4_refused("host_too_long") if len(data) > stop + _SOCKS4_TEXT_MAX else None
            host, stop = data[stop:name_end].decode("latin-1"), name_end + 1
        if data[1] != _CONNECT:
            return self._socks4_refused("command_unsupported")
        if not port or not _plausible(host):
            return self._socks4_refused("bad_target")
        return Result(Kind.SOCKS4, host, port, reply_ok=_socks4_reply(True), rest=data[stop:])

    def _socks4_refused(self, cause: str) -> Result:
        self.outgoing += _socks4_reply(False)
        return Result(Kind.REFUSED, cause=cause)

    def _socks5(self) -> Result | None:
        if not self._greeted:
            data = self._data
            if len(data) < 2 or len(data) < 2 + data[1]:
                return None
            methods, self._data = data[2 : 2 + data[1]], data[2 + data[1] :]
            if _NO_AUTH not in methods:
                self.outgoing += bytes((_SOCKS5, _NONE_ACCEPTABLE))
                return Result(Kind.REFUSED, cause="authentication_unsupported")
            self.outgoing += bytes((_SOCKS5, _NO_AUTH))
            self._greeted = True
        return self._socks5_request()

    def _socks5_request(self) -> Result | None:
        data = self._data
        if len(data) < 5:
            return self._socks5_refused(1, "bad_version") if data[:1] not in (b"", b"\x05") else None
        if data[0] != _SOCKS5:
            return self._socks5_refused(1, "bad_version")
        if data[1] != _CONNECT:
            return self._socks5_refused(7, "command_unsupported")
        size = {1: 4, 3: 1 + data[4], 4: 16}.get(data[3])
        if size is None:
            return self._socks5_refused(8, "address_type_unsupported")
        stop = 4 + size
        if len(data) < stop + 2:
            return None
        host = _socks5_host(data[3], data[4:stop])
        port = int.from_bytes(data[stop : stop + 2], "big")
        if not port or not _plausible(host):
            return self._socks5_refused(1, "bad_target")
        return Result(Kind.SOCKS5, host, port, reply_ok=_socks5_reply(0), rest=data[stop + 2 :])

    def _socks5_refused(self, code: int, cause: str) -> Result:
        self.outgoing += _socks5_reply(code)
        return Result(Kind.REFUSED, cause=cause)


def _origin(headers: list[tuple[bytes, bytes]], data: bytes) -> Result:
    hosts = [value for name, value in headers if name.lower() == b"host"]
    where = split(hosts[0], 80) if len(hosts) == 1 else None
    host, port = where or ("", 80)
    return Result(Kind.ORIGIN, host, port, rest=data)


def _socks5_host(kind: int, raw: bytes) -> str:
    if kind == 3:
        return raw[1:].decode("latin-1")
    return str(IPv4Address(raw) if kind == 1 else IPv6Address(raw))


def _plausible(host: str) -> bool:
    """A host is printable ASCII without blanks; anything else would end in a resolver or a log."""
    return bool(host) and host.isascii() and host.isprintable() and " " not in host


def _socks5_reply(code: int) -> bytes:
    return bytes((_SOCKS5, code, 0, 1)) + bytes(6)


def _socks4_reply(granted: bool) -> bytes:
    return bytes((0, 0x5A if granted else 0x5B)) + bytes(6)


def _http_refusal(status: bytes, text: str) -> bytes:
    body = text.encode() + b"\n"
    fields = b"Content-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\nConnection: close" % len(body)
    return b"HTTP/1.1 %b\r\n%b\r\n\r\n%b" % (status, fields, body)
