"""What a capture process would tell of sockets, made by hand: frames of chunks, gaps and ends, in any order.

For tests of nettap's ingest that need no kernel and no root. A `Tap` is one end of one connection; its methods say what
the application did and return the frames that capture would send for it, each as (type, body). `Node` is the ingest
behind the socket, with everything up to the outbox, whose pairs it gives back.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from typing import Any, Self

from speedscale_runtime.nettap import wire
from speedscale_runtime.nettap.counters import Counters
from speedscale_runtime.nettap.names import Names
from speedscale_runtime.nettap.owners import Owner
from speedscale_runtime.nettap.sockets import Limits, Sockets
from speedscale_runtime.recording.capture import Recorder
from speedscale_runtime.recording.config import Identity
from speedscale_runtime.recording.ledger import Ledger
from speedscale_runtime.recording.outbox import Outbox
from speedscale_runtime.rrpair.model import RRPair
from speedscale_schemas import frames

Frame = tuple[int, bytes]
CGROUP = 77
NOW = 1_760_021_021_000_000_000
WHO = Identity("cart", "test", "shop", "cart", "cart-7d4-x", "10.0.0.5", "cart-7d4-x")


def _raw(host: str) -> tuple[int, bytes]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    raw = socket.inet_pton(family, host)
    return (6 if ":" in host else 4), raw.ljust(16, b"\0")


class Tap:
    """One end of a connection; `clock` is the time of the last call in nanoseconds."""

    def __init__(
        self,
        *,
        sock: int = 0xFFFF8881,
        generation: int = 1,
        role: int = wire.Role.CLIENT,
        local: tuple[str, int] = ("10.0.0.5", 40000),
        remote: tuple[str, int] = ("10.0.0.9", 80),
        flags: int = 0,
        piece: int = wire.PAYLOAD_MAX,
        netns: int = 4026531840,
        cgroup: int = CGROUP,
        source: int = wire.Source.TRACEPOINT,
        certainty: int = 0,
    ) -> None:
        self.piece = piece
        self.offsets = {0: 0, 1: 0}
        self.clock = 1000
        family, local_raw = _raw(local[0])
        self.fixed: dict[str, Any] = {
            "cgroup": cgroup,
            "sock": sock,
            "generation": generation,
            "tgid": 42,
            "tid": 42,
            "source": source,
            "certainty": certainty,
            "flags": flags,
            "family": family,
            "role": role,
            "local_port": local[1],
            "remote_port": remote[1],
            "netns": netns,
            "local_address": local_raw,
            "remote_address": _raw(remote[0])[1],
        }

    def _frame(self, kind: wire.Type, direction: int, length: int, payload: bytes = b"", **more: int) -> Frame:
        values = dict.fromkeys(wire.Chunk._fields, 0) | self.fixed
        values |= {"ts": self.clock, "direction": direction, "offset": self.offsets[direction], "length": length}
        values["flags"] |= more.pop("flags", 0)
        values |= more
        return kind, wire.CHUNK.pack(*(values[field] for field in wire.Chunk._fields)) + payload

    def _call(self, direction: int, data: bytes, at: int | None) -> list[Frame]:
        self.clock = at if at is not None else self.clock + 1000
        found = []
        for index, start in enumerate(range(0, len(data), self.piece)):
            part = data[start : start + self.piece]
            more = {"call_total": len(data), "chunk_index": index}
            found.append(self._frame(wire.Type.CHUNK, direction, len(part), part, **more))
            self.offsets[direction] += len(part)
        return found

    def sent(self, data: bytes, at: int | None = None) -> list[Frame]:
        """The application sent bytes with one call."""
        return self._call(wire.Direction.SENT, data, at)

    def received(self, data: bytes, at: int | None = None) -> list[Frame]:
        """The application received bytes with one call."""
        return self._call(wire.Direction.RECEIVED, data, at)

    def gap(self, direction: int, length: int, reason: int = wire.Gap.RING_FULL) -> list[Frame]:
        """Capture lost bytes and says so."""
        self.clock += 1000
        found = self._frame(wire.Type.CHUNK, direction, length, flags=wire.Flag.GAP, gap_reason=reason)
        self.offsets[direction] += length
        return [found]

    def skip(self, direction: int, length: int) -> list[Frame]:
        """Bytes pass that nobody tells of."""
        self.offsets[direction] += length
        return []

    def closed(self, *directions: int) -> list[Frame]:
        """Directions ended; both when none is named."""
        self.clock += 1000
        return [self._frame(wire.Type.CLOSE, d, 0, flags=wire.Flag.EOF) for d in directions or (0, 1)]


class Node:
    """An ingest without its sockets."""

    def __init__(self, *, owner: Owner | None = None, max_body: int = 1 << 20, **limits: int) -> None:
        self.ledger = Ledger.create()
        recorder = Recorder(WHO, proxy_type="none", proxy_protocol="", reverse=("", 0))
        self.outbox = Outbox(recorder, self.ledger, limit=1 << 30, batch_max_bytes=1 << 29, spill=None)
        self.counters = Counters()
        self.names = Names()
        self.owner: Owner | None = owner or Owner(WHO)
        self.faults: list[Exception] = []
        bounds = Limits(**{"max_body_bytes": max_body, **limits})
        self.sockets = Sockets(bounds, self.outbox, self.counters, self.names, self._owner_of)
        self.sockets.on_fault = self.faults.append
        self.sockets.boot_offset_ns = NOW

    def _owner_of(self, cgroup: int) -> Owner | None:
        return self.owner if cgroup == CGROUP else None

    def tell(self, told: Iterable[Frame]) -> None:
        """Take frames in their order."""
        for kind, body in told:
            if kind == wire.Type.CLOSE:
                self.sockets.close(body)
            else:
                self.sockets.chunk(body)

    def settle(self) -> None:
        """Let all patience end."""
        for _ in range(24):
            self.sockets.tick()

    def pairs(self) -> list[dict[str, Any]]:
        """Return the records made since the last call, in their order, with bodies as `asked` and `answered`."""
        batch = asyncio.run(self.outbox.take())
        if batch is None:
            return []
        self.outbox.settle(batch, None)
        found, pos = [], 0
        while pos < len(batch.body):
            frame, pos = frames.decode_at(batch.body, pos)
            doc = RRPair.from_frame(frame).doc
            found.append({**doc, "asked": frame.request_body, "answered": frame.response_body})
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the memory back."""
        self.ledger.close()
