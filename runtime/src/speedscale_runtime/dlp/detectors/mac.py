"""Hardware addresses: six pairs of hex digits with one separator throughout (IEEE 802, EUI-48)."""

from __future__ import annotations

import re

from .base import Detector, Verdict, whole


def _validate(match: re.Match[bytes], data: bytes) -> Verdict:
    digits = re.sub(rb"[:\-]", b"", match.group()).lower()
    if digits in (b"0" * 12, b"f" * 12):
        return "all zeros or broadcast"
    return whole(match, "six pairs, one separator")


DETECTORS = (
    Detector(
        name="mac",
        kind="MAC",
        prefilter=(r"(?:[0-9A-Fa-f]{2}[:\-]){5}[0-9A-Fa-f]{2}",),
        grammar=re.compile(
            rb"(?<![\w:\-])[0-9A-Fa-f]{2}([:\-])[0-9A-Fa-f]{2}(?:\1[0-9A-Fa-f]{2}){4}(?![\w:]|-[0-9A-Fa-f])"
        ),
        validate=_validate,
        before=20,
        after=4,
        examples=("00:1A:2B:3C:4D:5E", "00-1a-2b-3c-4d-5e"),
        counter_examples=("00:00:00:00:00:00", "00:1A:2B:3C:4D", "00:1A:2B:3C:4D:5E:6F", "00:1A-2B:3C:4D:5E"),
    ),
)
