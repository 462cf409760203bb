"""Frames between capture and ingest, as `runtime/nettap/include/nettap_wire.h` defines them; a test compares the two.

Called by `line`. Pure. `Decoder` takes the bytes of the line in any pieces and hands out frames; whatever is not a
frame of this version ends the line with a reason (`BadFrame`), because behind it nothing can be trusted. All numbers
are little endian. Codes that this release does not know are kept as numbers: only lengths decide what is well formed.
"""

from __future__ import annotations

import struct
from enum import IntEnum, IntFlag, StrEnum
from typing import Final, NamedTuple

VERSION: Final = 1
PAYLOAD_MAX: Final = 16384
FRAME_MAX: Final = 65536
TARGET_PORTS: Final = 16

FRAME = struct.Struct("<HHI")
CHUNK = struct.Struct("<QQQQIIIIIHHBBBBBBHHHI16s16s")
PROCESS = struct.Struct("<QQIB3s16sII")
CGROUP = struct.Struct("<QIB3s")
TARGET = struct.Struct("<IHH16H40s256s")


class Type(IntEnum):
    """What a frame is."""

    HELLO = 1
    CHUNK = 2
    CLOSE = 3
    DNS = 4
    PROCESS = 5
    CGROUP = 6
    STATS = 7
    TARGETS_BEGIN = 64
    TARGET = 65
    TARGETS_END = 66


class Direction(IntEnum):
    """Seen from the process."""

    RECEIVED = 0
    SENT = 1


class Role(IntEnum):
    """Which end of the connection the process is."""

    UNKNOWN = 0
    CLIENT = 1
    SERVER = 2


class Source(IntEnum):
    """Where bytes were seen."""

    TRACEPOINT = 1
    KPROBE = 2
    FENTRY = 3
    OPENSSL = 4
    BORINGSSL = 5
    GO_TLS = 6
    CGROUP_SKB = 7


class Certainty(IntEnum):
    """How it is known that plaintext of a TLS library belongs to a socket."""

    CERTAIN = 0
    BY_NESTED = 1
    BY_SESSION = 2
    BY_SET_FD = 3
    BY_NEXT_IO = 4


class Flag(IntFlag):
    """Of a chunk."""

    GAP = 1
    TRUNCATED = 2
    EOF = 4
    PLAINTEXT = 8
    MIDSTREAM = 16


class Gap(IntEnum):
    """Why bytes are missing."""

    NONE = 0
    RING_FULL = 1
    CALL_TOO_LONG = 2
    SENDFILE = 3
    SPLICE = 4
    IO_URING = 5
    UNREADABLE = 6
    VECTOR_TOO_LONG = 7
    UNMATCHED_TLS = 8
    SOCKET_FULL = 9
    NOT_SEEN = 10


class Event(IntEnum):
    """Of a process or cgroup: it began, or ended."""

    BEGAN = 1
    ENDED = 2


class Chunk(NamedTuple):
    """`struct nettap_chunk` without what is reserved; addresses as 16 bytes, IPv4 in the first four."""

    ts: int
    cgroup: int
    sock: int
    offset: int
    generation: int
    tgid: int
    tid: int
    length: int
    call_total: int
    chunk_index: int
    gap_reason: int
    direction: int
    source: int
    certainty: int
    flags: int
    family: int
    role: int
    local_port: int
    remote_port: int
    reserved: int
    netns: int
    local_address: bytes
    remote_address: bytes


class Process(NamedTuple):
    """`struct nettap_process`."""

    ts: int
    cgroup: int
    tgid: int
    event: int
    comm: bytes
    plaintext: int
    refused: int


class Cgroup(NamedTuple):
    """`struct nettap_cgroup` and the path behind it."""

    cgroup: int
    target: int
    event: int
    path: str


class Target(NamedTuple):
    """`struct nettap_target`: a pod by its uid, or a cgroup by its path."""

    number: int
    ignore_ports: tuple[int, ...]
    pod_uid: str = ""
    cgroup_path: str = ""


class BadLine(StrEnum):
    """Why a line was ended; fit for a metric's label."""

    VERSION = "version"
    TYPE = "type"
    TOO_LONG = "too_long"
    TOO_SHORT = "too_short"
    LENGTH = "length"
    DIRECTION = "direction"
    TEXT = "text"
    NO_HELLO = "no_hello"


class BadFrame(Exception):
    """What came is no frame of this version; nothing behind it can be read. `reason` is fit for a label."""

    def __init__(self, reason: BadLine, detail: str) -> None:
        self.reason = reason
        super().__init__(f"{reason.value}: {detail}")


class Decoder:
    """Cuts the bytes of a line into frames; keeps less than one frame of `FRAME_MAX` bytes."""

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept = b""

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """Return the frames that are whole now, as type and what is behind the header; BadFrame."""
        if self._kept:
            data = self._kept + data
        frames: list[tuple[int, bytes]] = []
        pos, end = 0, len(data)
        unpack = FRAME.unpack_from
        while end - pos >= 8:
            kind, version, length = unpack(data, pos)
            if version != VERSION or length > FRAME_MAX or kind not in _LEAST:
                self._refuse(kind, version, length)
            stop = pos + 8 + length
            if stop > end:
                break
            frames.append((kind, data[pos + 8 : stop]))
            pos = stop
        self._kept = data[pos:]
        return frames

    def _refuse(self, kind: int, version: int, length: int) -> None:
        if version != VERSION:
            raise BadFrame(BadLine.VERSION, f"frame of version {version}; this release knows {VERSION}")
        if kind not in _LEAST:
            raise BadFrame(BadLine.TYPE, f"frame of type {kind}")
        raise BadFrame(BadLine.TOO_LONG, f"{length} bytes; a frame has at most {FRAME_MAX}")


_LEAST: Final[dict[int, int]] = {
    Type.HELLO: 2,
    Type.CHUNK: CHUNK.size,
    Type.CLOSE: CHUNK.size,
    Type.DNS: CHUNK.size,
    Type.PROCESS: PROCESS.size,
    Type.CGROUP: CGROUP.size,
    Type.STATS: 2,
}


def chunk(body: bytes) -> Chunk:
    """Return the chunk at the start of a CHUNK, CLOSE or DNS; its payload is `body[CHUNK.size:]`. BadFrame."""
    size = len(body) - 104
    if size < 0:
        raise BadFrame(BadLine.TOO_SHORT, f"a chunk of {len(body)} bytes")
    found = Chunk(*CHUNK.unpack_from(body))
    if found.direction > 1:
        raise BadFrame(BadLine.DIRECTION, f"direction {found.direction}")
    if found.flags & 1:  # GAP: it has a length and no payload
        size = found.length if size == 0 else -1
    if size != found.length or (size > PAYLOAD_MAX and not found.flags & 1):
        raise BadFrame(BadLine.LENGTH, f"a chunk of {found.length} bytes has {len(body) - CHUNK.size}")
    return found


def process(body: bytes) -> Process:
    """Return a process; BadFrame."""
    if len(body) != PROCESS.size:
        raise BadFrame(BadLine.LENGTH, f"a process of {len(body)} bytes")
    ts, cgroup, tgid, event, _, comm, plaintext, refused = PROCESS.unpack(body)
    return Process(ts, cgroup, tgid, event, comm.partition(b"\0")[0], plaintext, refused)


def cgroup(body: bytes) -> Cgroup:
    """Return a cgroup; BadFrame."""
    if len(body) < CGROUP.size:
        raise BadFrame(BadLine.TOO_SHORT, f"a cgroup of {len(body)} bytes")
    number, target, event, _ = CGROUP.unpack_from(body)
    path = body[CGROUP.size :].partition(b"\0")[0]
    try:
        return Cgroup(number, target, event, path.decode())
    except UnicodeDecodeError:
        raise BadFrame(BadLine.TEXT, "a cgroup's path that is no UTF-8") from None


def frame(kind: Type, body: bytes = b"") -> bytes:
    """Return a whole frame."""
    return FRAME.pack(kind, VERSION, len(body)) + body


def targets(wanted: tuple[Target, ...]) -> bytes:
    """Return the frames that make these, and no others, the targets; ValueError for one that does not fit."""
    parts = [frame(Type.TARGETS_BEGIN)]
    parts += [frame(Type.TARGET, target(one)) for one in wanted]
    parts.append(frame(Type.TARGETS_END))
    return b"".join(parts)


def target(one: Target) -> bytes:
    """Return `struct nettap_target`; ValueError for what does not fit in it."""
    uid, path, ports = one.pod_uid.encode(), one.cgroup_path.encode(), one.ignore_ports
    if len(uid) >= 40 or len(path) >= 256 or len(ports) > TARGET_PORTS:
        raise ValueError(f"target {one.number}: a uid of {len(uid)}, a path of {len(path)} bytes, {len(ports)} ports")
    return TARGET.pack(one.number, len(ports), 0, *ports, *([0] * (TARGET_PORTS - len(ports))), uid, path)
