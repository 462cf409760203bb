"""What an HTTP observer hands over: one request and its response, and why one is missing a part.

Made by `http1.Observer`, read by the proxy and the responder. Plain data: header names and values are the bytes
that were on the wire, in their order. No parsing here.
"""

from __future__ import annotations

from enum import StrEnum

Headers = list[tuple[bytes, bytes]]


class Mode(StrEnum):
    """What a connection is to its observer."""

    ACTIVE = "active"
    TUNNEL = "tunnel"  # after 101 or a CONNECT that was granted: no more HTTP
    OPAQUE = "opaque"  # not to be understood: only bytes can be counted


class Cause(StrEnum):
    """Why an exchange is incomplete or a connection went opaque; fit for a metric's label."""

    NONE = ""
    CLIENT_GONE = "client_gone"
    SERVER_GONE = "server_gone"
    CLOSED = "closed"
    BAD_REQUEST_LINE = "bad_request_line"
    BAD_STATUS_LINE = "bad_status_line"
    BAD_HEADER = "bad_header"
    BAD_CHUNK = "bad_chunk"
    HEAD_TOO_LONG = "head_too_long"
    AMBIGUOUS_LENGTH = "ambiguous_length"
    UNSOLICITED_RESPONSE = "unsolicited_response"
    EARLY_RESPONSE = "early_response"
    BAD_UPGRADE = "bad_upgrade"
    PIPELINE_TOO_DEEP = "pipeline_too_deep"
    GAP = "gap"  # bytes that passed were not seen


class Exchange:
    """One request and its response as they were on the wire; times in nanoseconds as fed, 0 where never reached.

    `request_body` and `response_body` have transfer codings undone and are cut at the observer's limit;
    `*_body_length` is the true length. `interim` holds the 1xx statuses before the final one. `incomplete` is ""
    or a `Cause`: an exchange that lacks a part is handed over all the same. `method` is empty when even the request
    line never ended, `status` 0 when there was no response head. `upgraded` means that the connection left HTTP
    with this exchange. `gap` is why bytes within a body were not seen, "" when all were: what is kept of that body is
    its beginning. `request_line`, `request_block` (fields) and `response_head` are the bytes from which the rest
    was read, as keys for who works on them once per content; line ends apart, empty where they were never whole.
    """

    __slots__ = (
        "gap",
        "http_version",
        "incomplete",
        "interim",
        "method",
        "reason",
        "request_block",
        "request_body",
        "request_body_length",
        "request_end_ns",
        "request_headers",
        "request_line",
        "request_trailers",
        "response_body",
        "response_body_length",
        "response_end_ns",
        "response_head",
        "response_headers",
        "response_start_ns",
        "response_trailers",
        "response_version",
        "started_ns",
        "status",
        "target",
        "upgraded",
    )

    def __init__(self, method: bytes, target: bytes, version: bytes, headers: Headers, started_ns: int) -> None:
        self.method = method
        self.target = target
        self.http_version = version  # b"1.1" or b"1.0", as the client said
        self.request_headers = headers
        self.request_line = self.request_block = self.response_head = b""
        self.request_trailers: Headers = []
        self.request_body = b""
        self.request_body_length = 0
        self.status = 0
        self.reason = b""
        self.response_version = b""
        self.response_headers: Headers = []
        self.response_trailers: Headers = []
        self.response_body = b""
        self.response_body_length = 0
        self.started_ns = started_ns
        self.request_end_ns = 0
        self.response_start_ns = 0
        self.response_end_ns = 0
        self.interim: list[int] = []
        self.upgraded = False
        self.incomplete: str = ""
        self.gap = ""

    def __repr__(self) -> str:
        """Name method, status and cause only: never the target, headers or bodies, which may end in a log."""
        return f"<Exchange {self.method!r} {self.status} {self.incomplete}>"
