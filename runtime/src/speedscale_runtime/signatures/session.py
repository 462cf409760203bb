"""Which session a pair belongs to: the credential that its requests share.

Order: bearer token or other Authorization, session cookies of the request, cookies that the answer sets, a token
that the answer hands out (so that a login has the session it opens). Redaction is deterministic, so a
redacted credential names its session as well as the original did.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from speedscale_runtime.rrpair import RRPair

from .http import first, mapping

_COOKIES = re.compile(
    r"^(?:jsessionid|phpsessid|asp\.net_sessionid|aspsessionid\w*|connect\.sid|sid|session|session_?id|"
    r"_session(?:_id)?|\w+_session|sessionid|laravel_session|auth_?token|access_?token|jwt)$",
    re.IGNORECASE,
)
_TOKEN_FIELDS = frozenset(
    ("access_token", "accesstoken", "id_token", "idtoken", "token", "jwt", "auth_token", "session_id", "sessionid")
)
_SCHEME = re.compile(r"^(?:bearer|token|jwtbearer|basic)\s+", re.IGNORECASE)
_BODY_MAX = 64 * 1024
_DEPTH_MAX = 4


def session(pair: RRPair) -> str:
    """Return the pair's session id, or an empty string where nothing tells sessions apart."""
    req, res = pair.http_request, pair.http_response
    if req is None:
        return ""
    answered = mapping((res or {}).get("headers"))
    return (
        session_of(mapping(req.get("headers")))
        or next(_cookies(answered, "set-cookie"), "")
        or _handed_out(pair.response_body or b"")
    )


def session_of(headers: Mapping[str, Any]) -> str:
    """Return the session that a request's own headers name; empty where they name none."""
    return credential(first(headers, "authorization")) or next(_cookies(headers, "cookie"), "")


def credential(authorization: str) -> str:
    """Return what follows the scheme of an Authorization value, the whole value for an unknown scheme."""
    return _SCHEME.sub("", authorization.strip(), count=1)


def _cookies(headers: Mapping[str, Any], name: str) -> Iterator[str]:
    for key, values in headers.items():
        if key.lower() != name:
            continue
        for line in values if isinstance(values, list) else [values]:
            parts = str(line).split(";")
            for part in parts if name == "cookie" else parts[:1]:
                cookie, _, value = part.strip().partition("=")
                if value and _COOKIES.match(cookie):
                    yield value


def _handed_out(body: bytes) -> str:
    if not body or len(body) > _BODY_MAX or body[:1] != b"{" or (b"oken" not in body and b"ession" not in body):
        return ""
    try:
        return _field(orjson.loads(body), 0)
    except orjson.JSONDecodeError:
        return ""


def _field(value: object, depth: int) -> str:
    if not isinstance(value, dict) or depth > _DEPTH_MAX:
        return ""
    for key, inner in value.items():
        if isinstance(inner, str) and len(inner) >= 16 and key.lower() in _TOKEN_FIELDS:
            return inner
    for inner in value.values():
        found = _field(inner, depth + 1)
        if found:
            return found
    return ""
