"""Masks: stars, and of longer values the last four characters. An opt-out: what is shown is the value's own."""

from __future__ import annotations

import re

_MASK = re.compile(rb"\*{5,}(?:[0-9A-Za-z]|[\xc0-\xff][\x80-\xbf]+){4}|\*+")
_SHOWN = 4
_LEAST = 9


def mask(value: bytes) -> bytes:
    """Return a value with all but its last four characters starred.

    Nothing is shown of one of eight or less, nor where the last four are not all letters and digits: they could be a
    value by themselves (`8::1`).
    """
    text = value.decode("utf-8", "replace")
    shown = text[-_SHOWN:] if len(text) >= _LEAST else ""
    if not shown.isalnum():
        shown = ""
    return ("*" * (len(text) - len(shown)) + shown).encode("utf-8")


def is_mask(value: bytes) -> bool:
    """Say whether a value is a mask already."""
    return _MASK.fullmatch(value) is not None
