"""IP addresses, strictly: four octets without leading zeros, or what RFC 4291 section 2.2 allows.

Left alone: loopback, the unspecified address and masks; version strings (behind a `v`, a product name and a slash,
or under a key that speaks of versions or agents). The rule's structural places keep theirs (pods, peers).
"""

from __future__ import annotations

import ipaddress
import re

from .base import Detector, Verdict, whole

_V4 = re.compile(
    rb"(?<![\w.])(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\.){3}(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?![\w]|\.\d)"
)
_V6 = re.compile(rb"(?<![\w:.])[0-9A-Fa-f:]{0,38}::?[0-9A-Fa-f]{0,4}(?:\.\d{1,3}){0,3}(?:%[A-Za-z0-9]{1,15})?(?![\w:])")
_PRODUCT = re.compile(
    rb"(?:[A-Z][A-Za-z]+/|(?i:\bv|(?:version|release|build|firmware)(?:[ :=/>]|\"|'|&quot;){1,4}v?))\Z"
)
_PREFIX = re.compile(rb"/(\d{1,2})(?!\d)")
_SKIP = frozenset(("version", "ver", "release", "build", "firmware", "agent", "server", "ua", "oid", "driver"))
_PLAIN = (b"0.0.0.0", b"255.255.255.255")


def _validate_v4(match: re.Match[bytes], data: bytes) -> Verdict:
    text = match.group()
    if text.startswith((b"127.", b"255.")) or text in _PLAIN:
        return "loopback, unspecified or a mask"
    before = data[max(0, match.start() - 24) : match.start()]
    if _PRODUCT.search(before):
        return "the version of a product"
    if _is_network(text, data[match.end() : match.end() + 3]):
        return "a network: its prefix leaves nothing of the address"
    return whole(match, "four octets")


def _is_network(text: bytes, behind: bytes) -> bool:
    """Say whether a prefix length behind an address (RFC 4632 section 3.1) covers all of it that is not zero."""
    length = _PREFIX.match(behind)
    if length is None:
        return False
    number = int.from_bytes(bytes(map(int, text.split(b"."))), "big")
    return int(length.group(1)) <= 24 and not number & (0xFFFFFFFF >> int(length.group(1)))


def _validate_v6(match: re.Match[bytes], data: bytes) -> Verdict:
    text = match.group().partition(b"%")[0]
    groups = [g for g in text.split(b":") if g]
    if b"::" not in text and len(groups) < 7:
        return "fewer than eight groups"
    if len(groups) < 3 and not any(48 <= c <= 57 for c in text):
        return "no digit: more likely a name with colons"
    try:
        address = ipaddress.IPv6Address(text.decode("ascii"))
    except ValueError:
        return "no address by RFC 4291"
    if address.is_loopback or address.is_unspecified:
        return "loopback or unspecified"
    if text.endswith(b"::"):
        return "a network: no host follows its prefix"
    return whole(match, "an address by RFC 4291")


DETECTORS = (
    Detector(
        name="ip4",
        kind="IP4",
        prefilter=(r"[0-9]\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]",),
        grammar=_V4,
        validate=_validate_v4,
        before=16,
        after=4,
        examples=("192.168.20.15", "from 203.0.113.7:443", "10.1.2.3/24", "8.8.8.8."),
        counter_examples=(
            "127.0.0.1",
            "0.0.0.0",
            "1.2.3",
            "1.2.3.4.5",
            "256.1.1.1",
            "01.2.3.4",
            "v1.2.3.4",
            "Chrome/120.0.0.0",
            "255.255.255.0",
            "version: 4.3.2.1",
            "192.168.0.0/16",
            "10.0.0.0/8",
        ),
        skip_keys=_SKIP,
        group="ip",
    ),
    Detector(
        name="ip6",
        kind="IP6",
        prefilter=(
            r"[0-9A-Fa-f]{1,4}:[0-9A-Fa-f]{1,4}:[0-9A-Fa-f]{1,4}:[0-9A-Fa-f]",
            r"[0-9A-Fa-f]::",
            r"::[0-9A-Fa-f]",
        ),
        grammar=_V6,
        validate=_validate_v6,
        before=44,
        after=44,
        examples=(
            "2001:0db8:85a3:0000:0000:8a2e:0370:7334",
            "[2001:db8::1]:443",
            "fe80::1ff:fe23:4567:890a",
            "::ffff:203.0.113.9",
        ),
        counter_examples=(
            "::1",
            "::",
            "std::vector",
            "12:34:56",
            "a::b",
            "01:23:45:67:89:ab",
            "18:45:59:123",
            "fe80::/10",
        ),
        skip_keys=_SKIP,
        group="ip",
    ),
)
