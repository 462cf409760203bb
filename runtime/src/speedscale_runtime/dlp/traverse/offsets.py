"""Decode an escaped text and remember where each decoded byte began, so that edits can be mapped back."""

from __future__ import annotations

import re
from collections.abc import Callable


def decode(
    data: bytes, unit: re.Pattern[bytes], meaning: Callable[[re.Match[bytes]], bytes]
) -> tuple[bytes, list[int]]:
    """Return the decoded bytes and, for each of them and for the end, the offset in `data` where it began.

    `unit` matches one escape; `meaning` returns what it stands for (its own text where it stands for nothing).
    """
    parts: list[bytes] = []
    offsets: list[int] = []
    at = 0
    for match in unit.finditer(data):
        start, end = match.span()
        if start > at:
            parts.append(data[at:start])
            offsets.extend(range(at, start))
        text = meaning(match)
        parts.append(text)
        offsets.extend([start] * len(text))
        at = end
    parts.append(data[at:])
    offsets.extend(range(at, len(data) + 1))
    return b"".join(parts), offsets
