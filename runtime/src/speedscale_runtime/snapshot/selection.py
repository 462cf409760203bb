"""Which pairs go into a snapshot, and which of them can be used. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from speedscale_runtime.filters import Rule
from speedscale_runtime.rrpair import RRPair
from speedscale_runtime.signatures.http import mapping

from .instants import nanoseconds, of_datetime


class Skip(StrEnum):
    """Why a pair is neither test nor mock."""

    BROKEN = "broken"
    NO_TIME = "no-time"
    NO_ANSWER = "no-answer"
    OPAQUE = "opaque"
    NO_DIRECTION = "no-direction"
    REPLAYED = "replayed"


@dataclass(frozen=True)
class Selection:
    """What the user asked for; empty fields select everything.

    `services`: names of recorded services. `start` is included, `end` is not. `rule` keeps what it matches (as a
    filter of the forwarder it would drop that); `rule_document` is its JSON, for the manifest.
    """

    name: str = ""
    services: tuple[str, ...] = ()
    start: datetime | None = None
    end: datetime | None = None
    rule: Rule | None = None
    rule_document: Mapping[str, Any] = field(default_factory=dict)

    def keeps(self, pair: RRPair, at_ns: int) -> bool:
        """Say whether a pair that began at `at_ns` is selected."""
        if self.services and str(pair.doc.get("service") or pair.doc.get("resource") or "") not in self.services:
            return False
        if self.start is not None and at_ns < of_datetime(self.start):
            return False
        if self.end is not None and at_ns >= of_datetime(self.end):
            return False
        return self.rule is None or self.rule.matches(pair)


def begun_ns(pair: RRPair) -> int | None:
    """Return when the pair began, or None where `ts` is missing or no time."""
    try:
        return nanoseconds(str(pair.doc.get("ts", "")))
    except (ValueError, OverflowError):
        return None


def unusable(pair: RRPair) -> Skip | None:
    """Return why a pair can be neither test nor mock, or None when it can."""
    if pair.direction not in ("IN", "OUT"):
        return Skip.NO_DIRECTION
    if mapping(pair.doc.get("tags")).get("source") in ("generator", "responder"):
        return Skip.REPLAYED
    if isinstance(pair.doc.get("http"), dict):
        answered = pair.http_request is not None and (pair.http_response or {}).get("statusCode")
        return None if answered else Skip.NO_ANSWER
    protocol = str(pair.doc.get("l7protocol") or "")
    body = next((v for k, v in pair.doc.items() if k.lower().startswith(protocol[:5].lower())), None)
    if not protocol or protocol in ("tcp", "tls", "http", "https") or not isinstance(body, dict):
        return Skip.OPAQUE
    return None
