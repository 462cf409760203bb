"""Erasing what somebody has a right to have erased: a session, everything with one redaction token, or a time. Pure.

A token stands for one value of one person (`REDACTED-EMAIL-<digits>`); a pair holds it anywhere: head, bodies, and
bodies that are compressed.
"""

from __future__ import annotations

from dataclasses import dataclass

from speedscale_runtime.rrpair.decoding import decoded
from speedscale_schemas import frames
from speedscale_schemas.errors import PeerError

from .model import Filter, pair_of


@dataclass(frozen=True, slots=True)
class Erasure:
    """What is to go: pairs that `chosen` selects and, where a `token` is given, that hold it."""

    chosen: Filter
    token: str = ""

    def holds(self, frame: bytes) -> bool:
        """Say whether a selected pair is to go."""
        if not self.token:
            return True
        token = self.token.encode("ascii")
        whole = frames.decode_at(frame)[0]
        if any(token in part for part in whole):
            return True
        pair = pair_of(frame)
        sides = ((pair.http_request, whole.request_body), (pair.http_response, whole.response_body))
        for side, body in sides:
            headers = (side or {}).get("headers")
            if body and isinstance(headers, dict):
                try:
                    if token in decoded(body, headers):
                        return True
                except PeerError:
                    continue
        return False
