"""What a message says about its body: length and digests are made right again, signatures that broke are named.

Content-Length (RFC 9110), Content-MD5 (RFC 1864), Digest (RFC 3230), Content-Digest and Repr-Digest (RFC 9530),
x-amz-content-sha256, and an ETag that is a plain hash of the body. A digest of the original would confirm a guess of
what was redacted, so none is left.
"""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any

_SIGNED = frozenset(
    ("signature", "signature-input", "x-hub-signature", "x-hub-signature-256", "stripe-signature", "x-slack-signature",
     "x-shopify-hmac-sha256", "x-signature", "dpop", "x-twilio-signature")
)  # fmt: skip
_ABOUT_BODY = _SIGNED | {
    "content-length", "content-md5", "digest", "content-digest", "repr-digest", "etag", "authorization",
    "x-amz-content-sha256", "x-checksum-sha256", "x-checksum-md5", "x-goog-hash",
}  # fmt: skip
_ALGORITHMS = {"md5": "md5", "sha": "sha1", "sha-256": "sha256", "sha-512": "sha512"}
_ONE = re.compile(r"([A-Za-z0-9-]+)=(:?)([A-Za-z0-9+/=]+)(:?)")
_HEX = {32: "md5", 40: "sha1", 64: "sha256", 128: "sha512"}


def about_body(folded: str) -> bool:
    """Say whether a header (its name in lower case) says something of the body."""
    return folded in _ABOUT_BODY


def correct(headers: dict[str, Any], old: bytes, new: bytes) -> tuple[dict[str, Any], list[str]]:
    """Return headers that fit the new body, and the names of signature headers that no longer can."""
    out: dict[str, Any] = dict(headers)
    broken: list[str] = []
    for name, values in headers.items():
        folded = name.lower()
        if folded not in _ABOUT_BODY:
            continue
        if folded in _SIGNED or (folded == "authorization" and "signature=" in str(values).lower()):
            broken.append(name)
        if isinstance(values, list):
            out[name] = [_value(folded, v, old, new) if isinstance(v, str) else v for v in values]
        else:
            out[name] = _value(folded, values, old, new) if isinstance(values, str) else values
    return out, broken


def _value(name: str, value: str, old: bytes, new: bytes) -> str:
    if name == "content-length":
        return str(len(new)) if value.strip() == str(len(old)) else value
    if name == "content-md5":
        return base64.b64encode(_hash("md5", new)).decode("ascii")
    if name in ("digest", "content-digest", "repr-digest"):
        return _ONE.sub(lambda m: _digest(m, new), value)
    if name in ("etag", "x-amz-content-sha256", "x-checksum-sha256", "x-checksum-md5", "x-goog-hash"):
        return _hashed(value, old, new)
    return value


def _digest(match: re.Match[str], new: bytes) -> str:
    algorithm = _ALGORITHMS.get(match.group(1).lower())
    if algorithm is None:
        return f"{match.group(1)}={match.group(2)}{match.group(4)}"
    coded = base64.b64encode(_hash(algorithm, new)).decode("ascii")
    return f"{match.group(1)}={match.group(2)}{coded}{match.group(4)}"


def _hashed(value: str, old: bytes, new: bytes) -> str:
    core = value.removeprefix("W/").strip('"')
    algorithm = _HEX.get(len(core))
    if algorithm and core.lower() == _hash(algorithm, old).hex():
        return value.replace(core, _hash(algorithm, new).hex())
    return value


def _hash(algorithm: str, data: bytes) -> bytes:
    return hashlib.new(algorithm, data, usedforsecurity=False).digest()
