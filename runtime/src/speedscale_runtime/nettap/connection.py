"""One layer of one socket, its bytes or the plaintext inside its TLS: both directions in order, to the HTTP/1 observer.

Made by `sockets`, one for each layer. Pure but for what it calls: `Host` takes what comes out and lends what is shared.

The two directions reach us through different rings, so an answer may come before its request. Hence the rule of
`_pump`: a request goes to the observer as soon as it is in order, an answer only when it belongs to a request that is
whole or to an answer that was begun. What waits, waits until the caller's patience ends (`expire`); then the bytes go
on in the order of their times, because a server may well speak first.

Law: never a wrong pair. Bytes that are missing go to the observer as such: it says whether it is certain how the stream
goes on. If it is not, nothing is paired any more and the connection is recorded as not read, with the reason. A stream
that was open before it was watched is taken up at a request that begins with a call of the application (`joining`);
answers of an earlier time are passed over. Capture takes the time of a call that sends before it, and of one that
receives after it, so the order of times is that of causes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from speedscale_runtime.protocols import clienthello, http1_head
from speedscale_runtime.protocols.detect import Detector
from speedscale_runtime.protocols.detect import Protocol as Spoken
from speedscale_runtime.protocols.exchange import Cause, Exchange, Mode
from speedscale_runtime.protocols.http1 import Known, Observer
from speedscale_runtime.recording.capture import Facts
from speedscale_schemas.errors import PeerError

from .causes import Missing, Unread
from .reassembly import Direction, Piece

DEPTH = 32  # requests that are read ahead of their answers; the observer takes twice as many
_LOOK = 2048  # bytes in which a protocol is recognised
_HANDSHAKE, _CLIENT_HELLO, _SERVER_HELLO = 0x16, 1, 2  # TLS: type of a record, of the messages that come first


class Host(Protocol):
    """What a connection needs of its surroundings."""

    known: Known
    max_body_bytes: int
    max_head_bytes: int

    def on_decided(self, connection: Connection) -> bool:
        """Fill in the facts now that it is known who asks; False when the connection is not to be read."""
        ...

    def on_exchange(self, connection: Connection, exchange: Exchange) -> None:
        """Take a finished exchange."""
        ...

    def on_unread(self, connection: Connection, why: Unread) -> None:
        """Hear that a connection is read no more."""
        ...

    def on_missing(self, reason: Missing, count: int) -> None:
        """Count bytes that are missing."""
        ...

    def on_fault(self, error: Exception) -> None:
        """Log a bug of ours."""
        ...


class Connection:
    """One layer of a socket. Directions are numbered as in `wire.Direction`; `asks` is that of the client's bytes."""

    __slots__ = (
        "_decided",
        "_end_ts",
        "_host",
        "_joined_ts",
        "_known_to",
        "_ready",
        "asks",
        "directions",
        "exchanges",
        "facts",
        "joining",
        "missing",
        "missing_bytes",
        "observer",
        "unread",
    )

    def __init__(
        self, host: Host, facts: Facts, asks: int, *, joining: bool, offsets: tuple[int, int] = (0, 0)
    ) -> None:
        """`asks` is -1 while it is not known who is the client; `joining`: a part of the stream is over already."""
        self._host = host
        self._decided = False
        self._joined_ts = 0
        self._ready: tuple[deque[Piece], deque[Piece]] = (deque(), deque())
        self._known_to = [
            0,
            0,
        ]  # in order until then, once read no more: what is missing behind is counted
        self._end_ts = [0, 0]  # when a direction ended, until the observer was told; then -1
        self.facts = facts
        self.asks = asks
        self.joining = joining
        self.directions = (Direction(offsets[0]), Direction(offsets[1]))
        self.exchanges = 0
        self.missing: Missing | None = None  # why the last bytes that are missing are
        self.missing_bytes = 0
        self.unread: Unread | None = None
        self.observer: Observer | None = Observer(
            self._on_exchange,
            max_body_bytes=host.max_body_bytes,
            max_head_bytes=host.max_head_bytes,
            known=host.known,
        )

    # -- what the socket calls

    def take(self, direction: int, offset: int, piece: Piece) -> None:
        """Take bytes or a gap of one direction, of at least one byte."""
        found = self.directions[direction]
        known = found.expected if self.observer is not None else self._known_to[direction]
        if piece.missing is not None and offset + piece.size > known:
            self._miss(piece)
        if self.observer is None:
            found.expected = max(found.expected, offset + piece.size)
            return
        pieces = found.take(offset, piece)
        if pieces:
            self._ready[direction].extend(pieces)
            self._pump()

    def end(self, direction: int, offset: int, ts: int) -> None:
        """Note that a direction ended at `offset`."""
        self.directions[direction].end(offset)
        if self.observer is not None and not self._end_ts[direction]:
            self._end_ts[direction] = ts
            self._pump()

    def expire(self, ts: int, reason: Missing = Missing.NOT_TOLD) -> None:
        """Wait no longer: what is missing is missing, and what waits for its counterpart goes on without."""
        for queue, found, end_ts in zip(self._ready, self.directions, self._end_ts, strict=True):
            while self.observer is not None and found.broken:
                gap, *pieces = found.give_up(reason, end_ts or ts)
                self._miss(gap)
                queue.extend((gap, *pieces))
        self._pump(patient=False)

    def close(self, ts: int, cause: str) -> None:
        """The socket is gone: hand over what is unfinished, or say why it was not read."""
        self.expire(ts)
        observer = self.observer
        if observer is not None:
            lost = observer.lost
            self._guarded(observer.close, ts, cause)
            if self.joining and any(found.expected for found in self.directions):
                self.stop_reading(Unread.MIDSTREAM)
            elif lost:
                self.stop_reading(Unread.GAP)
        self._forget()

    def stop_reading(self, why: Unread) -> None:
        """Read no more; from here on bytes are counted."""
        if self.unread is None:
            self.unread = why
            self._host.on_unread(self, why)
        self._forget()

    def give_way(self) -> None:
        """The plaintext inside takes the place of these bytes."""
        self._forget()

    @property
    def waits(self) -> bool:
        """Whether something waits for what may still come."""
        first, second = self._ready
        if first or second:
            return True
        one, other = self.directions
        ends = self._end_ts
        return self.observer is not None and (one.broken or other.broken or ends[0] > 0 or ends[1] > 0)

    @property
    def waits_since(self) -> int:
        """The time of the oldest of what waits for what may still come, 0 when nothing does."""
        if self.observer is None:
            return 0
        times = [queue[0].ts for queue in self._ready if queue]
        for found, end_ts in zip(self.directions, self._end_ts, strict=True):
            if found.oldest_ts:
                times.append(found.oldest_ts)
            if end_ts > 0:
                times.append(end_ts)
        return min(times, default=0)

    @property
    def ahead_bytes(self) -> int:
        """Bytes that wait for others."""
        waiting = self.directions[0].waiting_bytes + self.directions[1].waiting_bytes
        return waiting + sum(len(piece.data) for queue in self._ready for piece in queue if piece.data is not None)

    @property
    def between(self) -> bool:
        """Whether nothing is begun: it can be forgotten and go on later at the same offsets."""
        observer = self.observer
        return observer is not None and not self.waits and observer.between and not observer.lost

    # -- in order, to the observer

    def _pump(self, *, patient: bool = True) -> None:
        if self.observer is None or not self._know_who_asks(patient):
            return
        asks, answers = self._ready[self.asks], self._ready[1 - self.asks]
        if self.joining and not self._join(asks, answers, patient):
            return
        if asks and not self.facts.bytes_in and not self._may_be_http(asks, patient):
            return
        while (observer := self.observer) is not None and (asks or answers):
            if answers and answers[0].ts <= self._joined_ts:
                self._pass_over(answers.popleft(), from_client=False)
            elif asks and (observer.waiting < DEPTH if patient else not answers or asks[0].ts <= answers[0].ts):
                self._feed(asks.popleft(), from_client=True)
            elif answers and (observer.answerable or not patient):
                self._feed(answers.popleft(), from_client=False)
            else:
                break
        self._tell_ends(patient)

    def _feed(self, piece: Piece, *, from_client: bool) -> None:
        observer, data, ts = self.observer, piece.data, piece.ts
        assert observer is not None
        self._count(piece.size, from_client)
        try:
            if data is None:
                missed = observer.miss_request if from_client else observer.miss_response
                missed(piece.size, piece.missing or Missing.UNKNOWN, ts)
            elif from_client:
                observer.feed_request(data, ts)
            else:
                observer.feed_response(data, ts)
        except Exception as error:
            self._fault(error)
            return
        if not observer.active and self.observer is not None:
            self._stopped(observer, data or b"", from_client)

    def _stopped(self, observer: Observer, data: bytes, from_client: bool) -> None:
        """The observer understands no more: find out why."""
        if observer.mode is Mode.TUNNEL:
            why = Unread.UPGRADED
        elif observer.cause == Cause.GAP:
            why = Unread.GAP
        elif self.exchanges:
            why = Unread.PARSE_ERROR
        else:
            self._recognise(data, from_client)
            why = Unread.TLS if self.facts.detected == Spoken.TLS else Unread.NOT_HTTP
        self.stop_reading(why)

    def _recognise(self, data: bytes, from_client: bool) -> None:
        """Name the protocol by the first bytes of either side."""
        answers = self._ready[1 - self.asks]
        try:
            found = Detector().feed_client(data[:_LOOK]) if from_client else Detector().feed_server(data[:_LOOK])
            if from_client and found in (None, Spoken.OPAQUE) and answers and answers[0].data:
                found = Detector().feed_server(answers[0].data[:_LOOK]) or found
            self.facts.detected = found.value if found is not None else ""
        except Exception as error:
            self._host.on_fault(error)

    def _may_be_http(self, asks: deque[Piece], patient: bool) -> bool:
        """Look at the client's first bytes: False when they are a ClientHello, or may become one, in any pieces."""
        if asks[0].data is None or asks[0].data[0] != _HANDSHAKE:
            return True
        hello = b"".join(piece.data for piece in asks if piece.data is not None)
        try:
            self.facts.sni = clienthello.parse(hello).sni
        except clienthello.NeedMore:
            if patient:
                return False
        except PeerError:
            return True
        except Exception as error:
            self._host.on_fault(error)
        self.facts.detected = Spoken.TLS.value
        self.stop_reading(Unread.TLS)
        return False

    def _on_exchange(self, exchange: Exchange) -> None:
        self.exchanges += 1
        self._host.on_exchange(self, exchange)

    def _count(self, count: int, from_client: bool) -> None:
        if from_client:
            self.facts.bytes_in += count
        else:
            self.facts.bytes_out += count

    def _miss(self, piece: Piece) -> None:
        self.missing = piece.missing or Missing.UNKNOWN
        self.missing_bytes += piece.size
        self._host.on_missing(self.missing, piece.size)

    def _tell_ends(self, patient: bool) -> None:
        """Tell the observer of ends, each behind all bytes before it; the server's once the client was heard out."""
        heard = self.directions[self.asks]
        for direction in (self.asks, 1 - self.asks):
            observer, end_ts = self.observer, self._end_ts[direction]
            if observer is None or end_ts <= 0 or self._ready[direction] or not self.directions[direction].complete:
                continue
            asks = direction == self.asks
            if not asks and patient and not (observer.waiting or self._end_ts[self.asks] < 0 or heard.complete):
                continue
            self._end_ts[direction] = -1
            self._guarded(observer.request_eof if asks else observer.response_eof, end_ts)

    # -- who asks, and where to begin

    def _know_who_asks(self, patient: bool) -> bool:
        """Find out which direction is the client's; by what the bytes are, in the end by the ports."""
        if self._decided:
            return True
        if self.asks < 0:
            self.asks = self._who_asks()
        if self.asks < 0 and not patient:
            # Seen from the process: the end with the lower port is the server, as ports given out are high ones.
            local, remote = self.facts.client, self.facts.server  # as long as nobody has decided
            self.asks = 1 if remote[1] <= local[1] else 0
        if self.asks < 0:
            return False
        self._decided = True
        if not self._host.on_decided(self):
            self._forget()
        return self.observer is not None

    def _who_asks(self) -> int:
        for direction, queue in enumerate(self._ready):
            first = _beginning(queue)
            hello = first[5] if len(first) > 5 and first[0] == _HANDSHAKE else 0
            if hello == _CLIENT_HELLO or _is_request(first):
                return direction
            if hello == _SERVER_HELLO or first.startswith(b"HTTP/1."):
                return 1 - direction
        return -1

    def _join(self, asks: deque[Piece], answers: deque[Piece], patient: bool) -> bool:
        """Pass over what came before the first request that begins with a call; say whether there is one."""
        while asks:
            piece = asks[0]
            if piece.begins and piece.data is not None and _is_request(piece.data):
                self._joined_ts, self.joining = piece.ts, False
                return True
            self._pass_over(asks.popleft(), from_client=True)
        while answers and not patient:
            self._pass_over(answers.popleft(), from_client=False)
        return False

    def _pass_over(self, piece: Piece, *, from_client: bool) -> None:
        self._count(piece.size, from_client)

    # -- ends

    def _forget(self) -> None:
        """Give back the memory of a connection that is not read; count what came in all."""
        if self.observer is not None:
            self._known_to = [found.expected for found in self.directions]
        self.observer = None
        for queue, found in zip(self._ready, self.directions, strict=True):
            queue.clear()
            found.forget()
        if self.asks >= 0:
            self.facts.bytes_in = self.directions[self.asks].expected
            self.facts.bytes_out = self.directions[1 - self.asks].expected

    def _guarded(self, call: Callable[..., Any], *args: Any) -> None:
        try:
            call(*args)
        except Exception as error:
            self._fault(error)

    def _fault(self, error: Exception) -> None:
        self._host.on_fault(error)
        self.stop_reading(Unread.INTERNAL)


def _beginning(queue: deque[Piece]) -> bytes:
    """Return the first bytes of what waits, up to those that are missing, but no more than tell what it is."""
    found = b""
    for piece in queue:
        if piece.data is None or len(found) > _LOOK or b"\n" in found:
            break
        found += piece.data
    return found


def _is_request(data: bytes) -> bool:
    """Say whether bytes begin with a whole request line of HTTP/1."""
    return http1_head.REQUEST_LINE.match(data) is not None
