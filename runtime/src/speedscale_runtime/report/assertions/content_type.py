"""`httpResponseContentType`: the same media type and charset (RFC 9110 section 8.3), whatever else it says."""

from __future__ import annotations

from collections.abc import Mapping
from email.message import Message

from speedscale_runtime.report.answer import Answer
from speedscale_runtime.report.structure import Found, Options
from speedscale_runtime.report.volatile import Learnt

from .options import Check

KEYS: frozenset[str] = frozenset()


def make(config: Mapping[str, str]) -> Check:
    """Return the check."""

    def check(recorded: Answer, replayed: Answer, learnt: Learnt) -> Found:
        found = Found(Options(match="exact"), "contentType")
        a, b = recorded.content_type, replayed.content_type
        if essence(a) == essence(b):
            return found
        if not b:
            found.add("Content-Type", "missing", a, None)
        else:
            found.add("Content-Type", "changed", a or None, b)
        return found

    return check


def essence(content_type: str) -> tuple[str, str]:
    """Return media type and charset in lower case; JSON without a charset is UTF-8 (RFC 8259 section 8.1)."""
    if not content_type:
        return "", ""
    message = Message()
    message["Content-Type"] = content_type
    media = message.get_content_type() if "/" in content_type else content_type.split(";")[0].strip().lower()
    charset = str(message.get_param("charset") or "").lower()
    if charset == "utf-8" and media.endswith(("/json", "+json")):
        charset = ""
    return media, charset
