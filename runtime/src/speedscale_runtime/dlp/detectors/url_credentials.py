"""Passwords in URLs: `scheme://user:password@host` (RFC 3986 section 3.2.1)."""

from __future__ import annotations

import re

from .base import Detector, Verdict, whole

_GRAMMAR = re.compile(rb"[A-Za-z][A-Za-z0-9+.\-]{1,30}://[^\s/?#:@\"'<>\\]{0,128}:([^\s/?#@\"'<>\\]{1,256})@")


def _validate(match: re.Match[bytes], data: bytes) -> Verdict:
    return whole(match, "the password between user and host of a URL", 1)


DETECTORS = (
    Detector(
        name="url_credentials",
        kind="PASSWORD",
        prefilter=(r"://[^\s/?#:@\"'<>\\]{0,128}:[^\s/?#@\"'<>\\]{1,256}@",),
        grammar=_GRAMMAR,
        validate=_validate,
        before=440,
        after=4,
        examples=("postgres://orders:hunter2@db.internal:5432/orders", "https://u:p@h/x"),
        counter_examples=("http://host:8080/x@y", "https://user@host/", "mailto:a"),
        group="password",
    ),
)
