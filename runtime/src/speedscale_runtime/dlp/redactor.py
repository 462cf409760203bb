"""The engine's public face (being filled in)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from speedscale_schemas.frames import Frame

from ..rrpair.model import RRPair
from .findings import Outcome
from .keys import KeyRing

CompileFilter = Callable[[Mapping[str, Any]], Callable[[RRPair], bool]]


class Redactor:
    def redact_frame(self, frame: Frame) -> Outcome:
        raise NotImplementedError

    def redact_pair(self, pair: RRPair) -> Outcome:
        raise NotImplementedError

    def redact_request(self, pair: RRPair) -> Outcome:
        raise NotImplementedError


def compile_rule(
    rule: Mapping[str, Any], keys: KeyRing, *, compile_filter: CompileFilter | None = None
) -> Redactor:
    raise NotImplementedError
