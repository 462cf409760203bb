"""Sans-io parsers of what a client says to a forward proxy before its own bytes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """How the client named its target."""

    CONNECT = "connect"
    ABSOLUTE = "absolute"
    SOCKS4 = "socks4"
    SOCKS5 = "socks5"
    ORIGIN = "origin"  # an ordinary request; host and port are from its Host header
    OPAQUE = "opaque"  # none of these: all bytes are in `rest`
    REFUSED = "refused"  # send `Preamble.outgoing` and close


class Failure(StrEnum):
    """Why the target was not reached, for `Result.reply_fail`."""

    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    UNKNOWN_HOST = "unknown_host"
    TIMEOUT = "timeout"
    NOT_ALLOWED = "not_allowed"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Forward:
    """Bytes for one target, in order; `new_request` when they start with a request's head."""

    host: str
    port: int
    data: bytes
    new_request: bool


class Rewriter:
    """The requests of one keep-alive proxy connection, from absolute-form to origin-form."""

    def feed(self, data: bytes) -> list[Forward]:
        """Take client bytes, return what must go where."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Result:
    """The target, what to answer, and what goes upstream. `rewriter` is set for ABSOLUTE only."""

    kind: Kind
    host: str
    port: int
    reply_ok: bytes
    rest: bytes
    cause: str = ""
    rewriter: Rewriter | None = None

    def reply_fail(self, reason: Failure) -> bytes:
        """Return the bytes that tell the client why it cannot have its target."""
        raise NotImplementedError


class Preamble:
    """Feed the client's first bytes; after each `feed`, send and clear `outgoing`."""

    def __init__(self, *, max_head_bytes: int = 65536) -> None:
        self.outgoing = b""

    def feed(self, data: bytes) -> Result | None:
        """Take bytes; return the result once it is known, else None."""
        raise NotImplementedError
