"""Frames: the one binary shape in which captured pairs travel and rest.

The proxy and nettap send batches of frames, the forwarder's spool and a running recording are segments of
them. A frame is the pair's JSON document without HTTP bodies (the head) and the two bodies as raw bytes, so
that nothing is escaped or decoded on the way.

Layout, big-endian, 20 bytes and then the three parts::

    offset  width  field
    0       4      magic `SSF1`
    4       4      head length in bytes, 2 … HEAD_MAX
    8       4      request body length, 0 … BODY_MAX
    12      4      response body length, 0 … BODY_MAX
    16      4      CRC-32 (zlib) over head, request body, response body, seeded with 0

A head carries presence in `http.req`/`http.res`; a body of length 0 is an empty body. No I/O here.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

MAGIC = b"SSF1"
HEADER = struct.Struct(">4sIIII")
HEADER_SIZE = HEADER.size
_pack, _crc32 = HEADER.pack, zlib.crc32
HEAD_MAX = 16 * 1024 * 1024
BODY_MAX = 64 * 1024 * 1024

BATCH_PATH = "/v1/batches"
BATCH_CONTENT_TYPE = "application/vnd.speedscale.frames"
BATCH_VERSION = "1"
BATCH_MAX_BYTES = 2 * (BODY_MAX + HEAD_MAX)
H_VERSION = "Speedscale-Batch-Version"
H_SENDER = "Speedscale-Sender"
H_EPOCH = "Speedscale-Epoch"
H_SEQUENCE = "Speedscale-Sequence"


class Frame(NamedTuple):
    """One captured pair: `head` is UTF-8 JSON of the RRPair without HTTP bodies; bodies are raw bytes."""

    head: bytes
    request_body: bytes
    response_body: bytes


class FrameError(ValueError):
    """Bytes that are no frame. `offset` is where the frame starts; `torn` when it merely ends too early."""

    def __init__(self, offset: int, reason: str, *, torn: bool = False) -> None:
        self.offset = offset
        self.reason = reason
        self.torn = torn
        super().__init__(f"frame at byte {offset}: {reason}")


def encode(frame: Frame) -> bytes:
    """Return the frame's bytes; raise FrameError when a part is over its limit."""
    return pack(*frame)


def pack(head: bytes, req: bytes, res: bytes) -> bytes:
    """Return the bytes of the frame of these parts, as `encode` does; for who makes many and keeps none."""
    n_head, n_req, n_res = len(head), len(req), len(res)
    if not 2 <= n_head <= HEAD_MAX:
        raise FrameError(0, f"head of {n_head} bytes; 2 to {HEAD_MAX} are allowed")
    if n_req > BODY_MAX or n_res > BODY_MAX:
        raise FrameError(0, f"body of {max(n_req, n_res)} bytes; at most {BODY_MAX} are allowed")
    crc = _crc32(head)
    if n_req:
        crc = _crc32(req, crc)
    if n_res:
        crc = _crc32(res, crc)
    return b"".join((_pack(MAGIC, n_head, n_req, n_res, crc), head, req, res))


def decode_at(data: bytes | memoryview, offset: int = 0) -> tuple[Frame, int]:
    """Return the frame that starts at `offset` and the offset behind it; raise FrameError."""
    end = len(data)
    if end - offset < HEADER_SIZE:
        raise FrameError(offset, f"{end - offset} bytes left, a header has {HEADER_SIZE}", torn=True)
    magic, n_head, n_req, n_res, crc = HEADER.unpack_from(data, offset)
    if magic != MAGIC:
        raise FrameError(offset, f"magic {bytes(magic)!r}, expected {MAGIC!r}")
    if not 2 <= n_head <= HEAD_MAX or n_req > BODY_MAX or n_res > BODY_MAX:
        raise FrameError(offset, f"lengths {n_head}, {n_req}, {n_res} over the limits")
    a = offset + HEADER_SIZE
    b, c = a + n_head, a + n_head + n_req
    stop = c + n_res
    if stop > end:
        raise FrameError(offset, f"{stop - end} bytes missing", torn=True)
    view = memoryview(data)[a:stop]
    if zlib.crc32(view) != crc:
        raise FrameError(offset, "checksum does not match")
    return Frame(bytes(data[a:b]), bytes(data[b:c]), bytes(data[c:stop])), stop


def decode_all(data: bytes | memoryview) -> Iterator[Frame]:
    """Yield every frame of a batch; raise FrameError at the first byte that is none."""
    offset = 0
    while offset < len(data):
        frame, offset = decode_at(data, offset)
        yield frame
