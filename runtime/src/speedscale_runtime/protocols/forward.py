"""The requests of one keep-alive connection to a forward proxy: from absolute-form to origin-form.

Made by `preamble` for the proxy, which sends each `Forward` to its target. Only heads are rewritten; bodies pass
as they are, and so does everything once a head cannot be understood: the server then says what is wrong, not us.

Invariant: any chunking of the same bytes gives the same bytes per target. At most one head is kept back.
Light: the supervisor imports it, so standard library only.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from . import http1_head as heads
from .authority_form import absolute
from .exchange import Cause, Headers
from .http1_body import Body, Capture, ChunkedBody, LengthBody
from .http1_head import CHUNKED, HeadBuffer, ParseError

_PROXY_FIELDS = re.compile(
    rb"^proxy-(?:connection|authorization|authenticate|authentication-info)[ \t]*:[^\n]*\n(?:[ \t][^\n]*\n)*",
    re.IGNORECASE | re.MULTILINE,
)


class Forward(NamedTuple):
    """Bytes for one target, in order; `new_request` when they start with a request's head."""

    host: str
    port: int
    data: bytes
    new_request: bool
    tls: bool = False  # the client named an https URL: the target wants TLS from us


class Rewriter:
    """Rewrites the requests of one connection; `host` and `port` are the target of the latest.

    `passing` is True once bytes pass without being understood, `cause` then says why ("" after an upgrade).
    `host` and `port` given here are where bytes go that have no target of their own.
    """

    __slots__ = ("_asked_upgrade", "_body", "_head", "_max_head", "cause", "host", "passing", "port", "tls")

    def __init__(self, host: str, port: int, *, tls: bool = False, max_head_bytes: int) -> None:
        self.host, self.port, self.tls = host, port, tls
        self.passing = False
        self.cause: str = ""
        self._max_head = max_head_bytes
        self._head = HeadBuffer(heads.check_request_start, max_head_bytes)
        self._body: Body | None = None
        self._asked_upgrade = False

    def feed(self, data: bytes) -> list[Forward]:
        """Take client bytes; return what must go where, in order. Part of a head is kept until it is whole."""
        out: list[Forward] = []
        pos, end = 0, len(data)
        while pos < end:
            if self.passing:
                self._pass(out, data[pos:])
                break
            kept = bytes(self._head.data)
            try:
                pos = self._step(data, pos, out)
            except ParseError as error:
                self.passing = True
                self.cause = "" if self._asked_upgrade else error.cause
                if kept:
                    self._pass(out, kept)
        return out

    def eof(self) -> list[Forward]:
        """The client will send no more: return the part of a head that was kept back."""
        kept = bytes(self._head.data)
        self._head.clear()
        return [self._forward(kept, False)] if kept else []

    def _forward(self, data: bytes, new_request: bool) -> Forward:
        return Forward(self.host, self.port, data, new_request, self.tls)

    def _pass(self, out: list[Forward], data: bytes) -> None:
        """Append bytes that belong to what went before them."""
        if out:
            out[-1] = out[-1]._replace(data=out[-1].data + data)
        else:
            out.append(self._forward(data, False))

    def _step(self, data: bytes, pos: int, out: list[Forward]) -> int:
        body = self._body
        if body is not None:
            stop = body.feed(data, pos)
            self._pass(out, data[pos:stop])
            if body.done:
                self._body = None
            return stop
        if not self._head.data:  # line ends between requests go on as they are: whoever reads them passes over them
            first = len(data) - len(data[pos:].lstrip(b"\r\n"))
            if first > pos:
                self._pass(out, data[pos:first])
                return first
        head, stop = self._head.take(data, pos, 0)
        if head is not None:
            rewritten = self._begin(head)
            out.append(self._forward(rewritten, True))
        return stop

    def _begin(self, head: bytes) -> bytes:
        """Find the target and the extent of the request; return its head for the origin server."""
        method, target, version, start = heads.request_line(head)
        headers = heads.fields(head, start)
        length, self._asked_upgrade = heads.framing(headers, version)
        where = absolute(target)
        if where is not None:
            self.host, self.port, self.tls = where.host, where.port, where.tls
            # RFC 9112 section 3.2.4: an OPTIONS without any path asks the server, not a resource
            whole = method == b"OPTIONS" and target.endswith(where.authority)
            origin = b"*" if whole else where.origin
            head = _origin_head(head, start, method, origin, version, headers, where.authority)
        elif method == b"CONNECT":
            raise ParseError(Cause.BAD_REQUEST_LINE)
        if length > 0:
            self._body = LengthBody(length, Capture(0))
        elif length == CHUNKED:
            self._body = ChunkedBody(Capture(0), self._max_head)
        elif length not in (0, heads.ABSENT):
            raise ParseError(Cause.AMBIGUOUS_LENGTH)
        return head


def _origin_head(
    head: bytes, start: int, method: bytes, origin: bytes, version: bytes, headers: Headers, authority: bytes
) -> bytes:
    """Return the head with origin-form target, without Proxy-* fields, with a Host where there was none."""
    first = b"%b %b HTTP/%b\r\n" % (method, origin, version)
    if not heads.has_field(headers, b"host"):
        first += b"Host: %b\r\n" % authority
    return first + _PROXY_FIELDS.sub(b"", head[start:])
