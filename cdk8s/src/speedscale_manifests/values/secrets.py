"""What looks like a secret: such a value is refused and never printed.

Certain marks only (key blocks, known token forms, credentials in an address, keys that name a password), so that
ordinary settings pass. Called by the combinations, and by whoever prints a value. Pure.
"""

from __future__ import annotations

import base64
import re

from .places import Path

_FORMS = (
    ("a private key", re.compile(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----")),
    ("an AWS access key", re.compile(r"(?<![A-Z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Z0-9])")),
    ("a JSON web token", re.compile(r"(?<![\w-])eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]*")),
    ("a GitHub token", re.compile(r"(?<!\w)(?:gh[pousr]_\w{30,}|github_pat_\w{40,})")),
    ("a GitLab token", re.compile(r"(?<![\w-])glpat-[\w-]{20,}")),
    ("a Slack token", re.compile(r"(?<![\w-])xox[abprs]-[\w-]{10,}")),
    ("a Google API key", re.compile(r"(?<![\w-])AIza[\w-]{35}(?![\w-])")),
    ("a payment provider's key", re.compile(r"(?<!\w)(?:sk|rk)_live_\w{16,}")),
)
# Every pattern begins with a fixed text or right after a bound, so that long values are searched in linear time.
_USERINFO = re.compile(r"://[^/\s@:]*:[^/\s@]+@")
_TOKEN_AS_USER = re.compile(r"://(?=[^/\s@]*[0-9])[\w.~-]{16,}@")
_QUERY = re.compile(r"(?i)[?&](?:api[_-]?key|access[_-]?token|token|password|secret|sig(?:nature)?)=[^&\s]{4,}")
_BEARER = re.compile(r"(?i)(?<!\w)bearer\s+(?=[\w.~+/-]*[0-9])[\w.~+/-]{20,}=*(?![\w.])")
_BASIC = re.compile(r"(?i)(?<!\w)basic\s+([A-Za-z0-9+/]{8,}={0,2})(?![\w.])")
# Keys, without signs and in lower case, whose value is a secret. Names of Secrets (`…Secret`) are none of these.
_KEYS = frozenset(
    (
        *("password", "passwd", "passphrase", "authorization", "clientsecret", "privatekey"),
        *("apikey", "xapikey", "speedscaleapikey", "secretkey", "secretaccesskey", "awssecretaccesskey"),
        *("accesstoken", "authtoken", "bearertoken"),
    )
)
# Below these the keys say what kind of data a rule is about; they are no data.
_RULES = ("rules",)


def form(value: str) -> str:
    """Return what secret a text carries, in words, or an empty text. The text itself is never part of it."""
    for name, pattern in _FORMS:
        if pattern.search(value):
            return name
    if _USERINFO.search(value):
        return "a password in an address"
    if _TOKEN_AS_USER.search(value):
        return "a token in an address"
    if _BEARER.search(value) or any(_is_basic(found) for found in _BASIC.findall(value)):
        return "the credentials of an HTTP header"
    if _QUERY.search(value):
        return "a key in the query of an address"
    return ""


def found(path: Path, value: object) -> str:
    """Return what secret stands at a path, in words, or an empty text; a name of a Secret is none."""
    if not isinstance(value, str) or not value:
        return ""
    told = form(value)
    if told:
        return told
    if path and path[0] in _RULES:
        return ""
    key = next((part for part in reversed(path) if isinstance(part, str)), "")
    bare = re.sub(r"[^a-z0-9]", "", key.rpartition("/")[2].casefold())
    return f"a secret by its key {key!r}" if bare in _KEYS else ""


def _is_basic(encoded: str) -> bool:
    """Tell whether a text is base64 of `user:password`."""
    try:
        return b":" in base64.b64decode(encoded, validate=True)
    except ValueError:
        return False


def hidden(path: Path, value: str) -> str:
    """Return the text for a message: itself, or `(hidden)` where it is, or carries, a secret."""
    return "(hidden)" if found(path, value) else value
