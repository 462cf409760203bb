"""Why something that capture told of was not made into pairs: the one list of reasons, fit for a metric's label.

Standard library only. What becomes of a pair once it was seen is in `recording.causes`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from .wire import Gap


class Missing(StrEnum):
    """Why bytes of a stream are missing; the first ones as capture says it, the last ones found here."""

    RING_FULL = "ring_full"  # the capture process did not keep up with the kernel
    CALL_TOO_LONG = "call_too_long"
    SENDFILE = "sendfile"
    SPLICE = "splice"
    IO_URING = "io_uring"
    UNREADABLE = "unreadable"
    VECTOR_TOO_LONG = "vector_too_long"
    UNMATCHED_TLS = "unmatched_tls"  # plaintext of a session whose socket is not known
    SOCKET_FULL = "socket_full"  # this process did not keep up with capture
    NOT_SEEN = "not_seen"
    UNKNOWN = "unknown"  # a reason that this release does not know
    NOT_TOLD = "not_told"  # no chunk and no gap told of these bytes in time
    WINDOW_FULL = "window_full"  # they may be under way still, but what waits for them has no more room


MISSING: Final = {Gap[m.name].value: m for m in Missing if m.name in Gap.__members__}
"""By the number that capture gives."""


class Unread(StrEnum):
    """Why a connection is not, or no longer, read as HTTP/1."""

    NOT_HTTP = "not_http"  # another protocol; recorded with byte counts
    PARSE_ERROR = "parse_error"  # began as HTTP, then could not be understood
    UPGRADED = "upgraded"  # WebSocket or another upgrade: the handshake is recorded, then bytes counted
    TLS = "tls"  # encrypted, and no library of this process gave its plaintext
    GAP = "gap"  # bytes are missing where it is not certain how the stream goes on
    MIDSTREAM = "midstream"  # open before it was watched, and no request was seen to begin
    MEMORY = "memory"  # what is read at the same time has no more room
    INTERNAL = "internal"  # a fault of ours


class Passed(StrEnum):
    """Why a socket is passed over."""

    LOOPBACK = "loopback"  # the server's end within a pod; the client's is recorded, as the sidecar does
    NODE = "node"  # a probe of the kubelet or the like: from the pod's node
    PORT = "port"  # not among the ports that the target names
    UNKNOWN_CGROUP = "unknown_cgroup"  # nobody asked for it (any more)
    LATE = "late"  # told after the socket's end
    NO_SOCKET = "no_socket"  # plaintext without a socket


class Ended(StrEnum):
    """How a socket's story ended here."""

    CLOSED = "closed"
    REPLACED = "replaced"  # its addresses and ports belong to another socket now
    LINE_LOST = "line_lost"  # capture went away
    CROWDED = "crowded"  # more sockets at once than there is room for
    CGROUP_ENDED = "cgroup_ended"  # not captured any more
