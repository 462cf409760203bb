"""What extractors and steps are, and the scope they run in.

Values travel as `str`; bytes that are no UTF-8 become lone surrogates (`surrogateescape`) and come back unchanged.
A step isolates (json_path, base64: `backward` puts a value back into what it came from) or changes (constant:
`backward` hands on). The engine never calls `backward` of an isolating step whose value did not change, so an
unchanged value leaves the bytes as they were. No I/O, no clock, no random source of its own: the scope has them.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from speedscale_runtime.rrpair import RRPair

from .smart import SmartTable
from .sources import Sources

Side = Literal["request", "response"]
Service = Literal["generator", "responder"]


@dataclass(slots=True)
class Scope:
    """What one run of a chain may use. `now` is epoch seconds of the replay, `recorded_at` of the recording.

    `recorded` is the recorded pair where `pair` is the live one; `recorded_value` is what the chain so far makes
    of it, None where that cannot be said. `counters` and `variables` live per vUser.
    """

    pair: RRPair
    side: Side
    service: Service
    variables: dict[str, str]
    counters: dict[str, int]
    table: SmartTable
    rng: random.Random
    now: float
    sources: Sources
    recorded: RRPair | None = None
    recorded_value: str | None = None
    redact: Callable[[str, bool], str] | None = None
    delay_ms: float = 0.0
    cache: dict[object, object] = field(default_factory=dict)


class Extractor:
    """Takes one value out of a pair and puts one back in the same place. `side` says when it can run.

    `steady`: what it gets depends on the pair alone.
    """

    side: Side = "request"
    steady = True

    def get(self, pair: RRPair, scope: Scope) -> str | None:
        """Return the value, or None where the pair has none."""
        raise NotImplementedError

    def put(self, pair: RRPair, value: str, scope: Scope) -> None:
        """Put `value` where `get` found one; extractors that only read ignore it."""


class Step:
    """One transform of a chain.

    `steady`: for a minute the same value becomes the same value, for every vUser, and nothing else happens; what a
    recorded request becomes through such steps alone is made once and kept.
    """

    isolates = False
    signs = False
    needs_recorded = False
    steady = False

    def forward(self, value: str, scope: Scope) -> str:
        """Return what the next step sees."""
        return value

    def backward(self, before: str, value: str, scope: Scope) -> str:
        """Return what the step before sees, given what went in (`before`) and what comes back (`value`)."""
        return value


def text(data: bytes) -> str:
    """Return bytes as a value."""
    return data.decode("utf-8", "surrogateescape")


def raw(value: str) -> bytes:
    """Return a value as bytes; the inverse of `text`."""
    return value.encode("utf-8", "surrogateescape")
