"""AWS credentials: access key ids by prefix and alphabet (IAM's unique identifiers); secrets by key name."""

from __future__ import annotations

import re

from .base import Detector, KeyRule, Verdict, whole

_GRAMMAR = re.compile(rb"(?<![A-Za-z0-9])(?:AKIA|ASIA|ABIA|ACCA|AIDA|AROA)[A-Z0-9]{16}(?![A-Za-z0-9])")


def _validate(match: re.Match[bytes], data: bytes) -> Verdict:
    return whole(match, "prefix of a key id and sixteen characters")


def _accept(value: bytes) -> str:
    return "forty characters under a key for it" if re.fullmatch(rb"[A-Za-z0-9/+=]{40}", value) else ""


DETECTORS = (
    Detector(
        name="aws",
        kind="AWS_KEY",
        prefilter=(r"(?:AKIA|ASIA|ABIA|ACCA|AIDA|AROA)[A-Z0-9]{16}",),
        grammar=_GRAMMAR,
        validate=_validate,
        before=24,
        after=4,
        examples=("AKIAIOSFODNN7EXAMPLE", "id=ASIAY34FZKBOKMUTVV7A;"),
        counter_examples=("AKIAIOSFODNN7", "XAKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLEX"),
    ),
)
KEY_RULES = (
    KeyRule(
        name="aws_secret",
        kind="AWS_SECRET",
        names=("aws secret", "secret access key", "secretaccesskey"),
        accept=_accept,
        examples=(("aws_secret_access_key", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),),
        counter_examples=(("aws_secret_access_key", "unset"),),
        group="aws",
    ),
)
