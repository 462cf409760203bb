"""Requests that the application refused and that hold a redacted value in the place of the real one.

The commonest reason why a first replay fails: a password is taken out on recording, so the login gets its token.
`building` hands every pair over in the order of the results; `notice` says which endpoints it was and what to do.
Tokens that a recorded answer handed out (a JWT, a session) are not meant: smart replacement puts the live ones in.
Pure.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections import Counter

from speedscale_runtime.rrpair import RRPair

from .answer import Answer, header_lists

HANDED_OUT = 20_000
"""Tokens of recorded answers that are remembered; beyond them none is, and a notice may name too many endpoints."""

_SHOWN = 3
_REFUSED = frozenset({400, 401, 403, 407, 422})
_TOKEN = re.compile(r"REDACTED-([A-Z0-9_]+?)-[0-9a-fA-F]{8,64}")


class Withheld:
    """Counts refused requests that hold redacted values, by endpoint."""

    def __init__(self) -> None:
        self._handed_out: set[str] = set()
        self._endpoints: Counter[str] = Counter()
        self._kinds: dict[str, set[str]] = {}

    def take(self, endpoint: str, recorded: RRPair, before: Answer, after: Answer) -> None:
        """Look at one pair; `before` and `after` are its recorded and its live answer."""
        if after.status in _REFUSED and 0 < before.status < 400:
            kinds = {m[1] for m in _TOKEN.finditer(_sent(recorded)) if m[0] not in self._handed_out}
            if kinds:
                self._endpoints[endpoint] += 1
                self._kinds.setdefault(endpoint, set()).update(kinds)
        if len(self._handed_out) < HANDED_OUT:
            self._remember(before)

    def _remember(self, answer: Answer) -> None:
        for values in answer.headers.values():
            for value in values:
                if "REDACTED-" in value:
                    self._handed_out.update(m[0] for m in _TOKEN.finditer(value))
        if b"REDACTED-" in answer.plain:
            self._handed_out.update(m[0] for m in _TOKEN.finditer(answer.plain.decode("utf-8", "replace")))

    def notice(self) -> str:
        """Return one sentence with the remedy, or an empty string."""
        if not self._endpoints:
            return ""
        ranked = sorted(self._endpoints, key=lambda name: (-self._endpoints[name], name))
        listed = ", ".join(f"{name} ({', '.join(sorted(self._kinds[name]))})" for name in ranked[:_SHOWN])
        more = f" and {len(ranked) - _SHOWN:,} more endpoints" if len(ranked) > _SHOWN else ""
        count = self._endpoints.total()
        refused = "refused request holds" if count == 1 else "refused requests hold"
        return (
            f"{count:,} {refused} redacted values: {listed}{more}; the "
            "application got a REDACTED token unless a transform put the real value in: give it with --transform-set "
            "and a secret (README, Credentials)"
        )


def _sent(pair: RRPair) -> str:
    """Everything of the recorded request that may hold a token, Basic credentials decoded (RFC 7617)."""
    request = pair.http_request or {}
    parts = [str(request.get("uri") or request.get("url") or "")]
    for values in header_lists(request).values():
        for value in values:
            parts.append(value)
            scheme, _, rest = value.partition(" ")
            if scheme.lower() == "basic":
                parts.append(_unpacked(rest.strip()))
    body = Answer(0, header_lists(request), pair.request_body).plain
    if b"REDACTED-" in body:
        parts.append(body.decode("utf-8", "replace"))
    return "\n".join(parts)


def _unpacked(coded: str) -> str:
    try:
        return base64.b64decode(coded, validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return ""
