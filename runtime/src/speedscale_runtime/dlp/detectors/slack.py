"""Slack tokens and incoming webhooks by their documented prefixes (api.slack.com, token types)."""

from __future__ import annotations

import re

from .base import Detector, Verdict, whole


def _validate(match: re.Match[bytes], data: bytes) -> Verdict:
    return whole(match, "prefix of a Slack credential")


DETECTORS = (
    Detector(
        name="slack",
        kind="SLACK_TOKEN",
        prefilter=(
            r"xox[abeoprs]-[A-Za-z0-9\-]{10}",
            r"xapp-[0-9]-[A-Za-z0-9\-]{10}",
            r"hooks\.slack\.com/services/[A-Za-z0-9]",
        ),
        grammar=re.compile(
            rb"(?<![A-Za-z0-9_])(?:xox[abeoprs]-[A-Za-z0-9\-]{10,250}|xapp-\d-[A-Za-z0-9\-]{10,250}"
            rb"|(?<=hooks\.slack\.com/services/)[A-Za-z0-9]+/[A-Za-z0-9]+/[A-Za-z0-9]{8,64})"
        ),
        validate=_validate,
        before=64,
        after=270,
        examples=(
            "xoxb-" + "123456789012-abcdefghijkl",
            "https://hooks.slack.com/services/T0001/B0001/" + "abcd" * 6,
        ),
        counter_examples=("xoxb-1", "xoxz-" + "1" * 20, "https://slack.com/services/T0001"),
    ),
)
