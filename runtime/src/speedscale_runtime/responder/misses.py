"""What a client is told when there is no recorded answer: what was asked, what is near, what differs.

Pure. The same facts go into mocks.jsonl. Source of the header's name: the vendor's `X-Speedscale-Message`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

import orjson

_MESSAGE_MAX = 400


class Why(StrEnum):
    """Why a request was not answered from a recording."""

    UNKNOWN = "unknown"
    USED_UP = "used-up"
    TRUNCATED = "truncated"
    UPGRADE = "upgrade"
    BROKEN = "broken"
    PASSTHROUGH_FAILED = "passthrough-failed"
    UNREADABLE = "unreadable"


_SAID = {
    Why.UNKNOWN: (404, "Not Found", "no recorded answer for this request"),
    Why.USED_UP: (404, "Not Found", "the recorded answers of this request are used up (response selection miss)"),
    Why.TRUNCATED: (
        501,
        "Not Implemented",
        "the recording of this answer was cut; record again with a higher limit",
    ),
    Why.UPGRADE: (501, "Not Implemented", "the recorded answer switched protocols; that cannot be mocked"),
    Why.BROKEN: (
        501,
        "Not Implemented",
        "the recorded answer has no usable status; repair or remove the recording",
    ),
    Why.UNREADABLE: (500, "Internal Server Error", "the request could not be redacted or transformed; see the log"),
    Why.PASSTHROUGH_FAILED: (502, "Bad Gateway", "no recorded answer, and the real destination did not answer"),
}


def status(why: Why) -> int:
    """Return the status that a client gets for a reason."""
    return _SAID[why][0]


def summary(why: Why, nearest: Sequence[Mapping[str, Any]]) -> str:
    """Return one line for people: the reason, and what differs from the nearest recorded request."""
    text = _SAID[why][2]
    if why is Why.UNKNOWN and nearest:
        near = nearest[0]
        text += f"; the nearest is {near['command']} {near['host']}{near['location']}"
        parts = [
            f"{d['path'] or d['key']} is {_said(d['asked'])}, recorded {_said(d['recorded'])}"
            for d in near["differences"][:3]
        ]
        text += f", where {'; '.join(parts)}" if parts else ""
    elif why is Why.UNKNOWN:
        text += "; nothing like it was recorded"
    return text


def answer(
    why: Why,
    asked: Mapping[str, str],
    nearest: Sequence[Mapping[str, Any]],
    *,
    detail: str = "",
    close: bool = False,
    head_only: bool = False,
) -> bytes:
    """Return the whole HTTP message; `asked` is the redacted request (command, host, location)."""
    code, phrase, _ = _SAID[why]
    message = summary(why, nearest) + (f" ({detail})" if detail else "")
    body = orjson.dumps(
        {"error": why.value, "message": message, "asked": dict(asked), "nearest": list(nearest)},
        option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE,
    )
    header = message[:_MESSAGE_MAX].encode("ascii", "backslashreplace").replace(b"\r", b" ").replace(b"\n", b" ")
    closing = b"Connection: close\r\n" if close else b""
    start = (
        b"HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nX-Speedscale-Message: %s\r\n"
        b"%sContent-Length: %d\r\n\r\n" % (code, phrase.encode(), header, closing, len(body))
    )
    return start if head_only else start + body


def _said(value: str | None) -> str:
    return "absent" if value is None else repr(value)
