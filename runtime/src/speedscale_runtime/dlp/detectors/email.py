"""E-mail addresses: local part and a domain with a top-level domain (RFC 5321 sections 4.1.2 and 4.5.3.1).

Left alone: image names like `logo@2x.png`, package versions like `left-pad@1.3.0`, user names in URLs (those belong
to `url_credentials`), hosts without a dot.
"""

from __future__ import annotations

import re

from .base import Detector, Verdict, whole

_FILE_SUFFIXES = frozenset(
    b"png jpg jpeg gif svg webp ico bmp css js mjs ts tsx json html htm xml yaml yml md txt map scss gz zip".split()
)
_GRAMMAR = re.compile(
    rb"(?<![A-Za-z0-9._%+\-!#$*|~^\x80-\xff])"
    rb"[A-Za-z0-9_+\-!#$*|~^\x80-\xff](?:[A-Za-z0-9._+\-!#$*|~^'\x80-\xff]{0,127})"
    rb"@(?:[A-Za-z0-9\x80-\xff](?:[A-Za-z0-9\-\x80-\xff]{0,61}[A-Za-z0-9\x80-\xff])?\.){1,8}"
    rb"(xn--[A-Za-z0-9-]{2,59}|[A-Za-z\x80-\xff]{2,63})(?![A-Za-z0-9\x80-\xff])"
)


def _validate(match: re.Match[bytes], data: bytes) -> Verdict:
    text = match.group()
    domain = text.rpartition(b"@")[2]
    if len(domain) > 253:
        return "the domain is longer than 253 characters"
    if match.group(1).lower() in _FILE_SUFFIXES:
        return f"ends like a file name (.{match.group(1).decode('ascii', 'replace')})"
    before = data[max(0, match.start() - 80) : match.start()]
    if before.endswith(b":") and b"://" in before and b"/" not in before.rpartition(b"://")[2]:
        return "the password of a URL, which url_credentials takes"
    return whole(match, "local part, @, domain with a top-level domain")


DETECTORS = (
    Detector(
        name="email",
        kind="EMAIL",
        prefilter=(r"[A-Za-z0-9._+\-!#$*|~^'\x80-\xff]@[A-Za-z0-9\x80-\xff]",),
        grammar=_GRAMMAR,
        validate=_validate,
        before=132,
        after=400,
        examples=(
            "ada.lovelace@example.org",
            "x@y.co",
            "first+tag@mail.sub.example.com",
            "email='ada@example.org'",
            "<o'brien@example.ie>",
            "jürgen@müller.example",
            "user_name-1@xn--bcher-kva.example",
        ),
        counter_examples=("logo@2x.png", "left-pad@1.3.0", "@angular/core", "root@localhost", "a @ b.com", "@"),
    ),
)
