"""Private keys in PEM (RFC 7468), whole blocks; a block that was cut reaches to the end of the text."""

from __future__ import annotations

import re

from .base import Detector, Verdict, whole


def _validate(match: re.Match[bytes], data: bytes) -> Verdict:
    return whole(match, "a PEM block of a private key")


DETECTORS = (
    Detector(
        name="private_key",
        kind="PRIVATE_KEY",
        prefilter=(r"-----BEGIN [A-Z0-9 ]{0,24}PRIVATE KEY",),
        grammar=re.compile(
            rb"-----BEGIN [A-Z0-9 ]{0,24}PRIVATE KEY(?: BLOCK)?-----[\s\S]*?"
            rb"(?:-----END [A-Z0-9 ]{0,24}PRIVATE KEY(?: BLOCK)?-----|\Z)"
        ),
        validate=_validate,
        before=64,
        after=262_144,
        examples=(
            "-----BEGIN RSA PRIVATE KEY-----\nMIIBOgIBAAJBAK\n-----END RSA PRIVATE KEY-----",
            "-----BEGIN PRIVATE KEY-----\nMIIBOgIBAAJBAK",
        ),
        counter_examples=("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----", "BEGIN PRIVATE KEY"),
    ),
)
