"""Heads of HTTP/1 messages by way of what was parsed lately: the same as `http1_head` says, several times cheaper.

Used by `http1` for heads that arrive in one piece. Whatever is not plainly ordinary (bare line feeds, folding, a
length that two readers could take differently) is never remembered and left to `http1_head`.
"""

from __future__ import annotations

from .exchange import Headers
from .http1_head import ABSENT, FIELDS, REQUEST_LINE, STATUS_LINE, ParseError, framing
from .recall import Recall

UNSURE = -4  # a length that only `framing` can say, if it does not raise

# What is known of a request line: method, target, version, and whether it may stand before a request without a body.
Line = tuple[bytes, bytes, bytes, bool]
# Of the fields of a request: they, length (or UNSURE) and upgrade under HTTP/1.1, and whether nothing follows them.
Block = tuple[Headers, int, bool, bool]
# Of the head of an answer: version, status, reason, fields, length (or UNSURE), whether that many bytes of body follow.
Answer = tuple[bytes, int, bytes, Headers, int, bool]


class Known:
    """What was parsed lately, for all connections of a process; bounded as `recall` says.

    Keys are the bytes on the wire: first lines without their line end, fields with the blank line that ends them,
    heads of answers without it. Only heads with CRLF everywhere and in need of no closer look are in here.
    """

    __slots__ = ("answers", "blocks", "lines")

    def __init__(self) -> None:
        self.lines: Recall[Line] = Recall(key_max=1024)
        self.blocks: Recall[Block] = Recall()
        self.answers: Recall[Answer] = Recall()


def request_at(data: bytes, pos: int, limit: int, known: Known) -> tuple[bytes, Line, bytes, Block, int] | None:
    """Return first line, fields (both as they came and as parsed) and the position behind a whole, ordinary head.

    None for any other: one that does not end in `data`, is longer than `limit`, or needs a closer look.
    """
    start = data.find(b"\r\n", pos) + 2
    stop = data.find(b"\r\n\r\n", start - 2) + 4
    if start < 2 or stop < 4 or stop - pos > limit:
        return None
    first, raw = data[pos : start - 2], data[start:stop]
    line = known.lines.get(first) or known.lines.older(first)
    if line is None:
        match = REQUEST_LINE.match(data, pos, start)
        if match is None or match.end() != start:
            return None
        method, target, version = match.groups()
        line = (method, target, version, method != b"CONNECT")
        known.lines.put(first, line)
    block = known.blocks.get(raw) or known.blocks.older(raw)
    if block is None:
        headers = _whole_lines(raw)
        if headers is None:
            return None
        length, upgrade = _surely(headers)
        block = (headers, length, upgrade, length == ABSENT and not upgrade)
        known.blocks.put(raw, block)
    return first, line, raw, block, stop


def response_at(data: bytes, pos: int, limit: int, known: Known) -> tuple[bytes, Answer, int] | None:
    """Return the head of an answer, as it came and as parsed, and the position behind it, as `request_at` does."""
    stop = data.find(b"\r\n\r\n", pos) + 4
    if stop < 4 or stop - pos > limit:
        return None
    raw = data[pos : stop - 4]
    answer = known.answers.get(raw) or known.answers.older(raw)
    if answer is None:
        match = STATUS_LINE.match(data, pos, stop)
        if match is None or not match[0].endswith(b"\r\n"):
            return None
        headers = _whole_lines(data[match.end() : stop])
        if headers is None:
            return None
        version, status, reason = match[1], int(match[2]), match[3] or b""
        length, _ = _surely(headers)
        body = length >= 0 and version != b"1.0" and status >= 200 and status not in (204, 304)
        answer = (version, status, reason, headers, length, body)
        known.answers.put(raw, answer)
    return raw, answer, stop


def _whole_lines(raw: bytes) -> Headers | None:
    """Return the fields of a block, None when its lines need a closer look."""
    headers: Headers = FIELDS.findall(raw)
    return headers if len(headers) + 1 == raw.count(b"\n") else None


def _surely(headers: Headers) -> tuple[int, bool]:
    try:
        return framing(headers, b"1.1")
    except ParseError:
        return UNSURE, False
