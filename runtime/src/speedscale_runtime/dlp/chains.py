"""placeholder for chains"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..rrpair.model import RRPair
from .edits import Note
from .engine import Engine
from .rules import RuleSet

CompileFilter = Callable[[Mapping[str, Any]], Callable[[RRPair], bool]]


class Chains:
    def __init__(self, rule: RuleSet, engine: Engine, compile_filter: CompileFilter | None) -> None:
        self._chains: list[Any] = []

    def apply(
        self, doc: dict[str, Any], request: bytes | None, response: bytes | None, notes: list[Note]
    ) -> tuple[dict[str, Any], bytes | None, bytes | None]:
        return doc, request, response
