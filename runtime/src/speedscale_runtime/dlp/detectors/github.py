"""GitHub tokens by their documented prefixes (github.blog, "Behind GitHub's new authentication token formats")."""

from __future__ import annotations

import re

from .base import Detector, Verdict, whole


def _validate(match: re.Match[bytes], data: bytes) -> Verdict:
    return whole(match, "prefix and length of a GitHub token")


DETECTORS = (
    Detector(
        name="github",
        kind="GITHUB_TOKEN",
        prefilter=(r"gh[pousr]_[A-Za-z0-9]{30}", r"github_pat_[A-Za-z0-9_]{22}"),
        grammar=re.compile(
            rb"(?<![A-Za-z0-9_])(?:gh[pousr]_[A-Za-z0-9]{30,255}|github_pat_[A-Za-z0-9_]{22,255})(?![A-Za-z0-9_])"
        ),
        validate=_validate,
        before=48,
        after=270,
        examples=("ghp_" + "a1B2" * 9, "github_pat_" + "11ABCDEFG0" * 6),
        counter_examples=("ghp_short", "xghp_" + "a1B2" * 9, "ghq_" + "a1B2" * 9),
    ),
)
