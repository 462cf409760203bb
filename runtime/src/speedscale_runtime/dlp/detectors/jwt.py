"""JSON Web Tokens: three segments (RFC 7519), or five when encrypted (RFC 7516), the first a JSON header with `alg`."""

from __future__ import annotations

import base64
import binascii
import re

from .base import Detector, Verdict, whole

_GRAMMAR = re.compile(rb"(?<![A-Za-z0-9_\-])eyJ[A-Za-z0-9_\-]{5,}\.[A-Za-z0-9_\-]+(?:\.[A-Za-z0-9_\-]*){1,3}={0,2}")


def _validate(match: re.Match[bytes], data: bytes) -> Verdict:
    head = match.group().partition(b".")[0]
    try:
        header = base64.urlsafe_b64decode(head + b"=" * (-len(head) % 4))
    except binascii.Error:
        return "the first segment is no base64"
    if b'"alg"' not in header.replace(b" ", b""):
        return "the first segment has no alg"
    return whole(match, "a header with alg, a payload and a signature")


DETECTORS = (
    Detector(
        name="jwt",
        kind="JWT",
        prefilter=(r"eyJ[A-Za-z0-9_\-]{5}",),
        grammar=_GRAMMAR,
        validate=_validate,
        before=12,
        after=65_536,
        examples=(
            "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
            "token=eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.",
        ),
        counter_examples=("eyJhIjoxfQ", "eyJhIjoxfQ.eyJiIjoyfQ.abc", "eyJ.eyJ.x"),
    ),
)
