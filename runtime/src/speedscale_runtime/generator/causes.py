"""Why a request got no answer: one enum, and the table from exceptions to it (schema `result-line`, `cause`)."""

from __future__ import annotations

import errno
import socket
import ssl
from enum import StrEnum


class Cause(StrEnum):
    """Causes as they stand in results; `connect` tells those that happen before anything is sent."""

    REFUSED = "refused"
    RESET = "reset"
    TIMEOUT = "timeout"
    CONNECT_TIMEOUT = "connect-timeout"
    TLS = "tls"
    DNS = "dns"
    CLOSED = "closed"
    PROTOCOL = "protocol"
    UNREACHABLE = "unreachable"
    OVERSIZE = "oversize"
    CANCELLED = "cancelled"
    TRANSFORM = "transform"


CONNECT = frozenset({Cause.REFUSED, Cause.CONNECT_TIMEOUT, Cause.TLS, Cause.DNS, Cause.UNREACHABLE})

_BY_TYPE: tuple[tuple[type[BaseException], Cause], ...] = (
    (ssl.SSLError, Cause.TLS),
    (ssl.CertificateError, Cause.TLS),
    (socket.gaierror, Cause.DNS),
    (UnicodeError, Cause.DNS),
    (ConnectionRefusedError, Cause.REFUSED),
    (ConnectionResetError, Cause.RESET),
    (BrokenPipeError, Cause.RESET),
    (ConnectionAbortedError, Cause.RESET),
    (TimeoutError, Cause.CONNECT_TIMEOUT),
)


def cause_of(error: BaseException | None) -> Cause:
    """Return the cause for an exception from connecting or from a lost connection (None: closed in order)."""
    if error is None:
        return Cause.CLOSED
    for kind, cause in _BY_TYPE:
        if isinstance(error, kind):
            return cause
    if isinstance(error, OSError) and error.errno == errno.ETIMEDOUT:
        return Cause.CONNECT_TIMEOUT
    return Cause.UNREACHABLE
