"""All sockets that are captured: who they belong to, what is read of them, and when their story ends.

Fed by `service` with what capture tells, in any order that the rings allow; `tick` ends all waiting. A socket is named
by {address in the kernel, generation} and has up to two layers (`connection`): its bytes, and the plaintext inside its
TLS. Where there is plaintext, it takes the place of the ciphertext. Each end of a connection is a socket, so two ends
on one node give two records: OUT of the client's, IN of the server's. One end is never there twice: processes that
share a socket share its name, and a socket with the addresses and ports of another one in the same network namespace
takes its place.

Bounds: sockets (the idle ones sleep: only where they are is remembered), bytes that wait for others, bytes of messages
that are under way; what has no room ends with a reason, counted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from heapq import nsmallest
from typing import Final, NamedTuple

from speedscale_runtime.protocols.authority_form import split
from speedscale_runtime.protocols.exchange import Cause, Exchange
from speedscale_runtime.protocols.http1 import Known
from speedscale_runtime.recording.capture import VERSION, Facts
from speedscale_runtime.recording.causes import Side
from speedscale_runtime.recording.outbox import Outbox

from . import wire
from .causes import MISSING, Ended, Missing, Passed, Unread
from .connection import Connection
from .counters import Counters
from .names import Names
from .owners import Owner, address
from .reassembly import Piece

PATIENCE_NS: Final = 1_000_000_000
QUIET_TICKS: Final = 10
"""So long bytes wait for others that are told later; rings are emptied many times in it."""
_HOST_MAX: Final = 260  # a name and a port; what is longer is none
_MATCHES: Final = {
    wire.Certainty.BY_NESTED: "nested",
    wire.Certainty.BY_SESSION: "session",
    wire.Certainty.BY_SET_FD: "set_fd",
    wire.Certainty.BY_NEXT_IO: "next_io",
}

Key = tuple[int, int]  # address in the kernel, generation
Tuple = tuple[int, bytes, int, bytes, int]  # network namespace, local and remote address and port


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of all sockets together, but for `window_bytes`, which may wait for others on one connection."""

    sockets: int = 8192
    asleep: int = 65536
    window_bytes: int = 1024 * 1024
    memory_bytes: int = 64 * 1024 * 1024
    idle_ns: int = 300_000_000_000
    max_body_bytes: int = 1024 * 1024
    max_head_bytes: int = 65536


class Resting(NamedTuple):
    """Where a layer was when it went to sleep."""

    asks: int
    joining: bool
    offsets: tuple[int, int]


class Socket:
    """One socket; plain data."""

    __slots__ = ("cgroup", "closed", "key", "last_ts", "layers", "local", "owner", "remote", "role", "tuple")

    def __init__(self, key: Key, chunk: wire.Chunk, owner: Owner, ts: int) -> None:
        self.key = key
        self.owner = owner
        self.cgroup = chunk.cgroup
        self.role = chunk.role
        self.local = address(chunk.family, chunk.local_address), chunk.local_port
        self.remote = address(chunk.family, chunk.remote_address), chunk.remote_port
        self.tuple: Tuple = (
            chunk.netns,
            chunk.local_address,
            chunk.local_port,
            chunk.remote_address,
            chunk.remote_port,
        )
        self.layers: list[Connection | None] = [None, None]
        self.closed = [0, 0]  # when a direction ended
        self.last_ts = ts


class Sockets:
    """The table of all of them."""

    def __init__(
        self, limits: Limits, outbox: Outbox, counters: Counters, names: Names, owner_of: Callable[[int], Owner | None]
    ) -> None:
        """`owner_of` returns whose a cgroup is, None when nobody asked for it."""
        self._limits, self._outbox, self._counters, self._names = limits, outbox, counters, names
        self._owner_of = owner_of
        self._open: dict[Key, Socket] = {}
        self._by_tuple: dict[Tuple, Key] = {}
        self._asleep: dict[Key, tuple[Resting | None, Resting | None]] = {}
        self._of: dict[Connection, Socket] = {}
        self._closing: dict[Key, Socket] = {}
        self._waiting: dict[Connection, None] = {}
        self._passed: dict[Key, int] = {}  # how many of its directions have ended
        self._over: dict[Key, None] = {}  # whose story ended lately: what is told of them now is late
        self._kept: dict[Connection, int] = {}
        self._kept_bytes = 0
        self._number = 0
        self._newest_ts = 0
        self._chunks = self._chunks_at_tick = self._quiet_ticks = 0
        self.boot_offset_ns = 0  # what to add to the times of capture for Unix time
        self.on_fault: Callable[[Exception], None] = lambda error: None
        # what connections read
        self.known = Known()
        self.max_body_bytes, self.max_head_bytes = limits.max_body_bytes, limits.max_head_bytes

    def __len__(self) -> int:
        """How many sockets are open, those that sleep not counted."""
        return len(self._open)

    @property
    def asleep(self) -> int:
        """How many sockets sleep."""
        return len(self._asleep)

    @property
    def kept_bytes(self) -> int:
        """Bytes of messages under way, and of what waits for others."""
        return self._kept_bytes

    # -- what capture tells

    def chunk(self, body: bytes) -> None:
        """Take the body of a CHUNK frame; BadFrame when it is none."""
        chunk = wire.chunk(body)
        self._chunks += 1
        if not chunk.length:
            return
        missing = MISSING.get(chunk.gap_reason, Missing.UNKNOWN) if chunk.flags & _GAP else None
        if not chunk.sock:
            if missing is not None:
                self.on_missing(missing, chunk.length)
            else:
                self._counters.passed(Passed.NO_SOCKET, chunk.length)
            return
        found = self._find(chunk)
        if found is None:
            return
        ts = found.last_ts
        layer = self._layer(found, chunk, ts)
        data = None if missing is not None else body[wire.CHUNK.size :]
        layer.take(chunk.direction, chunk.offset, Piece(data, chunk.length, ts, missing, not chunk.chunk_index))
        self._after(layer)
        if found.key in self._closing:
            self._finish_if_done(found)

    def close(self, body: bytes) -> None:
        """Take the body of a CLOSE frame; BadFrame when it is none."""
        chunk = wire.chunk(body)
        key = chunk.sock, chunk.generation
        if key in self._passed:
            self._passed[key] += 1
            if self._passed[key] >= 2:  # one for each direction
                del self._passed[key]
            return
        found = self._find(chunk)
        if found is None:
            return
        ts = found.last_ts
        plain = bool(chunk.flags & wire.Flag.PLAINTEXT)
        layer = found.layers[plain]
        if layer is None and chunk.offset and found.layers[1] is None:
            layer = self._layer(found, chunk, ts)  # its bytes are under way in another ring
        if layer is not None:
            layer.end(chunk.direction, chunk.offset, ts)
            self._after(layer)
        if not plain:
            found.closed[chunk.direction] = found.closed[chunk.direction] or ts
            if all(found.closed) and key in self._open:
                self._closing[key] = found
            self._finish_if_done(found)

    def cgroup_ended(self, cgroup: int) -> None:
        """End what belongs to a cgroup that is captured no more."""
        for found in [s for s in self._open.values() if s.cgroup == cgroup]:
            self._finish(found, Ended.CGROUP_ENDED, Cause.GAP)

    def line_lost(self) -> None:
        """Capture went away, and forgets its sockets: what is under way will not be told to its end."""
        for found in list(self._open.values()):
            self._finish(found, Ended.LINE_LOST, Cause.GAP)
        self._asleep.clear()
        self._passed.clear()
        self._over.clear()  # a new capture gives its names anew

    def tick(self, *, late: bool = False) -> None:
        """End waiting that was in vain, finish what is closed, let the idle sleep; about ten times a second.

        Time is that of what capture tells, so that a process that was stopped for a while loses nothing by it; only
        where nothing was told for `QUIET_TICKS` in a row, nothing more is under way. `late`: this tick came much later
        than it should, what was told meanwhile is still to be read.
        """
        self._quiet_ticks = self._quiet_ticks + 1 if self._chunks == self._chunks_at_tick and not late else 0
        self._chunks_at_tick = self._chunks
        quiet = self._quiet_ticks >= QUIET_TICKS
        limit = self._newest_ts - PATIENCE_NS
        for layer in list(self._waiting):
            since = layer.waits_since
            if since and (quiet or since < limit):
                layer.expire(self._newest_ts)
                self._after(layer)
        for found in list(self._closing.values()):
            if quiet or max(found.closed) < limit:
                self._finish(found, Ended.CLOSED, self._cause(found))

    def doze(self) -> None:
        """Let sockets sleep on which nothing was seen for long; now and then."""
        limit = self._newest_ts - self._limits.idle_ns
        for found in [s for s in self._open.values() if s.last_ts < limit]:
            self._sleep(found)

    def stop(self) -> None:
        """Hand over what is unfinished: this process ends."""
        for found in list(self._open.values()):
            self._finish(found, Ended.LINE_LOST, Cause.GAP)

    # -- finding

    def _time(self, chunk: wire.Chunk) -> int:
        ts = chunk.ts + self.boot_offset_ns
        self._newest_ts = max(self._newest_ts, ts)
        return ts

    def _find(self, chunk: wire.Chunk) -> Socket | None:
        key = chunk.sock, chunk.generation
        found = self._open.get(key)
        if found is not None:
            found.last_ts = self._time(chunk)
            return found
        if key in self._passed:
            return None
        if key in self._over:
            self._counters.passed(Passed.LATE, chunk.length)
            return None
        owner = self._owner_of(chunk.cgroup)
        if owner is None:
            self._counters.passed(Passed.UNKNOWN_CGROUP, chunk.length)
            return None
        if len(self._open) >= self._limits.sockets:
            self._make_room()
        found = Socket(key, chunk, owner, self._time(chunk))
        before = self._by_tuple.get(found.tuple) if chunk.netns and chunk.remote_port else None
        if before is not None and before in self._open:
            self._finish(self._open[before], Ended.REPLACED, Cause.GAP)
        self._open[key] = found
        self._by_tuple[found.tuple] = key
        resting = self._asleep.pop(key, None)
        if resting is not None:
            for plain, rest in enumerate(resting):
                if rest is not None:
                    self._make_layer(found, plain, chunk, found.last_ts, rest)
        else:
            self._counters.opened += 1
        return found

    def _layer(self, found: Socket, chunk: wire.Chunk, ts: int) -> Connection:
        plain = 1 if chunk.flags & _PLAINTEXT else 0
        layer = found.layers[plain]
        if layer is None:
            joining = bool(chunk.flags & wire.Flag.MIDSTREAM)
            layer = self._make_layer(found, plain, chunk, ts, Resting(_asks(chunk.role), joining, (0, 0)))
        if plain and layer.facts.tags is not None:
            self._note_match(layer, chunk)
        return layer

    def _make_layer(self, found: Socket, plain: int, chunk: wire.Chunk, ts: int, rest: Resting) -> Connection:
        self._number += 1
        facts = Facts(self._number, Side.OUT, found.local, ts)
        facts.server = found.remote
        facts.tls = bool(plain)
        facts.who = found.owner.identity
        facts.tags = {"captureMode": "eBPF", "proxyType": "none", "proxyVersion": VERSION, "source": "nettap"}
        if plain and (below := found.layers[0]) is not None:
            below.give_way()
            self._after(below)
        facts.tags["captureSource"] = wire.Source(chunk.source).name.lower() if chunk.source in _SOURCES else "unknown"
        if rest.joining:
            facts.tags["captureJoined"] = "midstream"
        layer = Connection(self, facts, rest.asks, joining=rest.joining, offsets=rest.offsets)
        found.layers[plain] = layer
        self._of[layer] = found
        if not plain and found.layers[1] is not None:
            layer.give_way()
        return layer

    def _note_match(self, layer: Connection, chunk: wire.Chunk) -> None:
        """Say in the record how sure it is that the plaintext belongs to this socket: by its weakest part."""
        match = _MATCHES.get(chunk.certainty)  # type: ignore[call-overload]
        tags = layer.facts.tags
        assert tags is not None
        if match is not None and _WEAKER.get(tags.get("tlsMatch", ""), 0) < chunk.certainty:
            tags["tlsMatch"] = match
            layer.facts.rendered = None

    # -- what connections call

    def on_decided(self, connection: Connection) -> bool:
        """Fill in who is client and server; False when the owner does not want this connection."""
        found, facts = self._of[connection], connection.facts
        client = connection.asks == wire.Direction.SENT
        found.role = wire.Role.CLIENT if client else wire.Role.SERVER
        passed = found.owner.passes_over(found.role, found.local, found.remote)
        if passed is not None:
            self._counters.passed(passed, 0)
            self._pass_over(found)
            return False
        facts.side = Side.OUT if client else Side.IN
        facts.client, facts.server = (found.local, found.remote) if client else (found.remote, found.local)
        facts.host, facts.port = facts.server
        assert facts.tags is not None
        facts.tags["proxyLocation"] = facts.side.value
        facts.tags["proxyId"] = found.owner.identity.proxy_id
        return True

    def on_exchange(self, connection: Connection, exchange: Exchange) -> None:
        """Record an exchange, under the name that its request gives."""
        facts = connection.facts
        self._take_sni(connection)
        field = next((v for n, v in exchange.request_headers if len(n) == 4 and n.lower() == b"host"), b"")
        where = split(field, 80) if 0 < len(field) <= _HOST_MAX and field.isascii() else None
        self._call(connection, where[0].lower() if where else self._name(connection))
        if not exchange.method:
            exchange.status = 0  # an answer to a request whose first line was not seen: of no use
        self._outbox.add(facts, exchange)

    def on_unread(self, connection: Connection, why: Unread) -> None:
        """Count why a connection is not read any more; of TLS only in the end, as its plaintext may still come."""
        if why is not Unread.TLS:
            self._counters.unread[why] += 1

    def on_missing(self, reason: Missing, count: int) -> None:
        """Count bytes that are missing."""
        self._counters.gap(reason, count)

    # -- names

    def _take_sni(self, connection: Connection) -> None:
        below = self._of[connection].layers[0]
        if connection.facts.tls and not connection.facts.sni and below is not None:
            connection.facts.sni = below.facts.sni

    def _name(self, connection: Connection) -> str:
        found, facts = self._of[connection], connection.facts
        host = facts.server[0]
        return facts.sni or self._names.known(found.tuple[0], host, self._newest_ts) or host

    def _call(self, connection: Connection, name: str) -> None:
        facts = connection.facts
        if name != facts.host:
            facts.host, facts.rendered = name, None

    # -- ends

    def _after(self, layer: Connection) -> None:
        """See to what a step changed: what waits, what is kept, whether the socket is done."""
        if layer.waits:
            self._waiting[layer] = None
            if layer.ahead_bytes > self._limits.window_bytes:
                layer.expire(self._newest_ts, Missing.WINDOW_FULL)
        elif layer in self._waiting:
            del self._waiting[layer]
        self._account(layer)
        if self._kept_bytes > self._limits.memory_bytes and layer.observer is not None:
            layer.stop_reading(Unread.MEMORY)
            self._waiting.pop(layer, None)
            self._account(layer)

    def _account(self, layer: Connection) -> None:
        observer = layer.observer
        kept = 0 if observer is None else observer.kept_bytes
        if layer in self._waiting:
            kept += layer.ahead_bytes
        if kept or layer in self._kept:
            self._kept_bytes += kept - self._kept.pop(layer, 0)
            if kept:
                self._kept[layer] = kept

    def _finish_if_done(self, found: Socket) -> None:
        """Finish at once what surely has nothing more to come: plain bytes, all of them told and read."""
        layer = found.layers[0]
        if not all(found.closed) or found.layers[1] is not None:
            return
        if layer is None or (layer.observer is not None and not layer.waits_since):
            self._finish(found, Ended.CLOSED, self._cause(found))

    def _cause(self, found: Socket) -> str:
        """Say who left first, for what was left unfinished."""
        client = found.role == wire.Role.CLIENT
        ours_first = found.closed[wire.Direction.SENT] <= found.closed[wire.Direction.RECEIVED]
        return Cause.CLIENT_GONE if ours_first == client else Cause.SERVER_GONE

    def _finish(self, found: Socket, how: Ended, cause: str) -> None:
        """Hand over what is unfinished, record what was not read, and forget the socket."""
        self._counters.ended[how] += 1
        ts = found.last_ts
        below, inside = found.layers
        if inside is not None:
            for direction, closed_ts in enumerate(found.closed):
                if closed_ts:
                    inside.end(direction, inside.directions[direction].reached, closed_ts)
            inside.close(ts, cause)
            self._record_unread(inside, ts)
        if below is not None:
            below.close(ts, cause)
            if inside is None:
                self._counters.unread[Unread.TLS] += below.unread is Unread.TLS
                self._record_unread(below, ts)
        self._drop(found)
        if how in (Ended.CLOSED, Ended.REPLACED):
            if len(self._over) >= self._limits.sockets:
                self._over.pop(next(iter(self._over)))
            self._over[found.key] = None

    def _record_unread(self, layer: Connection, ts: int) -> None:
        """Write the record of a connection that was not read, as the sidecar does of one that it only passed on."""
        facts = layer.facts
        if layer.unread in (None, Unread.UPGRADED) or not (facts.bytes_in or facts.bytes_out):
            return
        if not layer.exchanges:
            self._take_sni(layer)
            self._call(layer, self._name(layer))
        assert facts.tags is not None
        facts.tags["captureUnread"] = str(layer.unread)
        if layer.missing is not None:
            facts.tags |= {"captureGap": layer.missing.value, "captureGapBytes": str(layer.missing_bytes)}
        facts.rendered = None
        self._outbox.add_opaque(facts, facts.client_ns, ts)

    def _pass_over(self, found: Socket) -> None:
        if len(self._passed) >= self._limits.asleep:
            self._passed.pop(next(iter(self._passed)))
        self._passed[found.key] = sum(1 for ts in found.closed if ts)
        self._drop(found)

    def _drop(self, found: Socket) -> None:
        self._open.pop(found.key, None)
        self._closing.pop(found.key, None)
        if self._by_tuple.get(found.tuple) == found.key:
            del self._by_tuple[found.tuple]
        for layer in found.layers:
            if layer is not None:
                self._waiting.pop(layer, None)
                self._kept_bytes -= self._kept.pop(layer, 0)
                self._of.pop(layer, None)

    def _sleep(self, found: Socket) -> bool:
        """Forget all of a socket but where it was; False when something is under way."""
        if found.layers == [None, None]:  # only an end was ever told
            self._drop(found)
            return True
        if any(found.closed) or any(layer is not None and not layer.between for layer in found.layers):
            return False
        if len(self._asleep) >= self._limits.asleep:
            self._asleep.pop(next(iter(self._asleep)))
        below, inside = (None if layer is None else _rest(layer) for layer in found.layers)
        self._asleep[found.key] = below, inside
        self._drop(found)
        return True

    def _make_room(self) -> None:
        """Let those sleep that were quiet longest, a sixteenth of all; when one cannot, its story ends."""
        for found in nsmallest(max(1, len(self._open) // 16), self._open.values(), key=lambda found: found.last_ts):
            if not self._sleep(found):
                self._finish(found, Ended.CROWDED, Cause.GAP)


# Plain numbers: enums cost several times as much at each chunk.
_GAP, _PLAINTEXT = int(wire.Flag.GAP), int(wire.Flag.PLAINTEXT)
_SOURCES: Final = frozenset(wire.Source)
_WEAKER: Final = {name: int(code) for code, name in _MATCHES.items()}


def _asks(role: int) -> int:
    """Return the direction of the client's bytes, -1 when it is not known."""
    if role == wire.Role.CLIENT:
        return wire.Direction.SENT
    return wire.Direction.RECEIVED if role == wire.Role.SERVER else -1


def _rest(layer: Connection) -> Resting:
    first, second = layer.directions
    return Resting(layer.asks, layer.joining, (first.expected, second.expected))
