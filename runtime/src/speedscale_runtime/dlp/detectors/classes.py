"""What says which kind of data stands somewhere, but identifies nobody: ids, hashes, URLs, SQL, times, coordinates.

These are the vendor's data patterns beyond personal data. They run only where a rule asks for them by name.
"""

from __future__ import annotations

import re

from .base import Detector, Verdict, whole

_GROUP = "classes"


def _detector(
    name: str,
    kind: str,
    prefilter: str,
    grammar: bytes,
    why: str,
    examples: tuple[str, ...],
    counter_examples: tuple[str, ...],
    reach: int = 80,
    caseless: bool = False,
) -> Detector:
    def validate(match: re.Match[bytes], data: bytes) -> Verdict:
        return whole(match, why)

    flags = re.IGNORECASE if caseless else 0
    return Detector(
        name=name,
        kind=kind,
        prefilter=(prefilter,),
        grammar=re.compile(grammar, flags),
        validate=validate,
        before=reach,
        after=reach,
        examples=examples,
        counter_examples=counter_examples,
        caseless=caseless,
        group=_GROUP,
        classifies=True,
    )


def _hash(name: str, kind: str, digits: int) -> Detector:
    return _detector(
        name,
        kind,
        f"[0-9A-Fa-f]{{{digits}}}",
        rb"(?<![0-9A-Za-z])[0-9A-Fa-f]{%d}(?![0-9A-Za-z])" % digits,
        f"{digits} hex digits",
        (("0123456789abcdef" * 8)[:digits],),
        (("0123456789abcdef" * 8)[: digits - 1],),
        reach=digits + 4,
    )


_UUID = rb"(?<![0-9A-Za-z])[0-9A-F]{8}-[0-9A-F]{4}-[1-8][0-9A-F]{3}-[89AB][0-9A-F]{3}-[0-9A-F]{12}(?![0-9A-Za-z])"
DETECTORS = (
    _detector(
        "uuid",
        "UUID",
        "[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        _UUID,
        "a UUID of a known version and variant (RFC 9562)",
        ("6f1f7e5a-1c9d-4b7e-8f0a-2b6c1d3e4f5a",),
        ("6f1f7e5a-1c9d-0b7e-8f0a-2b6c1d3e4f5a", "6f1f7e5a-1c9d-4b7e-8f0a"),
        caseless=True,
    ),
    _detector(
        "trace_id",
        "TRACE_ID",
        "00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}",
        rb"(?<![0-9a-z])00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(?![0-9a-z])",
        "a traceparent (W3C Trace Context)",
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",),
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",),
    ),
    _hash("md5", "MD5", 32),
    _hash("sha1", "SHA1", 40),
    _hash("tiger192", "TIGER192", 48),
    _hash("sha256", "SHA256", 64),
    _hash("sha384", "SHA384", 96),
    _hash("sha512", "SHA512", 128),
    _detector(
        "url",
        "URL",
        r"https?://[A-Za-z0-9\[]",
        rb"(?<![A-Za-z0-9])https?://[^\s\"'<>\\^`{|}]{1,2048}",
        "a URL (RFC 3986)",
        ("https://example.com/a?b=c",),
        ("http://", "httpx://a"),
        reach=2064,
    ),
    _detector(
        "sql",
        "SQL",
        r"(?:select\s.{1,256}\sfrom|insert\s+into|update\s.{1,128}\sset|delete\s+from)\s",
        rb"(?:\bselect\s.{1,256}?\sfrom|\binsert\s+into|\bupdate\s.{1,128}?\sset|\bdelete\s+from)\s[^;\x00]{1,1024}",
        "a statement of SQL",
        ("SELECT a, b FROM t WHERE a = 1", "insert into t values (1)"),
        ("please select one of these",),
        reach=1300,
        caseless=True,
    ),
    _detector(
        "datetime",
        "DATETIME",
        r"[0-9]{4}-[01][0-9]-[0-3][0-9][T ][0-2][0-9]:[0-5][0-9]",
        rb"(?<!\d)\d{4}-[01]\d-[0-3]\d[T ][0-2]\d:[0-5]\d(?::[0-6]\d(?:\.\d{1,9})?)?(?:Z|[+\-]\d\d:?\d\d)?(?!\d)",
        "a date and time (RFC 3339)",
        ("2026-01-15T18:45:59.123Z",),
        ("2026-13-15", "2026-01-15"),
    ),
    _detector(
        "coordinates",
        "COORDINATES",
        r"[0-9]{1,3}\.[0-9]{4,}[ ,;]{1,3}-?[0-9]{1,3}\.[0-9]{4}",
        rb"(?<![\d.])-?(?:90(?:\.0{4,})?|[1-8]?\d\.\d{4,12})[ ,;]{1,3}"
        rb"-?(?:180(?:\.0{4,})?|1[0-7]\d\.\d{4,12}|\d?\d\.\d{4,12})(?![\d.])",
        "latitude and longitude with at least four decimals (about ten metres)",
        ("52.520008, 13.404954", "-33.8688,151.2093"),
        ("52.52, 13.40", "1.2345"),
    ),
)
