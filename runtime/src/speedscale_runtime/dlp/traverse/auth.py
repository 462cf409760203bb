"""Credentials: a scheme and what follows it (RFC 9110 section 11), Basic (RFC 7617), and opaque secrets.

A Basic pair stays a Basic pair: user name and password inside are treated like any user name and password, so that
the same password has the same token in a form.
"""

from __future__ import annotations

import base64
import binascii
import re

from speedscale_runtime.dlp.edits import Edit, Edits, apply, shift, under
from speedscale_runtime.dlp.tokens import TOKEN
from speedscale_runtime.dlp.triggers import FIRST

from .base import Asks

_SCHEME = re.compile(rb"(?i)\s*(bearer|token|apikey|api-key|jwt|negotiate|ntlm|key)[ \t:=]+(\S+)\s*")
_BASIC = re.compile(rb"(?i)\s*basic[ \t]+([A-Za-z0-9+/_\-]{4,}={0,2})\s*")
_PARAMETERS = re.compile(rb"(?i)\s*(?:digest|aws4-hmac-sha256|hawk|oauth|signature|scram-[a-z0-9-]+)[ \t]+\S+\s*=")
_PROOFS = re.compile(
    rb"(?i)\b(?:response|cnonce|opaque|signature|mac|oauth_signature|oauth_token|oauth_verifier)\s*=\s*"
    rb"(?:\"([^\"]*)\"|([^\s\",]+))"
)
_FULLER = ("JWT", "AWS_KEY", "GITHUB_TOKEN", "SLACK_TOKEN", "STRIPE_KEY", "GOOGLE_KEY", "PRIVATE_KEY")


def header(engine: Asks, value: bytes, depth: int) -> Edits:
    """Return the edits of an Authorization header's value."""
    if _PARAMETERS.match(value):
        return _with_parameters(engine, value, depth)
    return opaque(engine, value, "authorization", "the credentials of an Authorization header")


def _with_parameters(engine: Asks, value: bytes, depth: int) -> Edits:
    """Return the edits of a scheme with parameters (Digest, OAuth, AWS4): what proves or derives a secret goes."""
    edits = list(engine.text(value, depth))
    for match in _PROOFS.finditer(value):
        start, end = match.span(1) if match.group(1) is not None else match.span(2)
        secret = value[start:end]
        if not secret or _spent(secret) or engine.tokens.spent("SECRET", secret):
            continue
        if any(e.start < end and start < e.end for e in edits):
            continue
        edits.append(engine.edit(start, end, "SECRET", secret, "authorization", "a proof in an Authorization header"))
    return sorted(edits, key=lambda e: e.start)


def opaque(engine: Asks, value: bytes, detector: str, why: str) -> Edits:
    """Return the edits of a secret value; a scheme in front stays, a known kind of token keeps its kind."""
    basic = _BASIC.fullmatch(value)
    if basic is not None:
        edits = _basic(engine, basic, why)
        if edits is not None:
            return edits
    schemed = _SCHEME.fullmatch(value)
    start, end = schemed.span(2) if schemed is not None else (0, len(value))
    secret = value[start:end]
    if not secret.strip() or _spent(secret) or engine.tokens.spent("SECRET", secret):
        return []
    hits = engine.hits(secret)
    for edit in engine.text(secret, 0, hits) if any(i >= FIRST for i, _ in hits) else ():
        if edit.start == 0 and edit.end == len(secret) and edit.notes[0].kind in _FULLER:
            return shift([edit], start)
    return [engine.edit(start, end, "SECRET", secret, detector, why)]


def _spent(secret: bytes) -> bool:
    """Say whether a secret is a token already, with nothing but punctuation beside it."""
    if b"REDACTED-" not in secret:
        return False
    rest = TOKEN.sub(b"", secret)
    return (
        len(rest) < len(secret)
        and rest.isascii()
        and not any(48 <= c < 58 or 65 <= c < 91 or 97 <= c < 123 for c in rest)
    )


def _basic(engine: Asks, match: re.Match[bytes], why: str) -> Edits | None:
    text = match.group(1)
    try:
        plain = base64.b64decode(text.replace(b"-", b"+").replace(b"_", b"/") + b"=" * (-len(text) % 4))
    except binascii.Error:
        return None
    user, colon, password = plain.partition(b":")
    if not colon:
        return None
    edits = engine.text(user)
    if password and not TOKEN.fullmatch(password) and not engine.tokens.spent("PASSWORD", password):
        at = len(user) + 1
        edits = [*edits, engine.edit(at, len(plain), "PASSWORD", password, "basic", why)]
    if not edits:
        return []
    notes = tuple(n for e in edits for n in under(e.notes, "|basic"))
    return [Edit(match.start(1), match.end(1), base64.b64encode(apply(plain, edits)), notes)]
