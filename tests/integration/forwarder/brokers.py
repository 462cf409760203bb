"""What stands before a Kafka broker and understands produce requests: it listens, and answers some in its place."""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from io import BytesIO

from aiokafka.protocol import produce
from faults import Relay

_PRODUCE = 0
_VERSIONS = {5: produce.ProduceRequest_v5, 6: produce.ProduceRequest_v6, 7: produce.ProduceRequest_v7}


class Gate(Relay):
    """Passes requests and answers on, one after the other a connection.

    `script` holds error codes to give to the next produce requests in the broker's place; `poison` is refused with
    `code` wherever it is in a request. `throttled` holds what the broker asked to wait: (when, seconds); `produced`
    when produce requests came, in monotonic seconds. `open` counts connections.
    """

    def __init__(self, target: int) -> None:
        self.script: list[int] = []
        self.poison, self.code = b"", 0
        self.throttled: list[tuple[float, float]] = []
        self.produced: list[float] = []
        self.open = 0
        super().__init__(target)

    def _serve(self, near: socket.socket, mode: str) -> None:
        self.open += 1
        try:
            with contextlib.suppress(OSError), near, socket.create_connection(("127.0.0.1", self.targets[0])) as far:
                self._open |= {near, far}
                while request := _message(near):
                    answer = self._said(request)
                    if not answer:
                        far.sendall(_framed(request))
                        answer = _message(far)
                        self._listen(request, answer)
                    near.sendall(_framed(answer))
        finally:
            self.open -= 1

    def _said(self, request: bytes) -> bytes:
        """Return the answer in the broker's place, nothing where it is the broker's to give."""
        key, version, correlation, client = struct.unpack_from(">hhih", request)
        if key != _PRODUCE:
            return b""
        self.produced.append(time.monotonic())
        code = self.script.pop(0) if self.script else self.code if self.poison and self.poison in request else 0
        if not code:
            return b""
        asked = _VERSIONS[version].decode(BytesIO(request[10 + client :]))
        topics = [(topic, [(number, code, -1, -1, -1) for number, _ in parts]) for topic, parts in asked.topics]
        return struct.pack(">i", correlation) + bytes(asked.RESPONSE_TYPE(topics=topics, throttle_time_ms=0).encode())

    def _listen(self, request: bytes, answer: bytes) -> None:
        if struct.unpack_from(">h", request)[0] == _PRODUCE:
            (milliseconds,) = struct.unpack(">i", answer[-4:])  # the last field, up to version 8
            if milliseconds:
                self.throttled.append((time.monotonic(), milliseconds / 1000))


def _framed(message: bytes) -> bytes:
    return struct.pack(">i", len(message)) + message


def _message(source: socket.socket) -> bytes:
    size = _exactly(source, 4)
    return _exactly(source, struct.unpack(">i", size)[0]) if size else b""


def _exactly(source: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count and (data := source.recv(count - len(found))):
        found += data
    return found if len(found) == count else b""
