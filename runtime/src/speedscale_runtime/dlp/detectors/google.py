"""Google credentials by prefix: API keys, OAuth access tokens, client secrets."""

from __future__ import annotations

import re

from .base import Detector, Verdict, whole


def _validate(match: re.Match[bytes], data: bytes) -> Verdict:
    return whole(match, "prefix and length of a Google credential")


DETECTORS = (
    Detector(
        name="google",
        kind="GOOGLE_KEY",
        prefilter=(r"AIza[A-Za-z0-9_\-]{35}", r"ya29\.[A-Za-z0-9_\-]{20}", r"GOCSPX-[A-Za-z0-9_\-]{28}"),
        grammar=re.compile(
            rb"(?<![A-Za-z0-9_\-])(?:AIza[A-Za-z0-9_\-]{35}(?![A-Za-z0-9_\-])|ya29\.[A-Za-z0-9_\-.]{20,2048}"
            rb"|GOCSPX-[A-Za-z0-9_\-]{28}(?![A-Za-z0-9_\-]))"
        ),
        validate=_validate,
        before=48,
        after=2100,
        examples=("AIza" + "SyA1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q", "ya29." + "a0AfH6SMBx0abcdefghij"),
        counter_examples=("AIzaShort", "ya29.x"),
    ),
)
