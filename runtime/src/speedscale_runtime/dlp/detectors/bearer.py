"""Bearer tokens (RFC 6750) in text; the Authorization header has its own traversal."""

from __future__ import annotations

import re

from .base import Detector, Verdict, whole

_GRAMMAR = re.compile(rb"(?i)(?<![a-z0-9_])bearer[ \t:=]{1,3}([A-Za-z0-9\-._~+/]{8,4096}=*)")


def _validate(match: re.Match[bytes], data: bytes) -> Verdict:
    text = match.group(1)
    if not any(48 <= c <= 57 for c in text):
        return "no digit: more likely a word than a token"
    return whole(match, "what follows the word Bearer", 1)


DETECTORS = (
    Detector(
        name="bearer",
        kind="SECRET",
        prefilter=(r"bearer[ \t:=+]{1,3}[A-Za-z0-9\-._~+/]",),
        grammar=_GRAMMAR,
        validate=_validate,
        before=16,
        after=4200,
        caseless=True,
        examples=("Authorization: Bearer abc123def456", "bearer 0123456789abcdef"),
        counter_examples=("bearer of news", "the bearer token", "Bearer"),
    ),
)
