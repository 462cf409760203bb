"""Watch both directions of one HTTP/1 connection and hand over each exchange (RFC 9110, RFC 9112).

Called by the proxy and the responder with bytes that were already forwarded: nothing here can delay or change
traffic. How it works: requests that were begun and not fully answered stand in one queue, in order; the request
side fills the last of them, the response side the first. An exchange leaves the queue when both its halves
ended, or with a cause when one never will.

Invariants: any chunking of the same bytes gives the same exchanges; every request whose head was whole is
handed over once, complete or with a `Cause`; after doubt about where a message ends nothing is paired any more
(`mode` OPAQUE). Memory: PIPELINE_MAX heads of `max_head_bytes`, and request bodies waiting for their answers
share one `max_body_bytes`, beside one response body of that size.

No sockets, clocks or decoding of content here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from . import http1_head as heads
from .exchange import Cause, Exchange, Headers, Mode
from .http1_body import Body, Capture, ChunkedBody, CloseBody, LengthBody
from .http1_head import ABSENT, CHUNKED, UNTIL_CLOSE, HeadBuffer, ParseError
from .http1_known import UNSURE, Known, request_at, response_at

__all__ = ["Cause", "Exchange", "Headers", "Known", "Mode", "Observer"]

PIPELINE_MAX = 64
FAST_MAX = 65536  # bytes of an answer in the fast lane: its body is cut off before it is known to be whole
INTERIM_MAX = 16  # 1xx statuses kept of one exchange


class Observer:
    """The observer of one connection.

    `on_exchange` is called once per exchange, in the order of the requests. Bodies are kept up to `max_body_bytes`
    (0: none); heads and trailers above `max_head_bytes` make the connection opaque. `mode` says what the connection
    is now, `active` whether it is ACTIVE and not closed, `cause` (a `Cause`) why it went OPAQUE. Once it is TUNNEL,
    `tunnel_request` and `tunnel_response` are the bytes of the other protocol that were already fed. Times are
    nanoseconds of any one clock. `known` is what observers of a process may share: what they parsed lately.
    """

    __slots__ = (
        "_asks",
        "_body_room",
        "_closed",
        "_early",
        "_held",
        "_held_ns",
        "_holding",
        "_known",
        "_lost",
        "_max_body",
        "_max_head",
        "_on_exchange",
        "_queue",
        "_request",
        "_request_body",
        "_request_eof",
        "_request_head",
        "_request_stalled",
        "_response_body",
        "_response_done",
        "_response_eof",
        "_response_head",
        "active",
        "cause",
        "mode",
        "tunnel_request",
        "tunnel_response",
    )

    def __init__(
        self,
        on_exchange: Callable[[Exchange], None],
        *,
        max_body_bytes: int,
        max_head_bytes: int,
        known: Known | None = None,
    ) -> None:
        self.mode = Mode.ACTIVE
        self.cause: str = ""
        self.tunnel_request = b""
        self.tunnel_response = b""
        self._on_exchange = on_exchange
        self._known = known or Known()
        self._max_body, self._max_head = max_body_bytes, max_head_bytes
        self._queue: deque[Exchange] = deque()
        self._body_room = max_body_bytes
        # Request side. `_request` is the queue's last one while its body is under way.
        self._request_head = HeadBuffer(heads.check_request_start, max_head_bytes)
        self._request: Exchange | None = None
        self._request_body: Body | None = None
        self._request_eof = False
        self._lost = False  # requests were missed: behind the queue nothing can be paired
        self._request_stalled = False  # no further requests are read: `_holding`, `_early` or `_request_eof`
        self._asks: Exchange | None = None  # the request under way, when it asks for an upgrade or a tunnel
        self._early = False  # the first in the queue was answered before its head was whole
        self._holding: Exchange | None = None  # asked for an upgrade or a tunnel: what follows it waits in `_held`
        self._held = b""
        self._held_ns = 0
        # Response side. It works on the queue's first.
        self._response_head = HeadBuffer(heads.check_response_start, max_head_bytes)
        self._response_body: Body | None = None
        self._response_done = False  # and its request is still under way
        self._response_eof = False
        self.active = True  # mode is ACTIVE and `close` was not called: what the hot path asks
        self._closed = False

    # -- what the connection's owner calls ----------------------------------------------------------------------

    def feed_request(self, data: bytes, now_ns: int) -> None:
        """Take bytes that went from the client to the server; `now_ns` is when they came."""
        if not self.active or self._repeated_request(data, now_ns):
            return
        try:
            pos, end = 0, len(data)
            while pos < end:
                body = self._request_body
                if body is not None:
                    pos = body.feed(data, pos)
                    if not body.done:
                        return
                    self._end_request(now_ns)
                    continue
                if self._request_stalled:
                    if self._holding is not None:
                        self._hold(data[pos:], now_ns)
                    return
                found = None if self._request_head.data else request_at(data, pos, self._max_head, self._known)
                if found is not None:
                    line, (method, target, version, _), block, (headers, length, upgrade, _), pos = found
                    started_ns = now_ns
                else:
                    head, pos = self._request_head.take(data, pos, now_ns)
                    if head is None:
                        return
                    started_ns = self._request_head.started_ns
                    method, target, version, start = heads.request_line(head)
                    headers = heads.fields(head, start)
                    line, block, length, upgrade = head[:start].rstrip(b"\r\n"), head[start:], UNSURE, False
                exchange = Exchange(method, target, version, headers, started_ns)
                exchange.request_line, exchange.request_block = line, block
                self._queue.append(exchange)
                if len(self._queue) > PIPELINE_MAX:
                    raise ParseError(Cause.PIPELINE_TOO_DEEP)
                if length == UNSURE or version == b"1.0":
                    length, upgrade = heads.framing(headers, version)
                if length == ABSENT and not upgrade and method != b"CONNECT":
                    exchange.request_end_ns = now_ns
                else:
                    self._begin_request(exchange, length, upgrade, now_ns)
        except ParseError as error:
            self._go_opaque(error.cause)

    def feed_response(self, data: bytes, now_ns: int) -> None:
        """Take bytes that went from the server to the client; `now_ns` is when they came."""
        if not self.active or self._repeated_response(data, now_ns):
            return
        try:
            pos, end = 0, len(data)
            while pos < end and self.active:
                body = self._response_body
                if body is not None:
                    pos = body.feed(data, pos)
                    if not body.done:
                        return
                    self._end_response(now_ns)
                    continue
                if (not self._queue or self._response_done or self._response_eof) and not self._expected(data, pos):
                    return
                found = None if self._response_head.data else response_at(data, pos, self._max_head, self._known)
                if found is not None:
                    raw, (version, status, reason, headers, length, _), pos = found
                    started_ns = now_ns
                else:
                    head, pos = self._response_head.take(data, pos, now_ns)
                    if head is None:
                        return
                    started_ns = self._response_head.started_ns
                    version, status, reason, start = heads.status_line(head)
                    headers = heads.fields(head, start)
                    raw, length = head.removesuffix(b"\r\n\r\n"), UNSURE
                exchange = self._queue[0]
                if status < 200 and status != 101:
                    if len(exchange.interim) < INTERIM_MAX:
                        exchange.interim.append(status)
                    continue
                exchange.response_version, exchange.status, exchange.reason = version, status, reason
                exchange.response_headers, exchange.response_start_ns = headers, started_ns
                exchange.response_head = raw
                pos = self._begin_body(exchange, length, data, pos, now_ns)
        except ParseError as error:
            self._go_opaque(error.cause)

    def miss_request(self, count: int, reason: str, now_ns: int) -> bool:
        """`count` bytes of the client were not seen, for `reason`; say whether it is certain how the client goes on.

        That is so within a body whose end is known. Else no further request is read: those that were whole still get
        their answers, the one under way too, and after that the connection is OPAQUE.
        """
        if not self.active or (self._request_eof and not self._lost):
            return False
        body, request = self._request_body, self._request
        if request is not None:
            request.gap = reason
        if body is not None and body.skip(count):
            if body.done:
                self._end_request(now_ns)
            return True
        self._lost = self._request_eof = self._request_stalled = True
        if self._holding is None:
            self._cut_request(now_ns, Cause.GAP)
        if not self._queue:
            self._go_opaque(Cause.GAP)
        return False

    def miss_response(self, count: int, reason: str, now_ns: int) -> bool:
        """`count` bytes of the server were not seen, for `reason`; say whether it is certain how the server goes on.

        That is so within a body whose end is known; else the connection is OPAQUE.
        """
        if not self.active:
            return False
        body = self._response_body
        if body is not None:
            self._queue[0].gap = reason
        if body is None or not body.skip(count):
            self._go_opaque(Cause.GAP)
            return False
        if body.done:
            self._end_response(now_ns)
        return True

    def request_eof(self, now_ns: int) -> None:
        """The client will send no more; it may still read (half-close)."""
        if not self.active or self._request_eof:
            return
        self._request_eof = self._request_stalled = True
        if self._holding is None:
            self._cut_request(now_ns, Cause.CLIENT_GONE)

    def response_eof(self, now_ns: int) -> None:
        """The server will send no more: what is not answered now never will be."""
        if not self.active or self._response_eof:
            return
        self._response_eof = True
        if isinstance(self._response_body, CloseBody):
            self._response_body.done = True
            self._end_response(now_ns)
        if self.active:
            self._flush(Cause.SERVER_GONE)

    def close(self, now_ns: int, cause: str) -> None:
        """The connection is over in both directions: hand over what is unfinished, with `cause`."""
        if self._closed:
            return
        self._closed = True
        cause = cause or Cause.CLOSED
        if self.active and self._holding is not None and self._holding.method != b"CONNECT":
            self._let_go()  # what waited for an upgrade that never was answered
        if self.active:
            self._cut_request(now_ns, cause)
            self._flush(cause)
        self._forget()

    @property
    def between(self) -> bool:
        """Whether HTTP goes on and nothing is begun: neither a request nor an answer."""
        return self.active and not self._queue and not self._request_head.data

    @property
    def lost(self) -> bool:
        """Whether requests were missed, so that nothing behind those already begun can be paired."""
        return self._lost

    @property
    def kept_bytes(self) -> int:
        """About how many bytes are kept of what was begun and not handed over."""
        kept = len(self._request_head.data) + len(self._response_head.data) + len(self._held)
        for body in (self._request_body, self._response_body):
            if body is not None:
                kept += body.capture.kept
        return kept + self._max_body - self._body_room

    @property
    def waiting(self) -> int:
        """How many exchanges were begun and are not handed over."""
        return len(self._queue)

    @property
    def answerable(self) -> bool:
        """Whether bytes of the server would belong to a request that is whole, or to an answer that was begun."""
        if self._response_body is not None or self._response_head.data:
            return True
        return bool(self._queue) and self._queue[0] is not self._request and not self._response_done

    # -- the fast lane: one whole message in one piece, whose parts were met before -----------------------------
    #
    # A key of `Known` is a line or block that ends where it says, so no byte has to be searched behind it. Whatever
    # is not plainly ordinary is left to the way around, which gives the same for it.

    def _repeated_request(self, data: bytes, now_ns: int) -> bool:
        """Take a request without a body; False when it must go the way around."""
        if self._request_body is not None or self._request_stalled or self._request_head.data:
            return False
        line, _, block = data.partition(b"\r\n")
        known, queue = self._known, self._queue
        first, fields = known.lines.get(line), known.blocks.get(block)
        if first is None or fields is None or len(queue) >= PIPELINE_MAX or len(data) > self._max_head:
            return False
        method, target, version, may_be_plain = first
        headers, _, _, plain = fields
        if not plain or not may_be_plain:
            return False
        exchange = Exchange(method, target, version, headers, now_ns)
        exchange.request_line, exchange.request_block, exchange.request_end_ns = line, block, now_ns
        queue.append(exchange)
        return True

    def _repeated_response(self, data: bytes, now_ns: int) -> bool:
        """Take an answer whose whole body came with it; False when it must go the way around."""
        queue = self._queue
        if not queue or self._response_body is not None or self._response_head.data or len(data) > FAST_MAX:
            return False
        head, _, body = data.partition(b"\r\n\r\n")
        answer = self._known.answers.get(head)
        if answer is None:
            return False
        version, status, reason, headers, length, has_body = answer
        exchange = queue[0]
        if (
            not has_body
            or length != len(body)
            or length > self._max_body
            or len(head) + 4 > self._max_head
            or exchange is self._request  # it is not ended yet, or
            or exchange is self._holding  # asked for something else than HTTP, or
            or self._early  # was never whole, or
            or self._response_eof
            or exchange.method == b"HEAD"  # the length is that of another answer
            or exchange.method == b"CONNECT"
        ):
            return False
        exchange.response_version, exchange.status, exchange.reason = version, status, reason
        exchange.response_headers, exchange.response_head = headers, head
        exchange.response_body, exchange.response_body_length = body, length
        exchange.response_start_ns = exchange.response_end_ns = now_ns
        del queue[0]
        self._body_room += len(exchange.request_body)
        self._on_exchange(exchange)
        return True

    # -- requests -----------------------------------------------------------------------------------------------

    def _begin_request(self, exchange: Exchange, length: int, upgrade: bool, now_ns: int) -> None:
        if upgrade or exchange.method == b"CONNECT":
            self._asks = exchange
            if exchange.method == b"CONNECT":
                if length > 0 or length == CHUNKED:  # body or tunnel: nobody can tell
                    raise ParseError(Cause.AMBIGUOUS_LENGTH)
                length = ABSENT
        if length == ABSENT or length == 0:
            if self._asks is None:
                exchange.request_end_ns = now_ns
                return
            self._request = exchange
            self._end_request(now_ns)
            return
        if length == UNTIL_CLOSE:
            raise ParseError(Cause.AMBIGUOUS_LENGTH)
        self._request = exchange
        capture = Capture(self._body_room)
        self._request_body = ChunkedBody(capture, self._max_head) if length == CHUNKED else LengthBody(length, capture)

    def _end_request(self, now_ns: int) -> None:
        """The last byte of the request came, or `_cut_request` gave up on it."""
        exchange, body = self._request, self._request_body
        self._request = self._request_body = None
        if exchange is None:  # handed over before its body ended
            return
        exchange.request_end_ns = now_ns
        if body is not None:
            _keep_request_body(exchange, body)
            self._body_room -= len(exchange.request_body)
        asks, self._asks = self._asks, None
        if self._response_done:
            self._emit_first()
        elif asks is exchange:
            self._holding = exchange
            self._request_stalled = True

    def _cut_request(self, now_ns: int, cause: str) -> None:
        """End the request under way, be it in its head or its body, and say why."""
        if self._request is not None:
            self._request.incomplete = cause
            self._asks = None
            self._end_request(now_ns)
        elif self._request_head.data and not self._early and len(self._queue) < PIPELINE_MAX:
            self._queue.append(self._partial(cause))
        self._request_head.clear()

    def _partial(self, cause: str) -> Exchange:
        """Make an exchange of a head that is not whole: its request line if that ended, and its whole lines."""
        data = bytes(self._request_head.data)
        started_ns = self._request_head.started_ns
        lines = data[: data.rfind(b"\n") + 1]
        try:
            method, target, version, start = heads.request_line(lines)
            exchange = Exchange(method, target, version, heads.fields(lines + b"\r\n", start), started_ns)
        except ParseError:
            exchange = Exchange(b"", b"", b"", [], started_ns)
        exchange.incomplete = cause
        return exchange

    def _hold(self, data: bytes, now_ns: int) -> None:
        """Keep bytes of which only the answer to the upgrade or CONNECT before them says what they are."""
        if not self._held:
            self._held_ns = now_ns
        if len(self._held) + len(data) > self._max_head:
            raise ParseError(Cause.PIPELINE_TOO_DEEP)
        self._held += data

    def _let_go(self) -> None:
        """The upgrade was refused: what was held are requests after all."""
        held, eof = self._held, self._request_eof
        self._holding, self._held = None, b""
        self._request_stalled = self._request_eof = False
        if held:
            self.feed_request(held, self._held_ns)
        if eof and self.active:
            self._request_eof = self._request_stalled = True
            self._cut_request(self._held_ns, Cause.CLIENT_GONE)

    # -- responses ----------------------------------------------------------------------------------------------

    def _expected(self, data: bytes, pos: int) -> bool:
        """Say whether response bytes that have no whole request before them can be paired with anything."""
        if self._response_eof or not data[pos:].lstrip(b"\r\n"):
            return False
        if not self._request_head.data:
            raise ParseError(Cause.GAP if self._lost else Cause.UNSOLICITED_RESPONSE)
        # A server may refuse a head before it is whole (408, 431); nothing after that can be trusted.
        self._queue.append(self._partial(Cause.EARLY_RESPONSE))
        self._request_head.clear()
        self._early = self._request_stalled = True
        return True

    def _begin_body(self, exchange: Exchange, length: int, data: bytes, pos: int, now_ns: int) -> int:
        """Find out how the response goes on behind its head; return the position behind what was used up."""
        status = exchange.status
        if status == 101 or (exchange.method == b"CONNECT" and status < 300):
            self._upgrade(exchange, data[pos:], now_ns)
            return len(data)
        if exchange.method == b"HEAD" or status == 204 or status == 304:
            self._end_response(now_ns)
            return pos
        if length == UNSURE or exchange.response_version == b"1.0":
            length, _ = heads.framing(exchange.response_headers, exchange.response_version)
        if 0 <= length <= len(data) - pos:  # whole already
            stop = pos + length
            exchange.response_body = data[pos : stop if length <= self._max_body else pos + self._max_body]
            exchange.response_body_length = length
            self._end_response(now_ns)
            return stop
        if length > 0:
            self._response_body = LengthBody(length, Capture(self._max_body))
        elif length == CHUNKED:
            self._response_body = ChunkedBody(Capture(self._max_body), self._max_head)
        else:
            self._response_body = CloseBody(Capture(self._max_body))
        return pos

    def _end_response(self, now_ns: int) -> None:
        exchange, body = self._queue[0], self._response_body
        self._response_body = None
        exchange.response_end_ns = now_ns
        if body is not None:
            _keep_response_body(exchange, body)
        if exchange is self._request:
            self._response_done = True
            return
        self._emit_first()
        if self._early:
            self._go_opaque(Cause.EARLY_RESPONSE)
        elif exchange is self._holding:
            self._let_go()

    def _upgrade(self, exchange: Exchange, rest: bytes, now_ns: int) -> None:
        """101, or a CONNECT that was granted: the bytes after this are of another protocol."""
        if exchange is not self._holding:
            raise ParseError(Cause.BAD_UPGRADE)
        exchange.upgraded = True
        exchange.response_end_ns = now_ns
        self.tunnel_request, self.tunnel_response = self._held, rest
        self._emit_first()
        self.mode = Mode.TUNNEL
        self._forget()

    # -- ends ---------------------------------------------------------------------------------------------------

    def _emit_first(self) -> None:
        exchange = self._queue.popleft()
        self._response_done = False
        self._body_room += len(exchange.request_body)
        self._on_exchange(exchange)

    def _flush(self, cause: str) -> None:
        """Hand over the whole queue with `cause`: no answer will be paired with these any more."""
        request, body = self._request, self._request_body
        if request is not None and body is not None:
            _keep_request_body(request, body)
            self._request = self._asks = None
            body.capture = Capture(0)  # it is still read, to find the next request
        if self._response_body is not None:
            _keep_response_body(self._queue[0], self._response_body)
            self._response_body = None
        self._response_head.clear()
        if self._holding is not None:
            self._holding, self._held = None, b""
            self._request_stalled = self._request_eof
        self._response_done = False
        while self._queue:
            exchange = self._queue.popleft()
            exchange.incomplete = exchange.incomplete or cause
            self._on_exchange(exchange)
        self._body_room = self._max_body

    def _go_opaque(self, cause: Cause) -> None:
        self.mode, self.cause = Mode.OPAQUE, cause
        self._flush(cause)
        self._forget()

    def _forget(self) -> None:
        """Give back the memory of a connection that is parsed no more."""
        self.active = False
        self._request = self._request_body = self._response_body = self._holding = self._asks = None
        self._held = b""
        self._request_head.clear()
        self._response_head.clear()
        self._queue.clear()


def _keep_request_body(exchange: Exchange, body: Body) -> None:
    exchange.request_body = body.capture.bytes()
    exchange.request_body_length = body.capture.length
    exchange.request_trailers = body.trailers


def _keep_response_body(exchange: Exchange, body: Body) -> None:
    exchange.response_body = body.capture.bytes()
    exchange.response_body_length = body.capture.length
    exchange.response_trailers = body.trailers
