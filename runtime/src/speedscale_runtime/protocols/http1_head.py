"""Heads of HTTP/1 messages: where one ends, what it says, and how long the body behind it is.

Used by `http1` (observer) and `forward` (forward-proxy requests). Pure functions over complete heads, and
`HeadBuffer`, which collects one from any chunking. Light: the supervisor imports it, so standard library only.

Regular expressions of the C engine do the work. They were chosen over llhttp (httptools) because its binding does
not say where a head ends and cannot be told that an answer to HEAD has no body; the cost is about the same.

Invariant: an error is found at the same byte for every chunking, and names the same cause.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from .exchange import Cause, Headers

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
REQUEST_LINE = re.compile(rb"(" + _TOKEN + rb") ([^\x00-\x20\x7f]+) HTTP/(1\.[0-9])\r?\n")
STATUS_LINE = re.compile(rb"HTTP/(1\.[0-9]) ([1-9][0-9][0-9])(?: ([^\r\n\0]*))?\r?\n")
# Whole lines that need no further look; a value with a blank at its end does not match.
FIELDS = re.compile(rb"^(" + _TOKEN + rb"):[ \t]*([^\r\n\0]*)(?<![ \t])\r\n", re.MULTILINE)
_FIELD = re.compile(rb"(" + _TOKEN + rb"):[ \t]*([^\r\n\0]*)")
_TOKEN_BYTES = frozenset(b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
_STATUS_START = b"HTTP/1."

# Lengths of the names that decide what follows a head; most other names are passed over by length alone.
_CONTENT_LENGTH, _TRANSFER_ENCODING, _UPGRADE = b"content-length", b"transfer-encoding", b"upgrade"
_DECISIVE_LENGTHS = frozenset((len(_CONTENT_LENGTH), len(_TRANSFER_ENCODING), len(_UPGRADE)))
_LENGTH_DIGITS_MAX = 18

CHUNKED = -1
UNTIL_CLOSE = -2
ABSENT = -3


class ParseError(Exception):
    """Bytes that are no HTTP/1 message, or one whose extent is not certain; `cause` says which."""

    def __init__(self, cause: Cause) -> None:
        self.cause = cause
        super().__init__(cause.value)


def request_line(head: bytes) -> tuple[bytes, bytes, bytes, int]:
    """Return method, target, version and where the line ends (RFC 9112 section 3); ParseError."""
    match = REQUEST_LINE.match(head)
    if match is None:
        raise ParseError(Cause.BAD_REQUEST_LINE)
    method, target, version = match.groups()
    return method, target, version, match.end()


def status_line(head: bytes) -> tuple[bytes, int, bytes, int]:
    """Return version, status, reason and where the line ends (RFC 9112 section 4); ParseError."""
    match = STATUS_LINE.match(head)
    if match is None:
        raise ParseError(Cause.BAD_STATUS_LINE)
    version, status, reason = match.groups()
    return version, int(status), reason or b"", match.end()


def fields(head: bytes, start: int) -> Headers:
    """Return the field lines from `start` to the blank line that ends `head`, as received; ParseError.

    Values lose the blanks around them; a folded value is joined with one space (RFC 9112 section 5.2).
    """
    found: Headers = FIELDS.findall(head, start)
    if len(found) + 1 != head.count(b"\n", start):
        return _fields_slowly(head, start)
    return found


def _fields_slowly(head: bytes, start: int) -> Headers:
    """Line by line: bare line feeds, folding, blanks at the end, and everything that is wrong."""
    found: Headers = []
    for raw in head[start:].split(b"\n"):
        line = raw[:-1] if raw.endswith(b"\r") else raw
        if not line:
            continue
        if line[0] in b" \t":
            if not found or b"\r" in line or b"\0" in line:
                raise ParseError(Cause.BAD_HEADER)
            name, value = found[-1]
            found[-1] = (name, (value + b" " + line.strip(b" \t")).strip(b" \t"))
            continue
        match = _FIELD.fullmatch(line)
        if match is None:
            raise ParseError(Cause.BAD_HEADER)
        found.append((match[1], match[2].rstrip(b" \t")))
    return found


def framing(headers: Headers, version: bytes) -> tuple[int, bool]:
    """Return the length that the fields give, and whether there is an Upgrade.

    The length is in bytes, or CHUNKED, UNTIL_CLOSE (response only) or ABSENT. ParseError AMBIGUOUS_LENGTH where two
    readers could disagree (RFC 9112 sections 6.1 and 6.3): both fields, lengths that differ, a transfer coding
    under HTTP/1.0 or with `chunked` anywhere but last.
    """
    length: bytes | None = None
    codings: bytes | None = None
    upgrade = False
    for name, value in headers:
        if len(name) in _DECISIVE_LENGTHS:
            folded = name.lower()
            if folded == _CONTENT_LENGTH:
                length = value if length is None else length + b"," + value
            elif folded == _TRANSFER_ENCODING:
                codings = value if codings is None else codings + b"," + value
            elif folded == _UPGRADE:
                upgrade = True
    if codings is not None:
        if length is not None or version == b"1.0":
            raise ParseError(Cause.AMBIGUOUS_LENGTH)
        return _coded(codings), upgrade
    if length is None:
        return ABSENT, upgrade
    if not length.isdigit():
        values = {part.strip(b" \t") for part in length.split(b",")}
        length = values.pop()
        if values or not length.isdigit():
            raise ParseError(Cause.AMBIGUOUS_LENGTH)
    if len(length) > _LENGTH_DIGITS_MAX:
        raise ParseError(Cause.AMBIGUOUS_LENGTH)
    return int(length), upgrade


def _coded(codings: bytes) -> int:
    names = [part.strip(b" \t") for part in codings.lower().split(b",")]
    names = [name for name in names if name]
    if names and names[-1] == b"chunked" and names.count(b"chunked") == 1:
        return CHUNKED
    if not names or any(b"chunked" in name for name in names):
        raise ParseError(Cause.AMBIGUOUS_LENGTH)
    return UNTIL_CLOSE


def has_field(headers: Headers, folded: bytes) -> bool:
    """Say whether a field of this lower-case name is there."""
    size = len(folded)
    return any(len(name) == size and name.lower() == folded for name, _ in headers)


def check_request_start(data: bytes | bytearray) -> None:
    """Refuse what cannot become a request, from its first byte on and again when its first line is whole."""
    if data[0] not in _TOKEN_BYTES:
        raise ParseError(Cause.BAD_REQUEST_LINE)
    stop = data.find(b"\n")
    if stop >= 0:
        request_line(bytes(data[: stop + 1]))


def check_response_start(data: bytes | bytearray) -> None:
    """Refuse what cannot become a response, as `check_request_start` does for requests."""
    if not data.startswith(_STATUS_START[: len(data)]):
        raise ParseError(Cause.BAD_STATUS_LINE)
    stop = data.find(b"\n")
    if stop >= 0:
        status_line(bytes(data[: stop + 1]))


class HeadBuffer:
    """Collects one head after another from any chunking; never keeps more than `limit` bytes.

    `check` sees the bytes of a head that is not whole yet and raises ParseError when it never can be one.
    """

    __slots__ = ("_check", "_limit", "_line_seen", "data", "started_ns")

    def __init__(self, check: Callable[[bytes | bytearray], None], limit: int) -> None:
        self._check, self._limit = check, limit
        self._line_seen = False
        self.data = bytearray()
        self.started_ns = 0

    def take(self, data: bytes, pos: int, now_ns: int) -> tuple[bytes | None, int]:
        """Return the next head and the position behind it, or None when it does not end in `data`.

        Blank lines before it are passed over (RFC 9112 section 2.2). `started_ns` becomes the time of its first
        byte. ParseError as `check` says, or HEAD_TOO_LONG.
        """
        kept = self.data
        if kept:
            return self._go_on(data, pos)
        end = len(data)
        while pos < end and data[pos] in b"\r\n":
            pos += 1
        if pos == end:
            return None, pos
        self.started_ns = now_ns
        stop = _end(data, pos)
        if stop < 0 or stop - pos > self._limit:
            piece = data[pos : pos + self._limit + 1]
            self._check(piece)
            if len(piece) > self._limit:
                raise ParseError(Cause.HEAD_TOO_LONG)
            self._line_seen = b"\n" in piece
            kept += piece
            return None, end
        return data[pos:stop], stop

    def _go_on(self, data: bytes, pos: int) -> tuple[bytes | None, int]:
        kept = self.data
        before = len(kept)
        kept += data[pos : pos + self._limit + 1 - before]
        stop = _end(kept, max(0, before - 3))
        if stop < 0 or stop > self._limit:
            if not self._line_seen:
                self._check(kept)
                self._line_seen = kept.find(b"\n", before) >= 0
            if len(kept) > self._limit:
                raise ParseError(Cause.HEAD_TOO_LONG)
            return None, len(data)
        head = bytes(kept[:stop])
        self.clear()
        return head, pos + stop - before

    def clear(self) -> None:
        """Forget the head begun."""
        self.data = bytearray()
        self._line_seen = False


def _end(data: bytes | bytearray, start: int) -> int:
    """Return the position behind the first blank line from `start` on, or -1; bare line feeds count."""
    stop = data.find(b"\n\r\n", start)
    bare = data.find(b"\n\n", start, stop + 1 if stop >= 0 else len(data))
    if bare >= 0:
        return bare + 2
    return stop + 3 if stop >= 0 else -1
